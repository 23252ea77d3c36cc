import { NeonDbError } from "@neondatabase/serverless";

/**
 * Why a query failed. Carries no text of the driver, the server or the statement: Neon's errors quote the connection
 * string, Drizzle's the bound values.
 *
 * - `unavailable`: the database cannot be reached now.
 * - `timeout`: the database did not answer before the deadline, or its own.
 * - `overloaded`: too many queries are under way; the statement was not run.
 * - `rejected`: the database refused the statement; asking again is of no use.
 */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly kind: "unavailable" | "timeout" | "overloaded" | "rejected";
  /** SQLSTATE, where Postgres gave one. */
  readonly sqlState: string | undefined;
  /** The constraint that a row would have broken, by its name in the schema. */
  readonly constraint: string | undefined;
  /** Whether the same statement may succeed in a moment. */
  readonly isTransient: boolean;
  /** Whether the statement may have taken effect all the same: the database has not said that it did not. */
  readonly mayHaveRun: boolean;

  constructor(
    kind: DatabaseError["kind"],
    { sqlState, constraint, isTransient = false, mayHaveRun = false }: DatabaseErrorDetails = {},
  ) {
    super(sqlState === undefined ? kind : `${kind} (SQLSTATE ${sqlState})`);
    this.kind = kind;
    this.sqlState = sqlState;
    this.constraint = constraint;
    this.isTransient = isTransient;
    this.mayHaveRun = mayHaveRun;
  }
}

interface DatabaseErrorDetails {
  sqlState?: string;
  constraint?: string | undefined;
  isTransient?: boolean;
  mayHaveRun?: boolean;
}

/**
 * Classes and codes of SQLSTATE that say "not now" rather than "not this statement": connection exceptions (08),
 * insufficient resources (53), operator intervention (57P: shutting down, crashed, starting up).
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const TRANSIENT_SQL_STATE = /^(?:08|53|57P)/;
/** Of these, those that may come after a commit: the connection was lost, or the server is going down. */
const AMBIGUOUS_SQL_STATE = /^(?:08|57P0[12])/;
/**
 * Another transaction was faster: foreign_key_violation, unique_violation, serialization_failure, deadlock_detected. Nothing was
 * written, and whoever asks again sees why.
 */
const RACE_SQL_STATE = /^(?:2350[35]|40001|40P01)$/;
/** query_canceled and lock_not_available: `statement_timeout` or `lock_timeout` has passed. */
const TIMEOUT_SQL_STATE = /^(?:57014|55P03)$/;
/**
 * Neon has no room for one more: status 429, too_many_connections of Postgres, and the proxy's `TooManyConnectionAttempts`.
 * The last two come with status 500. The driver quotes status and body.
 *
 * @see https://github.com/neondatabase/neon/blob/main/proxy/src/serverless/backend.rs
 */
const OVERLOAD = /HTTP status 429|"code":"53300"|Too many database connection attempts/;
/** What the proxy says when it had no connection to send anything through. */
const UNCONNECTED = /Control plane request failed|Couldn't connect to compute node|password authentication failed/;
/** Invalid authorization (28) and unknown database (3D): wrong until an operator mends it, and no fault of the statement. */
const UNREACHABLE_SQL_STATE = /^(?:28|3D)/;

/** Sorts what the Neon driver throws. */
export function classifyError(error: unknown): DatabaseError {
  // The proxy's own errors have an empty one.
  if (error instanceof NeonDbError && error.code) {
    const sqlState = error.code;
    if (TIMEOUT_SQL_STATE.test(sqlState)) return new DatabaseError("timeout", { sqlState });
    if (TRANSIENT_SQL_STATE.test(sqlState)) {
      const mayHaveRun = AMBIGUOUS_SQL_STATE.test(sqlState);
      return new DatabaseError("unavailable", { sqlState, isTransient: true, mayHaveRun });
    }
    if (UNREACHABLE_SQL_STATE.test(sqlState)) return new DatabaseError("unavailable", { sqlState });
    const isTransient = RACE_SQL_STATE.test(sqlState);
    return new DatabaseError("rejected", { sqlState, constraint: error.constraint, isTransient });
  }
  if (error instanceof NeonDbError && OVERLOAD.test(error.message)) return new DatabaseError("overloaded");
  // Everything else lies between the database and us: no connection, a proxy's status, an answer that is cut or garbled.
  // Neon reports failures of its control plane (neondatabase/neon#11975), and a wrong password, without a code.
  const mayHaveRun = !(error instanceof NeonDbError && UNCONNECTED.test(error.message));
  return new DatabaseError("unavailable", { isTransient: true, mayHaveRun });
}
