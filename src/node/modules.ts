import { globSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const PROJECT = join(import.meta.dirname, "../..");

/** Imports every module of the project that a pattern finds, so that none is left out of a list. */
export const importAll = async <Module>(pattern: string): Promise<Module[]> =>
  Promise.all(globSync(join(PROJECT, pattern)).map((file) => import(pathToFileURL(file).href)));
