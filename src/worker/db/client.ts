import { neon } from "@neondatabase/serverless";
import { classifyError, DatabaseError } from "./errors.ts";
import type { Statement } from "./statement.ts";

/** Postgres on Neon, over HTTP. */
export interface Database {
  /**
   * Sends a statement and returns its rows.
   *
   * @param requestId of the request that it is sent for, for the log
   * @throws DatabaseError
   */
  query<Row>(statement: Statement<Row>, values: object, requestId: string | undefined): Promise<Row[]>;
}

/** How one query went. */
export interface QueryOutcome {
  requestId: string | undefined;
  attempts: number;
  durationMs: number;
  /** Absent if the query succeeded. */
  error?: DatabaseError;
}

export interface DatabaseOptions {
  /** The most that one query may take, all attempts included. */
  deadlineMs: number;
  maxAttempts: number;
  onQuery(outcome: QueryOutcome): void;
}

const FIRST_BACKOFF_MS = 50;

/**
 * Opens Neon's SQL-over-HTTP, with what the driver leaves to its user: a deadline, and further attempts when the database
 * could not be reached.
 *
 * @param connectionString a well-formed URL: the driver quotes a malformed one in its error
 */
export function openDatabase(
  connectionString: string,
  { deadlineMs, maxAttempts, onQuery }: DatabaseOptions,
): Database {
  const sql = neon(connectionString);
  return {
    async query<Row>({ text, bind }: Statement<Row>, values: object, requestId: string | undefined) {
      const params = bind(values);
      const startedAt = Date.now();
      const signal = AbortSignal.timeout(deadlineMs);
      for (let attempts = 1; ; attempts++) {
        try {
          const rows = await sql.query(text, params, { fetchOptions: { signal } });
          onQuery({ requestId, attempts, durationMs: Date.now() - startedAt });
          return rows as Row[];
        } catch (cause) {
          const error = signal.aborted ? new DatabaseError("timeout") : classifyError(cause);
          const durationMs = Date.now() - startedAt;
          const backoffMs = FIRST_BACKOFF_MS * 2 ** (attempts - 1) * (0.5 + Math.random());
          if (!error.isTransient || attempts === maxAttempts || durationMs + backoffMs >= deadlineMs) {
            onQuery({ requestId, attempts, durationMs, error });
            throw error;
          }
          await new Promise((resolve) => setTimeout(resolve, backoffMs));
        }
      }
    },
  };
}
