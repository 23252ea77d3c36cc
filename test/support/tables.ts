// Every table of the Worker by the name of its constant. They are looked for, so that none is left out.
import { globSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";

const modules: object[] = await Promise.all(
  globSync("src/worker/**/table.ts").map((file) => import(pathToFileURL(file).href)),
);

/** All that these modules export, enums included. */
export const SCHEMA: Record<string, unknown> = Object.assign({}, ...modules);

export const TABLES = Object.fromEntries(Object.entries(SCHEMA).filter(([, value]) => is(value, PgTable))) as Record<
  string,
  PgTable
>;
