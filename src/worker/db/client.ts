import { neon } from "@neondatabase/serverless";
import type { Config } from "../shared/config.ts";
import { log } from "../shared/log.ts";
import { classifyError, DatabaseError } from "./errors.ts";
import { ConcurrencyLimiter } from "./limiter.ts";
import { RetryBudget } from "./retry-budget.ts";
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

const MAX_ATTEMPTS = 3;
const FIRST_BACKOFF_MS = 50;
/** As a part of the deadline: by how much queries may be slower than the fastest before there are too many. */
const QUEUEING = 1 / 6;
const SLOW_QUERY_MS = 500;
/** The limiter's refusal. */
const REFUSED = new DatabaseError("overloaded");

/**
 * Opens Neon's SQL-over-HTTP, with what the driver leaves to its user: a deadline, a bound on queries under way, and
 * further attempts when the database could not be reached.
 *
 * @param config its URL is well-formed: the driver quotes a malformed one in its error
 */
export function openDatabase({ databaseUrl, databaseDeadlineMs: deadlineMs }: Config): Database {
  const sql = neon(databaseUrl);
  const limiter = new ConcurrencyLimiter({ queueingMs: deadlineMs * QUEUEING, expiryMs: 2 * deadlineMs });
  const retries = new RetryBudget();

  async function attempt<Row>(text: string, params: unknown[], signal: AbortSignal): Promise<Row[]> {
    const permit = await limiter.acquire();
    if (permit === undefined) throw REFUSED;
    try {
      const rows = await sql.query(text, params, { fetchOptions: { signal } });
      limiter.release(permit, { isOverload: false });
      return rows as Row[];
    } catch (cause) {
      const error = signal.aborted ? new DatabaseError("timeout") : classifyError(cause);
      limiter.release(permit, { isOverload: error.kind === "timeout" || error.kind === "overloaded" });
      throw error;
    }
  }

  return {
    async query<Row>({ text, bind }: Statement<Row>, values: object, requestId: string | undefined) {
      const params = bind(values);
      const startedAt = Date.now();
      const signal = AbortSignal.timeout(deadlineMs);
      for (let attempts = 1; ; attempts++) {
        try {
          const rows = await attempt<Row>(text, params, signal);
          retries.earn();
          logQuery({ requestId, attempts, durationMs: Date.now() - startedAt });
          return rows;
        } catch (cause) {
          // The gateway's line of the request says so: a flood must not cost two.
          if (cause === REFUSED) throw cause;
          const error = cause as DatabaseError;
          const durationMs = Date.now() - startedAt;
          const backoffMs = FIRST_BACKOFF_MS * 2 ** (attempts - 1) * (0.5 + Math.random());
          const isInTime = attempts < MAX_ATTEMPTS && durationMs + backoffMs < deadlineMs;
          if (!error.isTransient || !isInTime || !retries.spend()) {
            logQuery({ requestId, attempts, durationMs, error });
            throw error;
          }
          await new Promise((resolve) => setTimeout(resolve, backoffMs));
        }
      }
    },
  };
}

/** How one query went. */
interface QueryOutcome {
  requestId: string | undefined;
  attempts: number;
  durationMs: number;
  /** Absent if the query succeeded. */
  error?: DatabaseError;
}

/** Only what was slow, tried again or failed. */
function logQuery({ error, ...outcome }: QueryOutcome): void {
  if (error === undefined && outcome.attempts === 1 && outcome.durationMs < SLOW_QUERY_MS) return;
  log(error === undefined ? "warn" : "error", "query", { ...outcome, error: error?.kind, sqlState: error?.sqlState });
}
