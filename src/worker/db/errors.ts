import { NeonDbError } from "@neondatabase/serverless";

/**
 * Why a query failed. Carries no text of the driver, the server or the statement: Neon's errors quote the connection
 * string, Drizzle's the bound values.
 *
 * - `unavailable`: the database cannot be reached now.
 * - `timeout`: the database did not answer before the deadline, or its own.
 * - `overloaded`: too many queries are under way; the statement was not run.
 * - `refused`: Neon lets nobody in until an operator mends something; the statement was not run.
 * - `rejected`: the database refused the statement; asking again is of no use.
 */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly kind: "unavailable" | "timeout" | "overloaded" | "refused" | "rejected";
  /** SQLSTATE, where Postgres gave one. */
  readonly sqlState: string | undefined;
  /** Why Neon lets nobody in; only of `refused`. */
  readonly refusal: Refusal | undefined;
  /** The constraint that a row would have broken, by its name in the schema. */
  readonly constraint: string | undefined;
  /** Whether the same statement may succeed in a moment. */
  readonly isTransient: boolean;
  /** Whether the statement may have taken effect all the same: the database has not said that it did not. */
  readonly mayHaveRun: boolean;

  constructor(
    kind: DatabaseError["kind"],
    { sqlState, refusal, constraint, isTransient = false, mayHaveRun = false }: DatabaseErrorDetails = {},
  ) {
    super(sqlState === undefined ? kind : `${kind} (SQLSTATE ${sqlState})`);
    this.kind = kind;
    this.sqlState = sqlState;
    this.refusal = refusal;
    this.constraint = constraint;
    this.isTransient = isTransient;
    this.mayHaveRun = mayHaveRun;
  }
}

interface DatabaseErrorDetails {
  sqlState?: string;
  refusal?: Refusal;
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
/** What an operator has to mend, for the log. */
export type Refusal =
  | "quota"
  | "quota_or_maintenance"
  | "no_such_endpoint"
  | "endpoint_disabled"
  | "address_not_allowed"
  | "login";

/**
 * What Neon's proxy says when it has sent nothing through, without an SQLSTATE. The driver quotes status and body.
 *
 * In the order in which they are looked for: "Control plane request failed" also begins what is no matter of a moment.
 *
 * @see https://github.com/neondatabase/neon/tree/main/proxy/src: auth/mod.rs, control_plane/errors.rs and messages.rs,
 *   serverless/backend.rs (read 2026-11-30). Quotas come with status 402, which the source does not have: as users report.
 */
const PROXY_SAYS: readonly [RegExp, DatabaseError["kind"], Refusal?][] = [
  [/HTTP status 402|exceeded the .*(?:quota|compute time|limit of concurrently active endpoints)/, "refused", "quota"],
  [/endpoint is temporarily unavailable/, "refused", "quota_or_maintenance"],
  [/endpoint is disabled|endpoint has been disabled/, "refused", "endpoint_disabled"],
  [
    /endpoint cannot be found|could not be found, or you don't have access|Endpoint ID is not specified/,
    "refused",
    "no_such_endpoint",
  ],
  [/not allowed to connect to this endpoint|from a blocked network|VPC endpoint/, "refused", "address_not_allowed"],
  // Also of an endpoint that is gone.
  [/password authentication failed|role you're attempting to use is protected|"code":"(?:28|3D)/, "refused", "login"],
  [/HTTP status 429|"code":"53300"|Too many database connection attempts/, "overloaded"],
  [/Too many connections attempts|Too many connections to this endpoint|exceeded the rate limit/, "overloaded"],
  [/Control plane request failed|Couldn't connect to compute node|already has running operations/, "unavailable"],
  [/ould not establish (?:HTTP|h2) connection|error connecting to server|timeout waiting for server/, "unavailable"],
  // Postgres has refused the connection. A COMMIT that was cut short comes with status 500 as well, and with 57P01.
  [/Authentication timed out|"code":"(?:53|57P03)/, "unavailable"],
];
/** Invalid authorization (28) and unknown database (3D): wrong until an operator mends it, and no fault of the statement. */
const LOGIN_SQL_STATE = /^(?:28|3D)/;
/** It has run, or would be refused each time. */
const TOO_LARGE = /HTTP status (?:413|507)/;

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
    if (LOGIN_SQL_STATE.test(sqlState)) return new DatabaseError("refused", { sqlState, refusal: "login" });
    const isTransient = RACE_SQL_STATE.test(sqlState);
    return new DatabaseError("rejected", { sqlState, constraint: error.constraint, isTransient });
  }
  const text = error instanceof NeonDbError ? error.message : "";
  const known = PROXY_SAYS.find(([pattern]) => pattern.test(text));
  if (known !== undefined) {
    const [, kind, refusal] = known;
    return new DatabaseError(kind, { isTransient: kind === "unavailable", ...(refusal && { refusal }) });
  }
  if (TOO_LARGE.test(text)) return new DatabaseError("rejected", { mayHaveRun: true });
  // Everything else lies between the database and us: no connection, a proxy's status, an answer that is cut or garbled.
  return new DatabaseError("unavailable", { isTransient: true, mayHaveRun: true });
}
