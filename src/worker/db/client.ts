import { type NeonQueryFunction, neon } from "@neondatabase/serverless";
import { DrizzleQueryError } from "drizzle-orm";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import { classifyError, DatabaseError } from "./errors.ts";

export type Database = NeonHttpDatabase;

/** What became of one query. */
export interface QueryOutcome {
  attempts: number;
  durationMs: number;
  /** Absent if the query succeeded. */
  error?: DatabaseError;
}

export interface DatabaseOptions {
  /** The most that one query may take, all attempts included. */
  deadlineMs: number;
  /** 1 for statements that write. */
  maxAttempts: number;
  onQuery(outcome: QueryOutcome): void;
}

const FIRST_BACKOFF_MS = 50;

/**
 * Drizzle over Neon's SQL-over-HTTP, with what the driver leaves to its user: a deadline, and further attempts when the
 * database could not be reached. Await queries through {@link run}.
 *
 * @param connectionString a well-formed URL: the driver quotes a malformed one in its error
 */
export function openDatabase(
  connectionString: string,
  { deadlineMs, maxAttempts, onQuery }: DatabaseOptions,
): Database {
  const client = neon(connectionString);

  async function query(...[text, params, options]: Parameters<typeof client.query>): Promise<unknown> {
    const startedAt = Date.now();
    const signal = AbortSignal.timeout(deadlineMs);
    for (let attempts = 1; ; attempts++) {
      try {
        const result = await client.query(text, params, { ...options, fetchOptions: { signal } });
        onQuery({ attempts, durationMs: Date.now() - startedAt });
        return result;
      } catch (cause) {
        const error = signal.aborted ? new DatabaseError("timeout") : classifyError(cause);
        const durationMs = Date.now() - startedAt;
        const backoffMs = FIRST_BACKOFF_MS * 2 ** (attempts - 1) * (0.5 + Math.random());
        if (!error.isTransient || attempts === maxAttempts || durationMs + backoffMs >= deadlineMs) {
          onQuery({ attempts, durationMs, error });
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, backoffMs));
      }
    }
  }

  // Drizzle calls `client.query` and awaits it; that is all it needs of the driver's interface for single statements.
  return drizzle({ client: { query } as unknown as NeonQueryFunction<boolean, boolean> });
}

/**
 * Awaits a query of a database from {@link openDatabase}.
 *
 * @throws DatabaseError in place of Drizzle's error, which carries the statement and its bound values
 */
export async function run<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    const cause = error instanceof DrizzleQueryError ? error.cause : error;
    throw cause instanceof DatabaseError ? cause : new DatabaseError("rejected");
  }
}
