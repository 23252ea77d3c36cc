// Why a request can fail: the values of `Error-Reason`, each explained. A reason that is missing here does not compile.
import { type Failure, outcomeOf } from "../../worker/shared/errors.ts";

type Reason = Failure["reason"];
/** Only `POST /ops/purge` sends these, which is for operators: src/cli/README.md explains them. */
type ReasonOfOperators = "missing_secret" | "invalid_secret" | "purge_limited" | "purge_failed";

interface Explanation {
  /** What it means. */
  description: string;
  /** What to do about it. */
  advice: string;
}

const OUR_FAULT = "Try again, a write with its `Idempotency-Key`. If it happens again, report `x-request-id`.";
const WAIT = "Wait `Retry-After` seconds and try again.";

const EXPLANATIONS: Record<Exclude<Reason, ReasonOfOperators>, Explanation> = {
  invalid_parameter: {
    description: "A parameter of the path or the query is invalid.",
    advice: "`data.message` says what was expected.",
  },
  unknown_parameter: {
    description: "A write has a query parameter that does not exist.",
    advice: "Check its spelling. `data.message` lists the parameters.",
  },
  invalid_header: { description: "A header is invalid.", advice: "`data.message` says what was expected." },
  invalid_body: {
    description: "The body is not JSON in UTF-8.",
    advice: "`data.message` says what was expected.",
  },
  invalid_fields: {
    description: "The body is no object, or has fields that are invalid.",
    advice: "`data.message` names each of them.",
  },
  idempotency_key_reused: {
    description: "The `Idempotency-Key` was sent before with another request.",
    advice: "Send a new key for a new request, and the same body to repeat one.",
  },
  second_web_process: {
    description: "The application has a web process already.",
    advice: "Change that one, or create a process of another type.",
  },
  web_process_kept: {
    description: "The web process of an application cannot be deleted.",
    advice: "Scale it to no instances to stop it.",
  },
  no_cron_process: {
    description: "Only cron processes can be triggered.",
    advice: "Check the `type` of the process.",
  },
  no_room_for_key: {
    description: "The name of the application is too long for one more process.",
    advice: "The host name `<application>-<key>` may have 63 characters.",
  },
  missing_key: {
    description: "The request has no header `Authorization: Bearer …`, or one of another scheme.",
    advice: "Send one in the header `Authorization: Bearer svl_…`.",
  },
  invalid_key: {
    description: "The API key is malformed, unknown, disabled or expired.",
    advice: "Send a key that is enabled and not expired.",
  },
  missing_permission: {
    description: "The API key lacks a permission.",
    advice: "Ask for the permission that `scope` in `WWW-Authenticate` names.",
  },
  no_such_endpoint: {
    description: "There is no such path.",
    advice: "Paths have no empty segments and no slash at the end. The OpenAPI document lists all of them.",
  },
  no_such_resource: {
    description: "The resource does not exist or belongs to another company.",
    advice: "Check the identifiers.",
  },
  method_not_allowed: {
    description: "The path does not take this method.",
    advice: "Use one of the methods in `Allow`.",
  },
  precondition_failed: {
    description: "A condition of the request, such as `If-Match`, does not hold. Nothing was written.",
    advice: "Read it again, and decide again.",
  },
  body_too_large: { description: "The body is too large.", advice: "`data.message` says how much may be sent." },
  uri_too_long: {
    description: "Path and query are too long.",
    advice: "`data.message` says how much may be sent.",
  },
  unsupported_media_type: {
    description: "The body is not sent as JSON.",
    advice: "Send it as `Content-Type: application/json`.",
  },
  unsupported_content_coding: {
    description: "`Content-Encoding` is neither absent nor `identity`.",
    advice: "Send it without `Content-Encoding`.",
  },
  rate_limited: { description: "A rate limit is reached. Nothing was written.", advice: WAIT },
  write_quota_reached: {
    description: "The API key has written as much as it may in a day (UTC). Nothing was written.",
    advice: "Wait `Retry-After` seconds, which may be hours. Reads, dry runs and repeated requests still work.",
  },
  header_too_large: { description: "A header is too large.", advice: "`data.message` says how much may be sent." },
  invalid_row: { description: "What is stored breaks the schema of the response.", advice: OUR_FAULT },
  misconfigured: { description: "The service is wrongly set up.", advice: OUR_FAULT },
  unexpected: { description: "A fault of the service.", advice: OUR_FAULT },
  database_failed: { description: "The database refused a query. Nothing was written.", advice: OUR_FAULT },
  write_unconfirmed: {
    description: "The database did not confirm a write, which may have taken effect.",
    advice: "Send it again with the same `Idempotency-Key`, or read with `Cache-Control: no-cache`.",
  },
  database_unavailable: { description: "The database cannot be reached. Nothing was written.", advice: WAIT },
  database_refused: { description: "The database refuses every connection. Nothing was written.", advice: WAIT },
  overloaded: { description: "There are too many requests at once. Nothing was written.", advice: WAIT },
};

/** A status depends on nothing but the reason. The lists are there to be joined into a message that nobody reads. */
const statusOf = (reason: string): number =>
  outcomeOf({ reason, mistakes: [], known: [], allowed: [], method: "" } as unknown as Failure).status;

/** The reasons that a caller can meet, by status. */
export const REASONS: Record<string, Explanation & { status: number }> = Object.fromEntries(
  Object.entries(EXPLANATIONS)
    .map(([reason, explanation]) => [reason, { status: statusOf(reason), ...explanation }] as const)
    .sort(([, a], [, b]) => a.status - b.status),
);
