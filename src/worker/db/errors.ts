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
  /** Whether the same statement may succeed in a moment. */
  readonly isTransient: boolean;

  constructor(
    kind: DatabaseError["kind"],
    { sqlState, isTransient = false }: { sqlState?: string; isTransient?: boolean } = {},
  ) {
    super(sqlState === undefined ? kind : `${kind} (SQLSTATE ${sqlState})`);
    this.kind = kind;
    this.sqlState = sqlState;
    this.isTransient = isTransient;
  }
}

/**
 * Classes and codes of SQLSTATE that say "not now" rather than "not this statement": connection exceptions (08),
 * insufficient resources (53), operator intervention (57P: shutting down, crashed, starting up).
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const TRANSIENT_SQL_STATE = /^(?:08|53|57P)/;
/** query_canceled: `statement_timeout` has passed. */
const TIMEOUT_SQL_STATE = "57014";
/**
 * Neon has no room for one more: status 429, too_many_connections of Postgres, and the proxy's `TooManyConnectionAttempts`.
 * The last two come with status 500. The driver quotes status and body.
 *
 * @see https://github.com/neondatabase/neon/blob/main/proxy/src/serverless/backend.rs
 */
const OVERLOAD = /HTTP status 429|"code":"53300"|Too many database connection attempts/;
/** Invalid authorization (28) and unknown database (3D): wrong until an operator mends it, and no fault of the statement. */
const UNREACHABLE_SQL_STATE = /^(?:28|3D)/;

/** Sorts what the Neon driver throws. */
export function classifyError(error: unknown): DatabaseError {
  // The proxy's own errors have an empty one.
  if (error instanceof NeonDbError && error.code) {
    if (error.code === TIMEOUT_SQL_STATE) return new DatabaseError("timeout", { sqlState: error.code });
    if (TRANSIENT_SQL_STATE.test(error.code)) {
      return new DatabaseError("unavailable", { sqlState: error.code, isTransient: true });
    }
    return new DatabaseError(UNREACHABLE_SQL_STATE.test(error.code) ? "unavailable" : "rejected", {
      sqlState: error.code,
    });
  }
  if (error instanceof NeonDbError && OVERLOAD.test(error.message)) return new DatabaseError("overloaded");
  // Everything else lies between the database and us: no connection, a proxy's status, an answer that is cut or garbled.
  // Neon reports failures of its control plane (neondatabase/neon#11975), and a wrong password, without a code.
  return new DatabaseError("unavailable", { isTransient: true });
}
