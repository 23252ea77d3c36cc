// The answers of operations that fail, each with an example in the words of src/worker/shared/errors.ts.
import { z } from "@hono/zod-openapi";
import { errorBody, type Failure } from "../../worker/shared/errors.ts";
import { ADDRESS_LIMIT, KEY_LIMIT, MAX_HEADER_BYTES, MAX_URL_BYTES, PAGE } from "../../worker/shared/limits.ts";
import { EXAMPLE_IDS, type Examples } from "./examples.ts";
import { headersOf } from "./headers.ts";

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
  headers: Record<string, { $ref: string }>;
  content: { "application/json": { schema: { $ref: string }; examples: Examples } };
};

type FailureExamples = Record<string, readonly [summary: string, failure: Failure]>;

function failedResponse(
  description: string,
  headers: Parameters<typeof headersOf>,
  examples: FailureExamples,
): FailedResponse {
  return {
    description,
    headers: headersOf("x-request-id", "Cache-Control", ...headers),
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

const KEY_LIMITED: Failure = { reason: "rate_limited", ...KEY_LIMIT };
const ADDRESS_LIMITED: Failure = { reason: "rate_limited", ...ADDRESS_LIMIT };

/** Below `components.responses`. */
export const FAILED_RESPONSES = {
  InvalidParameter: failedResponse("A parameter is invalid. The message names it and says what was expected.", [], {
    path: [
      "An id that is not a UUID",
      { reason: "invalid_parameter", place: "path", parameter: "id", expected: "a UUID" },
    ],
    query: [
      "A number out of bounds",
      {
        reason: "invalid_parameter",
        place: "query",
        parameter: "limit",
        expected: `an integer from 1 to ${PAGE.maxLimit}`,
      },
    ],
  }),
  Unauthorized: failedResponse(
    "The API key is missing, malformed, unknown, disabled or expired. The answer is the same for all of these.",
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
    "The resource does not exist or belongs to another company. The answer is the same for both.",
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
  UriTooLong: failedResponse("Path and query are too long.", [], {
    uri: ["A URL that is too long", { reason: "uri_too_long", maxBytes: MAX_URL_BYTES }],
  }),
  TooManyRequests: failedResponse(
    "The rate limit of the API key or of the address is reached.",
    ["Retry-After", "x-ratelimit-limit", "x-ratelimit-reset", "RateLimit-Policy", "RateLimit"],
    {
      key: ["The rate limit of the key", KEY_LIMITED],
      address: ["The rate limit of the address", ADDRESS_LIMITED],
    },
  ),
  HeaderTooLarge: failedResponse("`Authorization`, `If-None-Match` or `If-Modified-Since` is too large.", [], {
    header: [
      "A header that is too large",
      { reason: "header_too_large", header: "authorization", maxBytes: MAX_HEADER_BYTES.authorization },
    ],
  }),
  InternalError: failedResponse("A fault of the service.", ["Cache-Status"], {
    fault: ["A fault", { reason: "unexpected" }],
  }),
  Unavailable: failedResponse(
    "The database cannot be reached or is overloaded, and the edge has no copy that it may serve.",
    ["Retry-After", "Cache-Status"],
    {
      database: ["The database cannot be reached", { reason: "database_unavailable", retryAfterSeconds: 5 }],
    },
  ),
} satisfies Record<string, FailedResponse>;

const ref = (name: keyof typeof FAILED_RESPONSES) => ({ $ref: `#/components/responses/${name}` });

/** Failures of every operation that reads. */
export const READ_FAILURES = {
  401: ref("Unauthorized"),
  405: ref("MethodNotAllowed"),
  414: ref("UriTooLong"),
  429: ref("TooManyRequests"),
  431: ref("HeaderTooLarge"),
  500: ref("InternalError"),
  503: ref("Unavailable"),
};

/** More failures of an operation with parameters, … */
export const INVALID_PARAMETER = { 400: ref("InvalidParameter") };
/** … of one that needs a permission, … */
export const FORBIDDEN = { 403: ref("Forbidden") };
/** … and of one that is about a resource. */
export const NOT_FOUND = { 404: ref("NotFound") };
