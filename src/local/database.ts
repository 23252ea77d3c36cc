// The database of `npm run dev`: one with data to try, or that of DATABASE_URL.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type NeonDbError, neon } from "@neondatabase/serverless";
import { sql } from "drizzle-orm";
import pg from "pg";
import { migrate } from "../../drizzle/migrate.ts";
import { seed } from "../../drizzle/seed.ts";
import { context } from "../node/context.ts";
import { findDatabase, hostOf, isOnThisMachine, withDatabase } from "../node/database.ts";
import { CommandError, reasonOf, usageError } from "../node/errors.ts";
import "./loopback.ts";
import { startNeonEndpoint } from "./neon/endpoint.ts";

/** What ends what has been started, the last first. */
export type Closers = (() => Promise<unknown>)[];

const TIMEOUT_MS = 30_000;
/** The driver quotes the answer to a query as it is: the message, and many fields that are null. */
const ERROR_BODY = /\{"message":"(.*?)",.*\}$/s;

export interface OpenedDatabase {
  /** For `pg`. */
  postgresUrl: string;
  /** For the Neon driver. */
  databaseUrl: string;
  isSeeded: boolean;
  /** Whether to run the feed: it would take changes away from the feed of the edge that serves a remote database. */
  hasFeed: boolean;
}

/** Opens the database of DATABASE_URL, or else starts one with data to try. @throws CommandError */
export async function openDatabase(closers: Closers, seedIt: boolean): Promise<OpenedDatabase> {
  const isOurs = context().env.DATABASE_URL === undefined;
  const postgresUrl = isOurs ? await startPostgres(closers) : await findPostgres(seedIt);
  const databaseUrl = await startEndpoint(closers, postgresUrl);
  await assertDriverReaches(databaseUrl);
  const hasFeed = isOnThisMachine(postgresUrl);
  return { postgresUrl, databaseUrl, isSeeded: isOurs || seedIt, hasFeed };
}

async function startPostgres(closers: Closers): Promise<string> {
  const thread = new Worker(new URL("postgres/thread.ts", import.meta.url));
  closers.unshift(() => thread.terminate());
  const [connectionString] = await once(thread, "message");
  await migrate(connectionString);
  await seed(connectionString);
  await forgetChanges(connectionString);
  return connectionString;
}

async function findPostgres(seedIt: boolean): Promise<string> {
  const target = findDatabase();
  const { connectionString } = target;
  if (seedIt && !isOnThisMachine(connectionString)) {
    throw usageError("--seed writes to a database on this machine alone: the keys that it writes are public.");
  }
  // Fails where there is no schema.
  await withDatabase(target, (db) => db.execute(sql`select from processes limit 0`));
  if (seedIt) await seed(connectionString);
  return connectionString;
}

/** Empties the outbox: nothing is cached yet that the feed would have to purge. */
async function forgetChanges(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query("delete from changes");
  await client.end();
}

/** @returns how to reach the database with the Neon driver */
async function startEndpoint(closers: Closers, postgresUrl: string): Promise<string> {
  if (hostOf(postgresUrl).endsWith(".neon.tech")) return postgresUrl;
  const endpoint = await startNeonEndpoint({ connectionString: postgresUrl });
  closers.unshift(endpoint.close);
  return endpoint.connectionString;
}

/**
 * Asks one query as the Worker asks all of its own, which may fail where node-postgres does not.
 *
 * @param databaseUrl a well-formed one: the driver quotes a malformed one in its error
 * @throws CommandError
 */
export async function assertDriverReaches(databaseUrl: string): Promise<void> {
  try {
    await neon(databaseUrl).query("select 1", [], { fetchOptions: { signal: AbortSignal.timeout(TIMEOUT_MS) } });
  } catch (error) {
    const { message, sourceError } = error as NeonDbError;
    const reason = sourceError === undefined ? message.replace(ERROR_BODY, "$1") : reasonOf(sourceError);
    throw new CommandError(`The Neon driver cannot query the database: ${reason}`);
  }
}
