/**
 * Browsers may call from any origin: the key that they send grants access, never a cookie.
 *
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers":
    "accept, accept-encoding, age, allow, cache-status, etag, idempotent-replayed, last-modified, ratelimit, ratelimit-policy, retry-after, server-timing, www-authenticate, x-ratelimit-limit, x-ratelimit-reset, x-request-id",
};

/** Two hours: Chromium's upper bound. */
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

/** Headers that answer a preflight for a path that takes these methods. */
export const preflightHeaders = (methods: readonly string[]): Record<string, string> => ({
  "access-control-allow-methods": methods.filter((method) => method !== "OPTIONS").join(", "),
  "access-control-allow-headers":
    "authorization, content-type, idempotency-key, if-match, if-modified-since, if-none-match, if-unmodified-since, traceparent",
  "access-control-max-age": String(PREFLIGHT_MAX_AGE_SECONDS),
});
