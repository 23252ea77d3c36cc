import { neon } from "@neondatabase/serverless";
import type { Config } from "../shared/config.ts";
import { log } from "../shared/log.ts";
import { addCost, logIds, type QueryCost, type Trace } from "../shared/trace.ts";
import { classifyError, DatabaseError } from "./errors.ts";
import { ConcurrencyLimiter } from "./limiter.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { Statement } from "./statement.ts";

/** Postgres on Neon, over HTTP. */
export interface Database extends Reader, Writer {}

export interface Reader {
  /**
   * Sends a statement and returns its rows. It is sent again where that may help, so it must be one that may run twice.
   *
   * @param trace of the request that it is sent for
   * @throws DatabaseError
   */
  query<Row>(statement: Statement<Row>, values: object, trace: Trace | undefined): Promise<Row[]>;
}

export interface Writer {
  /**
   * Runs statements in one transaction and one round trip, each with a snapshot of its own (READ COMMITTED), and returns the
   * rows of the last. Each may take half of what is left of the deadline: so the database has given up by itself when nobody waits for it any
   * more. They are sent again only where they certainly had no effect.
   *
   * @param values of all of them, by the names of their placeholders
   * @throws DatabaseError with `mayHaveRun`, if nobody knows
   */
  transact<Row>(
    statements: readonly [...Statement<unknown>[], Statement<Row>],
    values: object,
    trace: Trace | undefined,
  ): Promise<Row[]>;
}

const MAX_ATTEMPTS = 3;
const FIRST_BACKOFF_MS = 50;
/** As a part of the deadline: by how much queries may be slower than the fastest before there are too many. */
const QUEUEING = 1 / 6;
/** As a part of the deadline: how long a burst of writes may wait. */
const BURST = 1 / 3;
const SLOW_QUERY_MS = 500;
/** The most that an isolate has under way: they may all wait, each with a connection of Neon's pool. */
const MAX_WRITES = 20;
/** For the rest of a transaction. */
const SET_TIMEOUTS = "select set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true)";
/** The limiter's refusal. */
const REFUSED = new DatabaseError("overloaded");

/** What is sent in one round trip. */
interface Sending<T> {
  /** @param leftMs of the deadline */
  send(signal: AbortSignal, leftMs: number): Promise<T>;
  /** Whether it may be sent again, if this was only for the moment. */
  isRepeatable(error: DatabaseError): boolean;
  /** Writes have a bound of their own: they wait for each other, and reads must not wait for them. */
  isWrite: boolean;
  /** The hash of the key that asks; undefined for nobody's work. */
  owner: string | undefined;
}

/**
 * Opens Neon's SQL-over-HTTP, with what the driver leaves to its user: a deadline, a bound on queries under way, and
 * further attempts when the database could not be reached.
 *
 * @param config its URL is well-formed: the driver quotes a malformed one in its error
 */
export function openDatabase({ databaseUrl, databaseDeadlineMs: deadlineMs }: Config): Database {
  const sql = neon(databaseUrl);
  const expiryMs = 2 * deadlineMs;
  const reads = new ConcurrencyLimiter({ queueingMs: deadlineMs * QUEUEING, expiryMs });
  // A write that is slow waits for another, and so may one that waits for its turn.
  const writes = new ConcurrencyLimiter({
    queueingMs: Number.POSITIVE_INFINITY,
    expiryMs,
    burstMs: deadlineMs * BURST,
    maxLimit: MAX_WRITES,
  });
  const retries = new RetryBudget();

  async function attempt<T>({ send, isWrite, owner }: Sending<T>, signal: AbortSignal, endsAt: number): Promise<T> {
    const limiter = isWrite ? writes : reads;
    const permit = await limiter.acquire(owner);
    if (permit === undefined) throw REFUSED;
    try {
      const result = await send(signal, endsAt - Date.now());
      limiter.release(permit, "measured");
      return result;
    } catch (cause) {
      const error = signal.aborted ? new DatabaseError("timeout", { mayHaveRun: true }) : classifyError(cause);
      const isOverload = error.kind === "overloaded" || (error.kind === "timeout" && !isWrite);
      limiter.release(permit, isOverload ? "overload" : "unmeasured");
      throw error;
    }
  }

  async function run<T>(sending: Sending<T>, trace: Trace | undefined): Promise<T> {
    const startedAt = Date.now();
    const signal = AbortSignal.timeout(deadlineMs);
    for (let attempts = 1; ; attempts++) {
      try {
        const result = await attempt(sending, signal, startedAt + deadlineMs);
        retries.earn();
        finish(trace, { attempts, durationMs: Date.now() - startedAt });
        return result;
      } catch (cause) {
        // The gateway's line of the request says so: a flood must not cost two.
        if (cause === REFUSED) throw cause;
        const error = cause as DatabaseError;
        const durationMs = Date.now() - startedAt;
        const backoffMs = FIRST_BACKOFF_MS * 2 ** (attempts - 1) * (0.5 + Math.random());
        const isInTime = attempts < MAX_ATTEMPTS && durationMs + backoffMs < deadlineMs;
        if (!sending.isRepeatable(error) || !isInTime || !retries.spend()) {
          finish(trace, { attempts, durationMs, error });
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, backoffMs));
      }
    }
  }

  return {
    query: <Row>({ text, bind }: Statement<Row>, values: object, trace: Trace | undefined) => {
      const params = bind(values);
      return run<Row[]>(
        {
          send: (signal) => sql.query(text, params, { fetchOptions: { signal } }) as Promise<Row[]>,
          isRepeatable: ({ isTransient }) => isTransient,
          isWrite: false,
          owner: ownerIn(values),
        },
        trace,
      );
    },

    transact: <Row>(
      statements: readonly [...Statement<unknown>[], Statement<Row>],
      values: object,
      trace: Trace | undefined,
    ) => {
      const bound = statements.map(({ text, bind }) => ({ text, params: bind(values) }));
      return run<Row[]>(
        {
          send: async (signal, leftMs) => {
            const queries = bound.map(({ text, params }) => sql.query(text, params));
            queries.unshift(sql.query(SET_TIMEOUTS, [String(Math.max(1, Math.floor(leftMs / 2)))]));
            const options = { isolationLevel: "ReadCommitted", fetchOptions: { signal } } as const;
            return (await sql.transaction(queries, options)).at(-1) as Row[];
          },
          isRepeatable: ({ isTransient, mayHaveRun }) => isTransient && !mayHaveRun,
          isWrite: true,
          owner: ownerIn(values),
        },
        trace,
      );
    },
  };
}

const ownerIn = (values: { keyHash?: unknown }): string | undefined => values.keyHash as string | undefined;

/** How one query went. */
interface QueryOutcome extends QueryCost {
  /** Absent if the query succeeded. */
  error?: DatabaseError;
}

/** Tells the request what it has cost, and the log only what was slow, tried again or failed. */
function finish(trace: Trace | undefined, { error, ...outcome }: QueryOutcome): void {
  if (trace !== undefined) addCost(trace, outcome);
  if (error === undefined && outcome.attempts === 1 && outcome.durationMs < SLOW_QUERY_MS) return;
  log(error === undefined ? "warn" : "error", "query", {
    ...logIds(trace),
    ...outcome,
    error: error?.kind,
    sqlState: error?.sqlState,
    refusal: error?.refusal,
    constraint: error?.constraint,
  });
}
