// The database of this Vitest worker: migrated and seeded, and shared by the files that the worker runs one after another.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import pg from "pg";
import { inject } from "vitest";

const { snapshot, server } = inject("database");

/** Whether it has one session that all clients share. */
export const isEmbedded = server === undefined;

/** Of a role that may do everything. */
export const connectionString: string = await (server === undefined ? startEmbedded() : copyDatabase());

async function startEmbedded(): Promise<string> {
  // A query keeps its thread busy, and this one has tests to run.
  const script = new URL("../../src/local/postgres/thread.ts", import.meta.url);
  const thread = new Worker(script, { workerData: snapshot });
  thread.unref();
  const [url] = await once(thread, "message");
  return url;
}

/** A database of one's own, where the project has a PostgreSQL; it goes with the cluster. @returns its URL */
export async function copyDatabase(): Promise<string> {
  if (server === undefined) throw new Error("Only tests of the project `postgres` have databases of their own");
  const url = new URL(server);
  const template = url.pathname.slice(1);
  url.pathname = "/postgres";
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  const name = `${template}_${randomBytes(6).toString("hex")}`;
  await client.query(`create database ${name} template ${template}`);
  await client.end();
  url.pathname = `/${name}`;
  return url.href;
}
