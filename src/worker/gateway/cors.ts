import { headers } from "#openapi";

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

/** Headers that answer a preflight for a path that takes these methods. */
export const preflightHeaders = (methods: readonly string[]): Record<string, string> => ({
  "access-control-allow-methods": methods.filter((method) => method !== "OPTIONS").join(", "),
  "access-control-allow-headers": ALLOWED_HEADERS.join(", "),
  "access-control-max-age": String(PREFLIGHT_MAX_AGE_SECONDS),
});
