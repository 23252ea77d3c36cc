// The database of `npm run dev`: one with data to try, or that of DATABASE_URL.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { sql } from "drizzle-orm";
import { migrate } from "../../drizzle/migrate.ts";
import { seed } from "../../drizzle/seed.ts";
import { context } from "../node/context.ts";
import { findDatabase, hostOf, isOnThisMachine, withDatabase } from "../node/database.ts";
import { usageError } from "../node/errors.ts";
import { startNeonEndpoint } from "./neon/endpoint.ts";

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
export async function openDatabase(started: AsyncDisposableStack, seedIt: boolean): Promise<OpenedDatabase> {
  const isOurs = context().env.DATABASE_URL === undefined;
  const postgresUrl = isOurs ? await startPostgres(started) : await findPostgres(seedIt);
  const database = { postgresUrl, isSeeded: isOurs || seedIt, hasFeed: isOnThisMachine(postgresUrl) };
  if (hostOf(postgresUrl).endsWith(".neon.tech")) return { ...database, databaseUrl: postgresUrl };
  const endpoint = await startNeonEndpoint({ connectionString: postgresUrl });
  started.defer(endpoint.close);
  return { ...database, databaseUrl: endpoint.connectionString };
}

async function startPostgres(started: AsyncDisposableStack): Promise<string> {
  const thread = new Worker(new URL("postgres/thread.ts", import.meta.url));
  started.defer(async () => void (await thread.terminate()));
  const [connectionString] = await once(thread, "message");
  await migrate(connectionString);
  await seed(connectionString);
  // Nothing is cached yet that the feed would have to purge.
  const target = { connectionString, name: "", isOfRunning: true };
  await withDatabase(target, (db) => db.execute(sql`delete from changes`));
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
