// What Neon's proxy says when it has sent nothing to Postgres, word by word, as the driver throws it.
import { NeonDbError } from "@neondatabase/serverless";
import { expect, test } from "vitest";
import { classifyError } from "../../../src/worker/db/errors.ts";

/** The driver reads the body of a 400, and quotes that of any other status. */
function thrown(status: number, message: string, code = ""): NeonDbError {
  if (status === 400) return Object.assign(new NeonDbError(message), { code });
  return new NeonDbError(`Server error (HTTP status ${status}): ${JSON.stringify({ message, code, detail: null })}`);
}
const BUSY = { kind: "overloaded", refusal: undefined, isTransient: false, mayHaveRun: false };
const AWAY = { kind: "unavailable", refusal: undefined, isTransient: true, mayHaveRun: false };
const UNKNOWN = { ...AWAY, mayHaveRun: true };
const refused = (refusal: string) => ({ kind: "refused", refusal, isTransient: false, mayHaveRun: false });
const UPGRADE = "Upgrade your plan to increase limits";
const PERMIT = "Failed to acquire permit to connect to the database. Too many database connection attempts are";

// https://github.com/neondatabase/neon/tree/main/proxy/src, and what users report where that has no text (read 2026-11-30)
test.for<[status: number, message: string, expected: object, code?: string]>([
  [500, "Too many connections attempts", BUSY],
  [500, "Too many connections to this endpoint. Please try again later.", BUSY],
  [500, `${PERMIT} currently ongoing.`, BUSY],
  [500, "You've exceeded the rate limit. Please wait a moment and try again.", BUSY],
  [500, "sorry, too many clients already", BUSY, "53300"],
  [429, "Too Many Requests", BUSY],
  [500, "Control plane request failed", AWAY],
  [500, "Couldn't connect to compute node", AWAY],
  [500, "Could not establish HTTP connection to the database", AWAY],
  [500, "could not establish h2 connection", AWAY],
  [500, "error connecting to server: Connection refused (os error 111)", AWAY],
  [500, "timeout waiting for server", AWAY],
  [500, "Authentication timed out", AWAY],
  [500, "the database system is starting up", AWAY, "57P03"],
  [500, "Your project already has running operations. Please wait until they complete, and then try again.", AWAY],
  [402, `Your account or project has exceeded the compute time quota. ${UPGRADE}.`, refused("quota")],
  [402, `Your project has exceeded the data transfer quota. ${UPGRADE}.`, refused("quota")],
  [500, `Your project has exceeded the written data quota. ${UPGRADE}.`, refused("quota")],
  [500, `You've exceeded the compute time for this branch. ${UPGRADE} or connect to another branch.`, refused("quota")],
  [
    500,
    "You have exceeded the limit of concurrently active endpoints. Please suspend some endpoints and try again.",
    refused("quota"),
  ],
  [
    500,
    "Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or contact our support.",
    refused("quota_or_maintenance"),
  ],
  [400, "The endpoint has been disabled. Enable it using the API and retry.", refused("endpoint_disabled")],
  [500, "Control plane request failed: endpoint is disabled", refused("endpoint_disabled")],
  [500, "Control plane request failed: endpoint cannot be found", refused("no_such_endpoint")],
  [
    400,
    "The requested endpoint could not be found, or you don't have access to it. Please check the provided ID and try again.",
    refused("no_such_endpoint"),
  ],
  [
    400,
    "This IP address 192.0.2.1 is not allowed to connect to this endpoint. Please add it to the allowed list in the Neon console. Make sure to check for IPv4 or IPv6 addresses.",
    refused("address_not_allowed"),
  ],
  [400, "This connection is trying to access this endpoint from a blocked network.", refused("address_not_allowed")],
  [
    400,
    "VPC endpoint ID is not specified. This endpoint requires a VPC endpoint ID to connect.",
    refused("address_not_allowed"),
  ],
  [400, "password authentication failed for user 'worker_1'", refused("login")],
  [400, 'role "worker_1" is not permitted to log in', refused("login"), "28000"],
  [500, 'role "worker_1" is not permitted to log in', refused("login"), "28000"],
  // What may have run all the same.
  [400, "error communicating with the server: connection closed", UNKNOWN],
  [500, "pooled connection closed at inconsistent state", UNKNOWN],
  [500, "terminating connection due to administrator command", UNKNOWN, "57P01"],
  [502, "Bad Gateway", UNKNOWN],
  [507, "response is too large (max is 10485760 bytes)", { kind: "rejected", isTransient: false, mayHaveRun: true }],
])("%d, %s", ([status, message, expected, code]) => {
  expect(classifyError(thrown(status, message, code))).toMatchObject(expected);
});
