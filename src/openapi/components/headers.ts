// Every header that an answer may carry, beside those that instruct browsers (src/worker/gateway/answer.ts).

import { IDEMPOTENCY_KEY_PATTERN, RESPONSE_HOURS } from "../../worker/shared/limits.ts";
import { REASONS } from "./reasons.ts";

interface Header {
  description: string;
  /** Whether every answer that may have it does. */
  required?: true;
  schema: { type: "string" | "integer"; enum?: string[]; minimum?: number; example?: string | number };
}

const text = (example: string): Header["schema"] => ({ type: "string", example });
const count = (example: number): Header["schema"] => ({ type: "integer", minimum: 0, example });

/** Below `components.headers`. */
export const HEADERS = {
  ETag: {
    description: "Strong validator of the body. Send it back in `If-None-Match`.",
    required: true,
    schema: text('"9c56cc51b374c3ba189210d5b6d4bf57"'),
  },
  "Last-Modified": {
    description: "When what the body shows last changed, all that it is made of included.",
    required: true,
    schema: text("Thu, 30 Jan 2025 00:00:00 GMT"),
  },
  "Cache-Control": {
    description:
      "`private, no-cache`: a client may keep the body, but must revalidate it with its `ETag` before each use. `no-store`, on every error: keep nothing.",
    required: true,
    schema: { type: "string", enum: ["private, no-cache", "no-store"] },
  },
  Vary: {
    description: "The body is only for the API key of the request.",
    required: true,
    schema: { type: "string", enum: ["Authorization"] },
  },
  "Cache-Status": {
    description:
      "What the edge's cache did (RFC 9211). `hit` with the seconds that the cached response stays fresh (`ttl`, if its age is known), or `fwd` with the reason why the request was forwarded. Absent if no cache was asked. `fwd=bypass; detail=own-write`: you have written lately, and read what the database says now. `fwd=bypass; detail=foreign-response`: the cache had a response to another key, so the database was asked. After a write, `detail=purged` says that cached responses with what it changed are gone; `detail=purge-pending` that they may be served for some seconds more, unless you ask with `Cache-Control: no-cache`.",
    schema: text("process-api; hit; ttl=20"),
  },
  Age: {
    description: "Seconds since the edge stored this response. Absent if it is new.",
    schema: count(10),
  },
  "x-request-id": {
    description: "Id of this request, for support. In an error it is also `data.code`.",
    required: true,
    schema: text("8f14e45f-ceea-467f-9f6b-2d8a1c0e5b3a"),
  },
  "Error-Reason": {
    description:
      "Why the request failed, for programs. The texts of errors may change, these values do not. More may be added. `/docs#errors` explains each.",
    required: true,
    schema: { type: "string", enum: Object.keys(REASONS) },
  },
  "Server-Timing": {
    description:
      "For how many milliseconds (`dur`) this request waited. `key` is for the checks in front of the cache, `cache` for the edge's cache and what lies behind it, `query` for the database. `query` is absent if this request cost no query, `cache` if it was refused before. Computing takes no time by this clock, which moves with input and output alone.",
    required: true,
    schema: text("key;dur=1, cache;dur=3, query;dur=24"),
  },
  "WWW-Authenticate": {
    description:
      "What is wrong with the key (RFC 6750). No `error` if none was sent, `invalid_token` if it is invalid, `insufficient_scope` if it lacks the permission in `scope`.",
    required: true,
    schema: text('Bearer realm="process-api", error="invalid_token"'),
  },
  Allow: {
    description: "The methods that this path takes.",
    required: true,
    schema: text("GET, HEAD, OPTIONS"),
  },
  Accept: {
    description: "The media type that this path takes, if the body has another (RFC 9110, section 12.5.1).",
    schema: { type: "string", enum: ["application/json"] },
  },
  "Accept-Patch": {
    description: "The media type that PATCH takes here, also on OPTIONS (RFC 5789).",
    schema: { type: "string", enum: ["application/json"] },
  },
  "Accept-Post": {
    description: "The media type that POST takes here, also on OPTIONS.",
    schema: { type: "string", enum: ["application/json"] },
  },
  "Accept-Encoding": {
    description: "`identity`, if the body is compressed, which it may not be (RFC 9110, section 12.5.3).",
    schema: { type: "string", enum: ["identity"] },
  },
  "Retry-After": {
    description: "Number of seconds to wait before the next try.",
    required: true,
    schema: count(5),
  },
  "x-ratelimit-limit": {
    description: "Number of requests that the rate limit allows.",
    required: true,
    schema: count(67),
  },
  "x-ratelimit-reset": {
    description: "Number of seconds after which the rate limit resets at the latest.",
    required: true,
    schema: count(10),
  },
  "RateLimit-Policy": {
    description:
      "The rate limit: `q` requests in `w` seconds. It is counted in each data centre separately, for the API key or for the address of the client.",
    required: true,
    schema: text('"key";q=67;w=10'),
  },
  RateLimit: {
    description:
      "Remaining requests, `r`, and the number of seconds after which the rate limit resets at the latest, `t`.",
    required: true,
    schema: text('"key";r=0;t=10'),
  },
  "Idempotent-Replayed": {
    description:
      "`true`: this is the response to an earlier request with the same `Idempotency-Key`. Nothing was written this time.",
    schema: { type: "string", enum: ["true"] },
  },
} satisfies Record<string, Header>;

