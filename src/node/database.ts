import { DrizzleQueryError } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import { context } from "./context.ts";
import { CommandError, usageError } from "./errors.ts";
import { isLoopback } from "./loopback.ts";
import { findRunning } from "./running.ts";

export type Database = NodePgDatabase & { $client: pg.Client | pg.Pool };

/** Which database a command works on. */
export interface DatabaseTarget {
  connectionString: string;
  /** For people: no user and no password. */
  name: string;
  /** Whether it is that of a running `npm run dev`. */
  isOfRunning: boolean;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** @throws CommandError if there is none, or DATABASE_URL is no Postgres URL */
export function findDatabase(): DatabaseTarget {
  const running = findRunning();
  const connectionString = context().env.DATABASE_URL ?? running?.databaseUrl;
  if (connectionString === undefined) throw usageError("No database: set DATABASE_URL, or start `npm run dev`.");
  assertPostgresUrl(connectionString, "DATABASE_URL");
  const { host, port, database } = new pg.Client({ connectionString });
  const isOfRunning = connectionString === running?.databaseUrl;
  return { connectionString, name: `${host}:${port}/${database}`, isOfRunning };
}

/** node-postgres quotes a malformed URL in its error, and takes any scheme for its own. @throws CommandError */
export function assertPostgresUrl(text: string, name: string): void {
  if (!URL.canParse(text) || !/^postgres(ql)?:/.test(text)) throw usageError(`${name} is not a Postgres URL.`);
}

/** The host that node-postgres connects to: a parameter `host` overrides that of the URL, and may be a socket's path. */
export const hostOf = (connectionString: string): string => new pg.Client({ connectionString }).host;

export function isOnThisMachine(connectionString: string): boolean {
  const host = hostOf(connectionString);
  return isLoopback(host) || host.startsWith("/");
}

/**
 * Connects, works and disconnects.
 *
 * @throws CommandError if the database fails, with its SQLSTATE or the error's code; never its own words, which may hold
 *   the connection string or bound values
 */
export async function withDatabase<T>(
  { connectionString, isOfRunning }: DatabaseTarget,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const connectionTimeoutMillis = CONNECT_TIMEOUT_MS;
  const client = new pg.Client({ connectionString, connectionTimeoutMillis, application_name: "process-api" });
  // A connection that is lost fails the query, too: nothing more to say here.
  client.on("error", () => {});
  try {
    await client.connect().catch((error) => {
      const name = isOfRunning ? "`npm run dev`" : "DATABASE_URL";
      throw databaseError(error, `The database of ${name} cannot be reached`);
    });
    return await work(drizzle({ client }));
  } catch (error) {
    throw error instanceof DrizzleQueryError ? databaseError(error.cause, "The connection was lost") : error;
  } finally {
    await client.end().catch(() => {});
  }
}

/** The words for errors that an operator can mend. */
const HINTS: Record<string, string> = {
  "28000": "it refuses the user",
  "28P01": "it refuses the password",
  "3D000": "there is no such database",
  "42501": "the user may not do this",
  "42703": "its schema is older than this command: npm run db:migrate",
  "42P01": "it has no schema yet: npm run db:migrate",
};

function databaseError(error: unknown, otherwise: string): CommandError {
  const { code } = (error ?? {}) as { code?: unknown };
  if (error instanceof pg.DatabaseError && typeof code === "string") {
    const hint = HINTS[code];
    return new CommandError(`The database refused: SQLSTATE ${code}${hint === undefined ? "" : ` (${hint})`}`);
  }
  return new CommandError(typeof code === "string" ? `${otherwise}: ${code}` : `${otherwise}.`);
}
