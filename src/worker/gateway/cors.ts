import { headers } from "#openapi";
import { UNCACHEABLE } from "../shared/cache.ts";
import { acceptedBy } from "../shared/errors.ts";
import type { Answer } from "./answer.ts";

/**
 * Browsers may call from any origin, send every header of the document and read every header of its responses: the key that
 * they send grants access, never a cookie.
 *
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": headers.response.join(", "),
};

/** Beside the parameters of operations. */
const ALLOWED_HEADERS = [
  ...headers.request,
  // OpenAPI has these elsewhere: https://spec.openapis.org/oas/v3.1.0#fixed-fields-9
  ...["authorization", "content-type"],
  // What the document's introduction names.
  "if-unmodified-since",
  // The older spelling of what Cache-Control says, which scripts send beside it.
  "pragma",
  // Instrumentation adds what it has to all requests: W3C Trace Context and W3C Baggage.
  ...["traceparent", "tracestate", "baggage"],
];

/** Two hours: Chromium's upper bound. */
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

/**
 * The answer to OPTIONS, a preflight or not (RFC 9110, section 9.3.7).
 *
 * @param allowed methods of the path
 * @param bodies those of them that take a body
 */
export const answerOptions = (allowed: readonly string[], bodies: readonly string[]): Answer => ({
  status: 204,
  headers: Object.assign(
    {
      allow: allowed.join(", "),
      "access-control-allow-methods": allowed.filter((method) => method !== "OPTIONS").join(", "),
      "access-control-allow-headers": ALLOWED_HEADERS.join(", "),
      "access-control-max-age": String(PREFLIGHT_MAX_AGE_SECONDS),
      ...UNCACHEABLE,
    },
    ...bodies.map(acceptedBy),
  ),
  body: null,
});
