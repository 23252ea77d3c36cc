// Vitest runs this once, in its main process: it makes what its workers start with.
import { execFile } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { build } from "esbuild";
import type { TestProject } from "vitest/node";
import { migrate } from "../../drizzle/migrate.ts";
import { seed } from "../../drizzle/seed.ts";
import { startEmbeddedPostgres, writeWhole } from "../../src/local/postgres/embedded.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** What test/support/database.ts opens: a snapshot for the embedded Postgres, or a database to copy. */
    database: { snapshot?: string; server?: string };
    /** The module of the Worker that tests run. */
    worker: string;
    /** Of all random choices. */
    seed: number;
  }
}

const WORKER = "dist/test/worker.js";
/** Says of which files, by their hash, the last build was made, and which ones it made. */
const MADE_OF = "dist/test/made-of";
const BUILD = [
  ...["src/**/*", "test/support/workers/*", "test/support/global-setup.ts", "package*.json", "tsconfig*.json"],
  ...["dist/openapi.js", "dist/assets/**/*", WORKER],
];
const CACHE = "node_modules/.cache/process-api";

export default async function setup({ provide }: TestProject): Promise<void> {
  const [snapshot] = await Promise.all([findSnapshot(), bundleWorker()]);
  provide("database", { snapshot });
  provide("worker", WORKER);
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
  provide("seed", seed);
  console.log(`SEED=${seed} repeats the random choices of this run`);
}

/** Also makes what `npm run build` does. Both are kept while nothing that they are made of has changed. */
async function bundleWorker(): Promise<void> {
  if (existsSync(MADE_OF) && readFileSync(MADE_OF, "utf8") === hashOf(...BUILD)) return;
  await promisify(execFile)("npm", ["run", "-s", "build"]);
  await build({
    entryPoints: ["test/support/workers/api.ts"],
    outfile: WORKER,
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    sourcemap: "inline",
    logLevel: "warning",
  });
  writeFileSync(MADE_OF, hashOf(...BUILD));
}

/** Of the files' names and what is in them. */
function hashOf(...globs: string[]): string {
  const hash = createHash("sha256");
  const files = globSync(globs).filter((path) => statSync(path).isFile());
  for (const file of files.sort()) hash.update(file).update(readFileSync(file));
  return hash.digest("hex");
}

/** The rows that every test may count on. */
export async function fill(connectionString: string): Promise<void> {
  await migrate(connectionString);
  await seed(connectionString).catch((error) => {
    const advice = "A table or a column is in no migration? npm run db:generate -- --name=<what_it_adds>";
    throw new Error(`The seed cannot be written. ${advice}`, { cause: error });
  });
}

/** Kept from run to run: to make it takes seconds. @returns its path */
async function findSnapshot(): Promise<string> {
  const hash = hashOf(
    ...[
      "drizzle/**/*",
      "src/worker/**/table.ts",
      "src/worker/db/{columns,jsonpath}.ts",
      "src/worker/shared/{cache,uuid}.ts",
      "package-lock.json",
    ],
  );
  const path = `${CACHE}/database-${hash.slice(0, 16)}.tar`;
  if (existsSync(path)) return path;
  const { connectionString, dump, close } = await startEmbeddedPostgres();
  await fill(connectionString);
  writeWhole(path, await dump());
  await close();
  return path;
}
