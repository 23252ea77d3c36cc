// The answers of operations that fail, each with an example in the words of src/worker/shared/errors.ts.

import { z } from "@hono/zod-openapi";
import { EXPECTED_TAGS } from "../../worker/shared/conditions.ts";
import { SETTINGS } from "../../worker/shared/config.ts";
import { errorBody, type Failure } from "../../worker/shared/errors.ts";
import {
  ADDRESS_LIMIT,
  IDEMPOTENCY_KEY_EXPECTED,
  KEY_LIMIT,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_URL_BYTES,
  PAGE,
  WRITE_LIMIT,
} from "../../worker/shared/limits.ts";
import { EXAMPLE_IDS, type Examples } from "./examples.ts";
import { headersOf, optionalHeadersOf } from "./headers.ts";

export const errorSchema = z
  .strictObject({
    message: z.string().openapi({ description: "What went wrong", example: "Process not found." }),
    status: z.int().openapi({ description: "The HTTP status", example: 404 }),
    data: z
      .strictObject({
        code: z.string().openapi({
          description: "The id of the request, also in the header `x-request-id`",
          example: EXAMPLE_IDS.request,
        }),
        message: z.string().openapi({
          description: "What to do about it",
          example: "Check the identifiers, and that they belong to the company of this API key.",
        }),
      })
      .openapi({ description: "Details" }),
  })
  .openapi("Error", { description: "The body of every error" });

type FailedResponse = {
  description: string;
  headers: Record<string, { $ref: string } | ReturnType<typeof optionalHeadersOf>[string]>;
  content: { "application/json": { schema: { $ref: string }; examples: Examples } };
};

type FailureExamples = Record<string, readonly [summary: string, failure: Failure]>;

function failedResponse(
  description: string,
  headers: Parameters<typeof headersOf>,
  examples: FailureExamples,
  optional: Parameters<typeof headersOf> = [],
): FailedResponse {
  const always = headersOf("Error-Reason", "x-request-id", "Server-Timing", "Cache-Control", ...headers);
  return {
    description,
    headers: { ...always, ...optionalHeadersOf(...optional) },
    content: {
      "application/json": {
        schema: { $ref: "#/components/schemas/Error" },
        examples: Object.fromEntries(
          Object.entries(examples).map(([name, [summary, failure]]) => [
            name,
            { summary, value: errorBody(failure, EXAMPLE_IDS.request) },
          ]),
        ),
      },
    },
  };
}

const unsupportedMediaType = (method: "Post" | "Patch"): FailedResponse =>
  failedResponse("The body is not sent as JSON, or is compressed.", ["Accept", `Accept-${method}`, "Accept-Encoding"], {
    type: ["A body of another type", { reason: "unsupported_media_type", method }],
    coding: ["A body that is compressed", { reason: "unsupported_content_coding" }],
  });

const RATE_LIMIT_HEADERS: Parameters<typeof headersOf> = [
  "x-ratelimit-limit",
  "x-ratelimit-reset",
  "RateLimit-Policy",
  "RateLimit",
];
const KEY_LIMITED: Failure = { reason: "rate_limited", ...KEY_LIMIT };
const WRITES_LIMITED: Failure = { reason: "rate_limited", ...WRITE_LIMIT };
const ADDRESS_LIMITED: Failure = { reason: "rate_limited", ...ADDRESS_LIMIT };
const WRITTEN_ENOUGH: Failure = {
  reason: "write_quota_reached",
  bytes: SETTINGS.KEY_DAILY_WRITE_BYTES.default,
  retryAfterSeconds: 3_600,
};

const NO_UUID: FailureExamples[string] = [
  "An id that is not a UUID",
  { reason: "invalid_parameter", place: "path", parameter: "id", expected: "a UUID" },
];
const UNREACHABLE: FailureExamples[string] = [
  "The database cannot be reached",
  { reason: "database_unavailable", retryAfterSeconds: 5 },
];

