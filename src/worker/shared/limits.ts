// Every bound on what a client may send. The document, the headers, the pages and the tests take their numbers from here;
// wrangler.toml cannot import, so a test compares the two.

/**
 * A budget of requests, counted by a rate-limiting binding: in each data centre by itself, in fixed windows, and
 * answering only yes or no.
 *
 * @see https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/
 */
export interface RateLimit {
  /** In the `RateLimit` fields. */
  name: string;
  binding: "KEY_LIMIT" | "WRITE_LIMIT" | "ADDRESS_LIMIT" | "PURGE_LIMIT";
  requests: number;
  periodSeconds: 10 | 60;
  /** After so many seconds another try may be of use; by default once the period has passed. */
  retryAfterSeconds?: number;
}

// The short window keeps `Retry-After` within the 30 seconds that Terraform gives a call and its retries together.
export const KEY_LIMIT: RateLimit = { name: "key", binding: "KEY_LIMIT", requests: 67, periodSeconds: 10 };
// Ten processes can be created at once, and the wait fits three times into those 30 seconds.
export const WRITE_LIMIT: RateLimit = {
  name: "write",
  binding: "WRITE_LIMIT",
  requests: 30,
  periodSeconds: 60,
  retryAfterSeconds: 8,
};
export const ADDRESS_LIMIT: RateLimit = {
  name: "address",
  binding: "ADDRESS_LIMIT",
  requests: 167,
  periodSeconds: 10,
};
export const PURGE_LIMIT: RateLimit = { name: "purge", binding: "PURGE_LIMIT", requests: 10, periodSeconds: 60 };

/** Path and query. RFC 9110, section 4.1, asks for 8,000 at least. */
export const MAX_URL_BYTES = 8_000;

/** Only headers that the Worker reads; the others cost nothing. The runtime bounds their sum. */
export const MAX_HEADER_BYTES = {
  authorization: 1_024,
  "if-match": 8_192,
  "if-none-match": 8_192,
  "if-modified-since": 128,
  "if-unmodified-since": 128,
} as const;

export const MAX_PURGE_BODY_BYTES = 16_384;

export const MAX_BODY_BYTES = 65_536;

/** Printable ASCII. A structured field's string (draft-ietf-httpapi-idempotency-key-header, section 2.1) is taken as it is written. */
export const IDEMPOTENCY_KEY_PATTERN = "^[ -~]{0,255}$";
export const IDEMPOTENCY_KEY_EXPECTED = "at most 255 printable ASCII characters";

/** The bounds of `limit` and `offset`; `total` counts no further than a page can reach. */
export const PAGE = { defaultLimit: 25, maxLimit: 100, maxOffset: 10_000, maxTotal: 10_000 } as const;

/** How long a run of a process is kept once it was due. The trigger `record_run_changes` (drizzle) says the same. */
export const RUN_DAYS = 30;

/** How long a response is kept for an `Idempotency-Key`. */
export const RESPONSE_HOURS = 24;

/**
 * The platform's limits on purges: those of the Free plan on every plan, for all Workers of an account together.
 *
 * @see https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits
 */
export const PURGES = { maxTagsPerCall: 100, bucketSize: 25, callsPerMinute: 5 } as const;

/**
 * Writes that purge by themselves: as many, in so many minutes. A burst may spend the bucket; in the long run half of what
 * the platform gives is the feed's.
 */
export const DIRECT_PURGES = { count: PURGES.bucketSize, minutes: 10 } as const;
