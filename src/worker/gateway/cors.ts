import { UNCACHEABLE } from "../shared/cache.ts";

/**
 * Browsers may call from any origin: what grants access is the key that they send, never a cookie.
 *
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export const CORS_HEADERS: Record<string, string> = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers":
    "age, allow, cache-status, etag, last-modified, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-ratelimit-limit, x-ratelimit-reset, x-request-id",
};

const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

const PREFLIGHT_HEADERS: Record<string, string> = {
  "access-control-allow-methods": "GET, HEAD",
  "access-control-allow-headers": "authorization, if-modified-since, if-none-match",
  // Two hours: Chromium's upper bound.
  "access-control-max-age": String(PREFLIGHT_MAX_AGE_SECONDS),
};

export const ALLOWED_METHODS = ["GET", "HEAD", "OPTIONS"];

/** Answers OPTIONS, a preflight or not (RFC 9110, section 9.3.7). */
export function optionsResponse(): Response {
  return new Response(null, {
    status: 204,
    headers: { allow: ALLOWED_METHODS.join(", "), ...PREFLIGHT_HEADERS, ...UNCACHEABLE },
  });
}