/** Below `components.responses`. */
export const FAILED_RESPONSES = {
  InvalidParameter: failedResponse(
    "A parameter or a header is invalid. The message names it and says what was expected.",
    [],
    {
      path: NO_UUID,
      query: [
        "A number out of bounds",
        {
          reason: "invalid_parameter",
          place: "query",
          parameter: "limit",
          expected: `an integer from 1 to ${PAGE.maxLimit}`,
        },
      ],
      header: [
        "An entity tag without quotes",
        { reason: "invalid_header", header: "If-None-Match", expected: EXPECTED_TAGS },
      ],
    },
  ),
  InvalidWrite: failedResponse(
    "A parameter or a header is invalid. A write is also refused if its body is invalid or contradicts what there is. `data.message` names every field that is wrong.",
    ["Cache-Status"],
    {
      fields: [
        "Fields that are wrong",
        {
          reason: "invalid_fields",
          mistakes: [
            { field: "display_name", what: "must not be empty" },
            { field: "scaling_strategy.config.instanceCount", what: "must be at most 50" },
          ],
        },
      ],
      path: NO_UUID,
      query: [
        "A query parameter that is misspelt",
        { reason: "unknown_parameter", parameter: "dryrun", known: ["dry_run"] },
      ],
      header: [
        "An idempotency key that is too long",
        { reason: "invalid_header", header: "Idempotency-Key", expected: IDEMPOTENCY_KEY_EXPECTED },
      ],
      reused: ["An idempotency key for another request", { reason: "idempotency_key_reused" }],
    },
  ),
  Unauthorized: failedResponse(
    "The API key is missing, malformed, unknown, disabled or expired. The response is the same for all of these.",
    ["WWW-Authenticate", "Cache-Status"],
    {
      missing: ["No key", { reason: "missing_key" }],
      invalid: ["An invalid key", { reason: "invalid_key" }],
    },
  ),
  Forbidden: failedResponse("The API key lacks the permission.", ["WWW-Authenticate", "Cache-Status"], {
    permission: ["A key without the permission", { reason: "missing_permission", permission: "APP:READ" }],
  }),
  NotFound: failedResponse(
    "The resource does not exist or belongs to another company. The response is the same for both.",
    ["Cache-Status"],
    {
      process: ["No such process", { reason: "no_such_resource", resource: "Process" }],
      application: ["No such application", { reason: "no_such_resource", resource: "Application" }],
    },
  ),
  MethodNotAllowed: failedResponse(
    "The path does not take this method. `Allow` lists the methods that it takes.",
    ["Allow"],
    {
      method: ["Any other method", { reason: "method_not_allowed", allowed: ["GET", "HEAD", "OPTIONS"] }],
    },
  ),
  PreconditionFailed: failedResponse(
    "A condition of the request does not hold, such as `If-Match` with the `ETag` of what has changed since. Nothing was written.",
    ["Cache-Status"],
    { changed: ["Something that has changed", { reason: "precondition_failed" }] },
  ),
  BodyTooLarge: failedResponse("The body is too large.", [], {
    body: ["A body that is too large", { reason: "body_too_large", maxBytes: MAX_BODY_BYTES }],
  }),
  UnsupportedMediaType: unsupportedMediaType("Post"),
  UnsupportedPatch: unsupportedMediaType("Patch"),
  UriTooLong: failedResponse("Path and query are too long.", [], {
    uri: ["A URL that is too long", { reason: "uri_too_long", maxBytes: MAX_URL_BYTES }],
  }),
  TooManyRequests: failedResponse(
    "The rate limit of the API key or of the address is reached.",
    ["Retry-After", ...RATE_LIMIT_HEADERS],
    {
      key: ["The rate limit of the key", KEY_LIMITED],
      address: ["The rate limit of the address", ADDRESS_LIMITED],
    },
  ),
  TooManyWrites: failedResponse(
    "The rate limit of the API key or of the address is reached. A write is also refused if its key has written as much as it may in a day (UTC). Nothing was written.",
    ["Retry-After", "Cache-Status"],
    {
      write: ["The rate limit of the key for writes", WRITES_LIMITED],
      address: ["The rate limit of the address", ADDRESS_LIMITED],
      day: ["The bound of a day", WRITTEN_ENOUGH],
    },
    RATE_LIMIT_HEADERS,
  ),
  HeaderTooLarge: failedResponse("A header is too large.", [], {
    header: [
      "A header that is too large",
      { reason: "header_too_large", header: "authorization", maxBytes: MAX_HEADER_BYTES.authorization },
    ],
  }),
  InternalError: failedResponse("A fault of the service.", ["Cache-Status"], {
    fault: ["A fault", { reason: "unexpected" }],
  }),
  WriteFailed: failedResponse(
    "A fault of the service. Unless the message says so, nothing was written.",
    ["Cache-Status"],
    {
      fault: ["A fault", { reason: "database_failed" }],
      unconfirmed: ["Nobody knows whether it was written", { reason: "write_unconfirmed" }],
    },
  ),
  NotWritten: failedResponse(
    "The database cannot be reached or is overloaded. Nothing was written.",
    ["Retry-After", "Cache-Status"],
    {
      database: UNREACHABLE,
    },
  ),
  Unavailable: failedResponse(
    "The database cannot be reached or is overloaded. The edge has no cached response that it may serve.",
    ["Retry-After", "Cache-Status"],
    {
      database: UNREACHABLE,
    },
  ),
} satisfies Record<string, FailedResponse>;

const ref = (name: keyof typeof FAILED_RESPONSES) => ({ $ref: `#/components/responses/${name}` });

/** Failures of every operation that reads. */
export const READ_FAILURES = {
  400: ref("InvalidParameter"),
  401: ref("Unauthorized"),
  405: ref("MethodNotAllowed"),
  412: ref("PreconditionFailed"),
  414: ref("UriTooLong"),
  429: ref("TooManyRequests"),
  431: ref("HeaderTooLarge"),
  500: ref("InternalError"),
  503: ref("Unavailable"),
};

/** Failures of every operation that writes. */
export const WRITE_FAILURES = {
  400: ref("InvalidWrite"),
  401: ref("Unauthorized"),
  405: ref("MethodNotAllowed"),
  412: ref("PreconditionFailed"),
  414: ref("UriTooLong"),
  429: ref("TooManyWrites"),
  431: ref("HeaderTooLarge"),
  500: ref("WriteFailed"),
  503: ref("NotWritten"),
};

/** More failures of a POST with a body, … */
export const INVALID_BODY = { 413: ref("BodyTooLarge"), 415: ref("UnsupportedMediaType") };
/** … and of a PATCH. */
export const INVALID_PATCH = { ...INVALID_BODY, 415: ref("UnsupportedPatch") };
/** More failures of an operation that needs a permission, … */
export const FORBIDDEN = { 403: ref("Forbidden") };
/** … and of one that is about a resource. */
export const NOT_FOUND = { 404: ref("NotFound") };
