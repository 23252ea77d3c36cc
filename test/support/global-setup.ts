// Vitest runs this once, in its main process: it makes what every worker starts with.
import { execFile } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { PGlite } from "@electric-sql/pglite";
import { build } from "esbuild";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { migrate } from "../../drizzle/migrate.ts";
import { seed } from "../../drizzle/seed.ts";
import { serveEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { startRealPostgres } from "./postgres.ts";

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
const TEMPLATE = "process_api_test";
const CACHE = "node_modules/.cache/process-api";

/** Bundles the Worker, and makes the database: for the project `postgres` on an installed PostgreSQL, else the embedded one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const isReal = project.name === "postgres";
  const [{ close, ...database }] = await Promise.all([isReal ? startCluster() : findSnapshot(), bundleWorker()]);
  project.provide("database", database);
  project.provide("worker", WORKER);
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
  project.provide("seed", seed);
  console.log(`${project.name}: SEED=${seed} repeats the random choices of this run`);
  return close;
}

async function bundleWorker(): Promise<void> {
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
}

interface Prepared {
  snapshot?: string;
  server?: string;
  close(): Promise<void>;
}

/** A throw-away cluster with a database to copy. */
async function startCluster(): Promise<Prepared> {
  const { connectionString, close } = await startRealPostgres();
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(`create database ${TEMPLATE}`);
  await client.end();
  const url = new URL(connectionString);
  url.pathname = `/${TEMPLATE}`;
  await fill(url.href);
  return { server: url.href, close };
}

/** The rows that every test may count on. */
async function fill(connectionString: string): Promise<void> {
  await migrate(connectionString);
  await seed(connectionString);
}

/** Kept from run to run: to make it takes seconds. */
async function findSnapshot(): Promise<Prepared> {
  const close = async () => {};
  const hash = createHash("sha256");
  const madeOf = [
    ...globSync("drizzle/**/*.*"),
    "src/worker/db/schema.ts",
    "node_modules/@electric-sql/pglite/package.json",
  ];
  for (const file of madeOf.sort()) hash.update(readFileSync(file));
  const path = `${CACHE}/database-${hash.digest("hex").slice(0, 16)}.tar`;
  if (existsSync(path)) return { snapshot: path, close };
  const db = await PGlite.create();
  const server = await serveEmbeddedPostgres(db);
  await fill(server.connectionString);
  const snapshot = await db.dumpDataDir("none");
  await server.close();
  mkdirSync(CACHE, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, new Uint8Array(await snapshot.arrayBuffer()));
  // Other runs find all of it or nothing.
  renameSync(unfinished, path);
  return { snapshot: path, close };
}
