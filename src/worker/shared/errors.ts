// The one place where a failure becomes an answer: a precise reason inside, a plain and vague sentence on the wire.
import { UNCACHEABLE } from "./cache.ts";

/** Why a request failed. Plain data: it crosses from the Api entrypoint to the gateway, and the edge may store it. */
export type Failure =
  | { reason: "invalid_parameter"; place: "path" | "query"; parameter: string; expected: string }
  | { reason: "unknown_parameter"; parameter: string; known: readonly string[] }
  | { reason: "invalid_header"; header: string; expected: string }
  | { reason: "invalid_fields"; mistakes: readonly Mistake[]; omitted?: number; fields?: readonly string[] }
  | { reason: "missing_key" }
  | { reason: "invalid_key" }
  | { reason: "missing_permission"; permission: string }
  | { reason: "no_such_endpoint" }
  | { reason: "no_such_resource"; resource: string }
  | { reason: "method_not_allowed"; allowed: readonly string[] }
  | { reason: "uri_too_long"; maxBytes: number }
  | { reason: "header_too_large"; header: string; maxBytes: number }
  | { reason: "unsupported_media_type"; method: string }
  | { reason: "unsupported_content_coding" }
  | { reason: "precondition_failed" }
  | { reason: "idempotency_key_reused" }
  | { reason: "second_web_process" }
  | { reason: "web_process_kept" }
  | { reason: "no_cron_process" }
  | { reason: "no_room_for_key" }
  | { reason: "rate_limited"; name: string; requests: number; periodSeconds: number; retryAfterSeconds?: number }
  | { reason: "write_quota_reached"; bytes: number; retryAfterSeconds: number }
  | { reason: "invalid_body"; expected: string }
  | { reason: "body_too_large"; maxBytes: number }
  | { reason: "missing_secret" }
  | { reason: "invalid_secret" }
  | { reason: "purge_limited"; retryAfterSeconds: number }
  | { reason: "purge_failed" }
  | { reason: "invalid_row" }
  | { reason: "misconfigured" }
  | { reason: "unexpected" }
  | { reason: "database_failed" }
  | { reason: "write_unconfirmed" }
  | { reason: "database_unavailable"; retryAfterSeconds: number }
  | { reason: "database_refused"; retryAfterSeconds: number }
  | { reason: "overloaded"; retryAfterSeconds: number };

/** What a client has named is told of up to this length. */
export const MAX_NAME_LENGTH = 100;

/** What is wrong with a field of a body. */
export interface Mistake {
  /** As in `scaling_strategy.config.instanceCount`; "" for the body itself. */
  field: string;
  /** The rest of a sentence about it: `must be a UUID`. */
  what: string;
}

/** The contract's error body (src/contract/error.schema.json). */
export interface ErrorBody {
  /** What went wrong, and why: most clients show nothing else. */
  message: string;
  status: number;
  /** `code` is the request id; `message` says what to do, and all that is wrong with a body. */
  data: { code: string; message: string };
}

/** Thrown to end a request with a failure. Its message is the reason, and nothing more. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly failure: Failure;
  /** Tells the edge what it may do with the answer. */
  readonly cacheHeaders: Record<string, string>;

  constructor(failure: Failure, cacheHeaders: Record<string, string> = UNCACHEABLE) {
    super(failure.reason);
    this.failure = failure;
    this.cacheHeaders = cacheHeaders;
  }
}

interface Wording {
  status: number;
  message: string;
  advice: string;
  headers?: Record<string, string>;
}

const JSON_TYPE = "application/json";

/**
 * The type of the bodies that PATCH or POST takes.
 *
 * @see RFC 5789, section 3.1 (`Accept-Patch`)
 * @see https://www.w3.org/TR/ldp/#header-accept-post
 */
export const acceptedBy = (method: string): Record<string, string> => ({
  [`accept-${method.toLowerCase()}`]: JSON_TYPE,
});

const REALM = 'Bearer realm="process-api"';
const NO_VALID_KEY = {
  status: 401,
  message: "A valid API key is required.",
  advice: "Send a key that is enabled and not expired in the header `Authorization: Bearer svl_…`.",
};
const NO_SECRET = {
  status: 401,
  message: "The secret of operators is required.",
  advice: "Send the Worker's PURGE_SECRET in the header `Authorization: Bearer …`.",
};
const OUR_FAULT: Wording = {
  status: 500,
  message: "Something went wrong on our side.",
  advice: "Try again. If it happens again, tell support the code of this error.",
};