type HeaderName = keyof typeof HEADERS;

/** The headers of a response, by name. */
export const headersOf = (...names: HeaderName[]): Record<string, { $ref: string }> =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** The same of headers that such a response has only sometimes, where others always have them. */
export const optionalHeadersOf = (...names: HeaderName[]) =>
  Object.fromEntries(
    names.map((name) => {
      const { description, schema }: Header = HEADERS[name];
      return [name, { description, schema }];
    }),
  );

/**
 * Below `components.parameters`. Each default says what a header does that is not sent, and is what an importer fills in for
 * all requests (openapi-to-postmanv2 6.3.3, `_resolveSchema`). Without one it makes up a value: a key that repeats one request,
 * a tag that nothing has.
 */
export const HEADER_PARAMETERS = {
  "If-None-Match": {
    name: "If-None-Match",
    in: "header" as const,
    description:
      "`ETag` of the response that you have, or several, separated by commas. If one still matches, the response is 304 without a body.",
    schema: { type: "string" as const, default: '""' },
  },
  "If-Modified-Since": {
    name: "If-Modified-Since",
    in: "header" as const,
    description:
      "`Last-Modified` of the response that you have. Ignored if `If-None-Match` is sent, which is more precise.",
    schema: { type: "string" as const, default: "" },
  },
  "Cache-Control": {
    name: "Cache-Control",
    in: "header" as const,
    description:
      "`no-cache` reads what the database says now, and so do `no-store` and `max-age=0`; the response is not stored in the edge's cache. From a browser, which adds it by itself, `max-age=0` is ignored, as are all other directives.",
    schema: { type: "string" as const, default: "" },
  },
  "If-Match": {
    name: "If-Match",
    in: "header" as const,
    description:
      "`ETag` of what a GET of this path reads, or several, separated by commas. If it has changed meanwhile, nothing is written and the response is 412. `*`: whatever is there.",
    schema: { type: "string" as const, default: "*" },
  },
  "Idempotency-Key": {
    name: "Idempotency-Key",
    in: "header" as const,
    description: `A value of your choice for this request, such as a random UUID. If the same API key sends it again to the same path within ${RESPONSE_HOURS} hours, nothing is written again, and the response is the first one, with \`Idempotent-Replayed: true\`. Only what succeeded is kept. An empty value is no key, and neither is \`""\`.`,
    schema: { type: "string" as const, maxLength: 255, pattern: IDEMPOTENCY_KEY_PATTERN, default: "" },
  },
};

/** For the `parameters` of an operation. */
export const headerParameters = (...names: (keyof typeof HEADER_PARAMETERS)[]): { $ref: string }[] =>
  names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
