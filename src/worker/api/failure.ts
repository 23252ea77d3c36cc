// What a failure of the database, or of ours, is for the gateway.
import { DatabaseError } from "../db/errors.ts";
import type { Failure } from "../shared/errors.ts";
import { describeError, log } from "../shared/log.ts";
import { logIds, type Trace } from "../shared/trace.ts";

/** Until a database that cannot be reached is worth another try. */
const RETRY_AFTER_SECONDS = 5;
/** Until an operator may have mended what keeps everybody out. */
const REFUSED_RETRY_AFTER_SECONDS = 60;
/** Whoever comes a moment later may well be served. */
export const OVERLOADED_RETRY_AFTER_SECONDS = 2;
/** data_exception and integrity_constraint_violation: what was sent cannot be stored. It should have been refused before. */
const VALUE_SQL_STATE = /^2[23]/;

/** @param method of the request that failed: nobody may take a write for undone that may have been done */
export function failureOf(error: unknown, method: string, trace: Trace): Failure {
  if (!(error instanceof DatabaseError)) {
    log("error", "unexpected_error", { ...logIds(trace), ...describeError(error) });
    return { reason: "unexpected" };
  }
  const { kind, sqlState, isTransient, mayHaveRun } = error;
  if (method !== "GET") {
    if (mayHaveRun) return { reason: "write_unconfirmed" };
    if (sqlState !== undefined && VALUE_SQL_STATE.test(sqlState) && !isTransient) {
      return { reason: "invalid_fields", mistakes: [{ field: "", what: "has a value that cannot be stored" }] };
    }
  }
  switch (kind) {
    case "unavailable":
    case "timeout":
      return { reason: "database_unavailable", retryAfterSeconds: RETRY_AFTER_SECONDS };
    case "refused":
      return { reason: "database_refused", retryAfterSeconds: REFUSED_RETRY_AFTER_SECONDS };
    case "overloaded":
      return { reason: "overloaded", retryAfterSeconds: OVERLOADED_RETRY_AFTER_SECONDS };
    case "rejected":
      // Others were faster each time.
      if (isTransient) return { reason: "overloaded", retryAfterSeconds: OVERLOADED_RETRY_AFTER_SECONDS };
      return { reason: "database_failed" };
  }
}