function wordingOf(failure: Failure): Wording {
  switch (failure.reason) {
    case "invalid_parameter":
      return {
        status: 400,
        message: `The ${failure.place} parameter "${failure.parameter}" is invalid: expected ${failure.expected}.`,
        advice: `Expected ${failure.expected}.`,
      };
    case "unknown_parameter":
      return {
        status: 400,
        message: `There is no query parameter "${failure.parameter}": expected ${failure.known.join(", ")} or none. Nothing was written.`,
        advice: `Expected ${failure.known.join(", ")} or none.`,
      };
    case "invalid_header":
      return {
        status: 400,
        message: `The header "${failure.header}" is invalid: expected ${failure.expected}.`,
        advice: `Expected ${failure.expected}.`,
      };
    case "invalid_fields":
      return {
        status: 400,
        message: `The body is invalid: ${summaryOf(failure.mistakes, failure.omitted)}`,
        advice: [
          ...failure.mistakes.map(({ field, what }) => `${field || "The body"} ${what}.`),
          ...(failure.omitted ? [`${failure.omitted} more mistakes are not listed.`] : []),
          ...(failure.fields ? [`The fields are ${failure.fields.join(", ")}.`] : []),
        ].join(" "),
      };
    case "missing_key":
      // RFC 6750, section 3.1: no error code for a request that carries no authentication information.
      return { ...NO_VALID_KEY, headers: { "www-authenticate": REALM } };
    case "invalid_key":
      return { ...NO_VALID_KEY, headers: { "www-authenticate": `${REALM}, error="invalid_token"` } };
    case "missing_permission":
      return {
        status: 403,
        message: `This API key lacks the permission ${failure.permission}.`,
        advice: `The request needs the permission ${failure.permission} for this resource.`,
        headers: { "www-authenticate": `${REALM}, error="insufficient_scope", scope="${failure.permission}"` },
      };
    case "no_such_endpoint":
      return {
        status: 404,
        message: "There is no such endpoint.",
        advice: "See /v3/openapi.json for all endpoints. Paths have no empty segments and no slash at the end.",
      };
    case "no_such_resource":
      return {
        status: 404,
        message: `${failure.resource} not found.`,
        advice: "Check the identifiers, and that they belong to the company of this API key.",
      };
    case "method_not_allowed":
      return {
        status: 405,
        message: `This method is not allowed here, only ${failure.allowed.join(", ")}.`,
        advice: `Use ${failure.allowed.join(", ")}.`,
        headers: { allow: failure.allowed.join(", ") },
      };
    case "uri_too_long":
      return {
        status: 414,
        message: `The URL has more than ${failure.maxBytes} bytes of path and query.`,
        advice: `Send at most ${failure.maxBytes} bytes of path and query.`,
      };
    case "header_too_large":
      return {
        status: 431,
        message: `The header "${failure.header}" has more than ${failure.maxBytes} bytes.`,
        advice: `Send at most ${failure.maxBytes} bytes in it.`,
      };
    case "unsupported_media_type":
      return {
        status: 415,
        message: "The body is not sent as `Content-Type: application/json`.",
        advice: "Send JSON, with this header.",
        headers: { accept: JSON_TYPE, ...acceptedBy(failure.method) },
      };
    case "unsupported_content_coding":
      return {
        status: 415,
        message: "`Content-Encoding` must be absent or `identity`: a compressed body is not supported.",
        advice: "Send it as it is, without `Content-Encoding`.",
        // Its absence would say that the media type is at fault (RFC 9110, section 15.5.16).
        headers: { "accept-encoding": "identity" },
      };
    case "precondition_failed":
      return {
        status: 412,
        message: "A condition of the request does not hold: If-Match, If-None-Match or If-Unmodified-Since.",
        advice: "Read again what is there, and decide again.",
      };
    case "idempotency_key_reused":
      return {
        status: 400,
        message: 'The header "Idempotency-Key" was sent before, with another request. Nothing was written.',
        advice: "Send a new key for a new request, and the same body to repeat one.",
      };
    case "second_web_process":
      return {
        status: 400,
        message: "This application has a web process already.",
        advice: "Change that one, or create a process of another type.",
      };
    case "web_process_kept":
      return {
        status: 400,
        message: "The web process of an application cannot be deleted.",
        advice: "Scale it to no instances to stop it.",
      };
    case "no_cron_process":
      return {
        status: 400,
        message: "Only cron processes can be triggered.",
        advice: "Check the type of the process.",
      };
    case "no_room_for_key":
      return {
        status: 400,
        message: "The name of this application is too long for one more process.",
        advice: "The host name `<application>-<key>` may have 63 characters.",
      };
    case "rate_limited":
      return {
        status: 429,
        message: `Too many requests: the limit is ${failure.requests} in ${failure.periodSeconds} seconds.`,
        advice: `The limit is ${failure.requests} requests in ${failure.periodSeconds} seconds.`,
        headers: {
          // The window is fixed and its end unknown: no later than its length.
          ...retryAfter(failure.retryAfterSeconds ?? failure.periodSeconds),
          "x-ratelimit-reset": String(failure.periodSeconds),
          "x-ratelimit-limit": String(failure.requests),
          "ratelimit-policy": `"${failure.name}";q=${failure.requests};w=${failure.periodSeconds}`,
          ratelimit: `"${failure.name}";r=0;t=${failure.periodSeconds}`,
        },
      };
    case "write_quota_reached":
      return {
        status: 429,
        message: "This API key has written as much as it may in a day (UTC). Nothing was written.",
        advice: `The limit is ${failure.bytes} bytes, including what is stored for each write. Try again after midnight (UTC).`,
        headers: retryAfter(failure.retryAfterSeconds),
      };
    case "invalid_body":
      return {
        status: 400,
        message: `The body is invalid: expected ${failure.expected}.`,
        advice: `Expected ${failure.expected}.`,
      };
    case "body_too_large":
      return {
        status: 413,
        message: `The body has more than ${failure.maxBytes} bytes.`,
        advice: `Send at most ${failure.maxBytes} bytes.`,
      };
    case "missing_secret":
      return { ...NO_SECRET, headers: { "www-authenticate": REALM } };
    case "invalid_secret":
      return { ...NO_SECRET, headers: { "www-authenticate": `${REALM}, error="invalid_token"` } };
    case "purge_limited":
      return {
        status: 429,
        message: "The platform takes no more purges for now. Nothing was purged.",
        advice: `Collect what has changed and purge it in one call in ${failure.retryAfterSeconds} seconds.`,
        headers: retryAfter(failure.retryAfterSeconds),
      };
    case "purge_failed":
      return {
        status: 503,
        message: "The platform refused the purge. Nothing was purged.",
        advice: "Try again. Cached answers end by themselves within the documented time.",
        headers: retryAfter(5),
      };
    case "invalid_row":
    case "misconfigured":
    case "unexpected":
    case "database_failed":
      return OUR_FAULT;
    case "write_unconfirmed":
      return {
        status: 500,
        message: "The database did not confirm this request. It may have taken effect.",
        advice:
          "Send it again with the same Idempotency-Key, or read what it would have changed with `Cache-Control: no-cache`.",
      };
    case "database_unavailable":
    case "database_refused":
      return {
        status: 503,
        message: "The service is temporarily unavailable.",
        advice: `Try again in ${failure.retryAfterSeconds} seconds.`,
        headers: retryAfter(failure.retryAfterSeconds),
      };
    case "overloaded":
      return {
        status: 503,
        message: "The service is overloaded.",
        advice: `Try again in ${failure.retryAfterSeconds} seconds.`,
        headers: retryAfter(failure.retryAfterSeconds),
      };
  }
}

const MAX_NAMES = 5;

/** Says the first mistake, and names the fields of the others, as far as a line goes. */
function summaryOf([first, ...others]: readonly Mistake[], omitted = 0): string {
  const names = [...new Set(others.map(({ field }) => field))].filter((name) => name !== first?.field);
  const unnamed = Math.max(names.length - MAX_NAMES, 0) + omitted;
  const rest = unnamed === 0 ? "" : ` and ${unnamed} more`;
  const more = names.length === 0 ? "" : ` Also wrong: ${names.slice(0, MAX_NAMES).join(", ")}${rest}.`;
  return `${first?.field || "it"} ${first?.what}.${more}`;
}

const retryAfter = (seconds: number): Record<string, string> => ({ "retry-after": String(seconds) });

/** The HTTP status and the headers that `failure` is answered with. */
export function outcomeOf(failure: Failure): { status: number; headers: Record<string, string> } {
  const { status, headers = {} } = wordingOf(failure);
  return { status, headers };
}

/** The body that tells a client about a failure. */
export function errorBody(failure: Failure, requestId: string): ErrorBody {
  const { status, message, advice } = wordingOf(failure);
  return { message, status, data: { code: requestId, message: advice } };
}
