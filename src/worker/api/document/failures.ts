// What operations answer when they fail, each failure with an example in the very words of src/worker/shared/errors.ts.
import { z } from "@hono/zod-openapi";
import { errorBody, type Failure } from "../../shared/errors.ts";
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
      .openapi({ description: "Particulars" }),
  })
  .openapi("Error", { description: "The body of every answer from 400 up" });

type FailedResponse = {
  description: string;
  headers: Record<string, { $ref: string }>;
  content: { "application/json": { schema: { $ref: string }; examples: Examples } };
};

type FailureExamples = Record<string, readonly [summary: string, failure: Failure]>;

function failed(description: string, headers: Parameters<typeof headersOf>, examples: FailureExamples): FailedResponse {
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

const KEY_LIMITED: Failure = { reason: "rate_limited", name: "key", requests: 400, periodSeconds: 60 };
const ADDRESS_LIMITED: Failure = { reason: "rate_limited", name: "address", requests: 1_000, periodSeconds: 60 };

/** Below `components.responses`. */
export const FAILED_RESPONSES = {
  InvalidParameter: failed(
    "A parameter is not what it should be. The message names it and says what was expected.",
    [],
    {
      path: [
        "An id that is no UUID",
        { reason: "invalid_parameter", place: "path", parameter: "id", expected: "a UUID" },
      ],
      query: [
        "A number out of bounds",
        { reason: "invalid_parameter", place: "query", parameter: "limit", expected: "a whole number from 1 to 100" },
      ],
    },
  ),
  Unauthorized: failed(
    "No API key was sent, or one that is not good: malformed, unknown, disabled or expired. The answer does not tell these apart.",
    ["WWW-Authenticate", "Cache-Status"],
    {
      missing: ["No key", { reason: "missing_key" }],
      invalid: ["A key that is not good", { reason: "invalid_key" }],
    },
  ),
  Forbidden: failed("The API key is good, but lacks the permission.", ["WWW-Authenticate", "Cache-Status"], {
    permission: ["A key without the permission", { reason: "missing_permission", permission: "APP:READ" }],
  }),
  NotFound: failed(
    "There is no such thing, or it belongs to another company: the two cannot be told apart.",
    ["Cache-Status"],
    {
      process: ["No such process", { reason: "no_such_resource", resource: "Process" }],
      application: ["No such application", { reason: "no_such_resource", resource: "Application" }],
    },
  ),
  MethodNotAllowed: failed("The path is for reading: it takes no other method than those in `Allow`.", ["Allow"], {
    method: ["Any other method", { reason: "method_not_allowed", allowed: ["GET", "HEAD", "OPTIONS"] }],
  }),
  UriTooLong: failed("Path and query are longer than any that are meant.", [], {
    uri: ["A URL that is too long", { reason: "uri_too_long", maxBytes: 8_000 }],
  }),
  TooManyRequests: failed(
    "The budget of the API key or of the address is spent.",
    ["Retry-After", "x-ratelimit-limit", "x-ratelimit-reset", "RateLimit-Policy", "RateLimit"],
    {
      key: ["The key's budget", KEY_LIMITED],
      address: ["The address's budget", ADDRESS_LIMITED],
    },
  ),
  HeaderTooLarge: failed(
    "`Authorization`, `If-None-Match` or `If-Modified-Since` is larger than any that is meant.",
    [],
    {
      header: ["A header that is too large", { reason: "header_too_large", header: "authorization", maxBytes: 1_024 }],
    },
  ),
  InternalError: failed("A fault of the service.", ["Cache-Status"], {
    fault: ["A fault", { reason: "unexpected" }],
  }),
  Unavailable: failed(
    "The database cannot be reached, and the edge has no copy that is recent enough.",
    ["Retry-After", "Cache-Status"],
    { database: ["No database", { reason: "database_unavailable", retryAfterSeconds: 5 }] },
  ),
} satisfies Record<string, FailedResponse>;

const ref = (name: keyof typeof FAILED_RESPONSES) => ({ $ref: `#/components/responses/${name}` });

/** How every operation that reads may fail. */
export const READ_FAILURES = {
  401: ref("Unauthorized"),
  405: ref("MethodNotAllowed"),
  414: ref("UriTooLong"),
  429: ref("TooManyRequests"),
  431: ref("HeaderTooLarge"),
  500: ref("InternalError"),
  503: ref("Unavailable"),
};

/** How one with parameters may fail besides. */
export const INVALID_PARAMETER = { 400: ref("InvalidParameter") };
/** How one that needs a permission may. */
export const FORBIDDEN = { 403: ref("Forbidden") };
/** How one that is about a resource may. */
export const NOT_FOUND = { 404: ref("NotFound") };
