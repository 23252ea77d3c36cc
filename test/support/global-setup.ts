// Vitest runs this once, before all test files, in its main process: every file gets the same database.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { migrate } from "../../drizzle/migrate.ts";
import { seed } from "../../drizzle/seed.ts";
import { startEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { startRealPostgres } from "./postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The Postgres of this test run: `inject("connectionString")`. */
    connectionString: string;
  }
}

interface Database {
  connectionString: string;
  close(): Promise<void>;
}

/**
 * Starts the database that the environment variable TEST_DATABASE names:
 * `pglite` (or unset) the embedded Postgres, `postgres` a throw-away cluster of an installed PostgreSQL, and a
 * `postgres://` URL a new database on that server, dropped at the end.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // The Worker is bundled with what the build makes.
  execFileSync("npm", ["run", "-s", "build"]);
  const database = await startDatabase(process.env.TEST_DATABASE ?? "pglite");
  try {
    await prepare(database.connectionString);
  } catch (error) {
    await database.close();
    throw error;
  }
  project.provide("connectionString", database.connectionString);
  return () => database.close();
}

/** The rows that every test may count on. */
async function prepare(connectionString: string): Promise<void> {
  await migrate(connectionString);
  await seed(connectionString);
}

function startDatabase(choice: string): Promise<Database> {
  if (choice === "pglite") return startEmbeddedPostgres();
  if (choice === "postgres") return startRealPostgres();
  if (/^postgres(ql)?:\/\//.test(choice)) return createDatabase(choice);
  throw new Error("TEST_DATABASE must be pglite, postgres or a postgres:// URL");
}

async function createDatabase(serverUrl: string): Promise<Database> {
  const name = `process_api_test_${randomBytes(6).toString("hex")}`;
  await runOn(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    connectionString: url.href,
    close: () => runOn(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

async function runOn(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
