// The only writer of cache headers: what the Api says to the edge, and what the gateway says to the client.
import { PURGED_HEADER } from "./internal-headers.ts";

/** How long the edge may answer by itself, in seconds. */
export interface CachePolicy {
  /** While the feed purges what changes, and the most in any case: with 0 nothing is stored. */
  freshSeconds: number;
  /** While nobody does. */
  freshWithoutFeedSeconds: number;
  staleWhileRevalidateSeconds: number;
  staleIfErrorSeconds: number;
  notFoundSeconds: number;
  /** Machine sizes change rarely: fresh for longer, also while nobody purges. */
  resourceTypesFreshSeconds: number;
}

/** An answer that may be reused, and until when. */
export interface Cacheable {
  /** Whether the feed purges what changes. */
  isFeedHealthy: boolean;
  /** Seconds until the key or its token expires; null if neither does. */
  secondsLeft: number | null;
  tags: readonly string[];
}

/**
 * The things that a cached answer depends on; a change to any of these can be purged. A list depends on what it holds,
 * and besides on what may come into it: `application-list` with the id of the company, `process-list` with the id of the
 * application, `run-list` with the id of the process and with {@link EVERY}, `resource-type-list` with {@link EVERY}.
 */
export const TAGGED = [
  "company",
  "application-list",
  "application",
  "process-list",
  "process",
  "run-list",
  "key",
  "resource-type-list",
  "resource-type",
] as const;
export type Tagged = (typeof TAGGED)[number];

/** In place of an id: all lists of the kind, or the only one. */
export const EVERY = "every";

export const tagOf = (kind: Tagged, id: string): string => `${kind}:${id}`;

/** A purge of the edge's cache. */
export interface PurgeOptions {
  tags?: string[];
  purgeEverything?: boolean;
}

/** The platform's answer to a purge. */
export interface PurgeResult {
  success: boolean;
  errors: readonly { code: number; message: string }[];
}

/**
 * Headers to the edge for an answer of 200.
 *
 * Not `s-maxage`, which would switch off both kinds of staleness, and an explicit `stale-if-error`, without which the
 * edge serves a stale answer on errors without end.
 *
 * @see https://developers.cloudflare.com/workers/cache/configuration/#cache-control-semantics
 */
export function edgeHeaders(
  policy: CachePolicy,
  { isFeedHealthy, secondsLeft, tags }: Cacheable,
): Record<string, string> {
  const left = secondsLeft === null ? Number.POSITIVE_INFINITY : Math.max(0, Math.floor(secondsLeft));
  const most = isFeedHealthy ? policy.freshSeconds : policy.freshWithoutFeedSeconds;
  const fresh = Math.min(most, policy.freshSeconds, left);
  if (fresh === 0) return UNCACHEABLE;
  const revalidate = Math.min(policy.staleWhileRevalidateSeconds, left - fresh);
  const onError = Math.min(policy.staleIfErrorSeconds, left - fresh);
  return {
    "cache-control": `public, max-age=${fresh}, stale-while-revalidate=${revalidate}, stale-if-error=${onError}`,
    "cache-tag": tags.join(","),
  };
}

/** Headers to the edge for an answer of 404 about a resource: short, so that a new one is found soon. */
export function edgeNotFoundHeaders(policy: CachePolicy, cacheable: Cacheable): Record<string, string> {
  const short = {
    freshWithoutFeedSeconds: policy.notFoundSeconds,
    staleWhileRevalidateSeconds: 0,
    staleIfErrorSeconds: 0,
  };
  return edgeHeaders({ ...policy, ...short }, { ...cacheable, isFeedHealthy: false });
}

/** For every other answer, to the edge and to clients. Without it the edge would keep some of them by heuristics. */
export const UNCACHEABLE: Record<string, string> = { "cache-control": "no-store" };

/** For a response that nobody may keep, neither the edge nor the client, while others are kept. */
export const SECRET: Record<string, string> = { "cache-control": "private, no-store" };

const CACHE_NAME = "process-api";

/** Representation metadata that a client sees as the Api wrote it. All else that the Api says is for the edge. */
const PASSED_ON = ["content-type", "etag", "last-modified", "age", "idempotent-replayed"];

/**
 * Headers to the client for an answer of the Api. A client may keep it but must ask before each use: asking costs it a
 * 304 from the nearest data centre, and a change or a revocation is seen as soon as the edge sees it.
 *
 * @param forwarded why the cache was not asked (RFC 9211, section 2.2); null if it was
 */
export function clientHeaders(fromApi: Headers, forwarded: string | null): Record<string, string> {
  const edgeControl = fromApi.get("cache-control") ?? "";
  const clientControl = edgeControl === SECRET["cache-control"] ? "no-store" : "private, no-cache";
  const headers: Record<string, string> = { "cache-control": clientControl, vary: "Authorization" };
  for (const name of PASSED_ON) {
    const value = fromApi.get(name);
    if (value !== null) headers[name] = value;
  }
  if (forwarded !== null) {
    headers["cache-status"] = `${CACHE_NAME}; fwd=${forwarded}`;
    return headers;
  }
  const status = cacheStatus(fromApi.get("cf-cache-status"), edgeControl, headers.age);
  if (status !== undefined) headers["cache-status"] = status;
  return headers;
}

/** Headers to the client for the answer to a write, which is for nobody to keep. */
export function writeHeaders(fromApi: Headers): Record<string, string> {
  const { vary: _, ...headers } = clientHeaders(fromApi, "method");
  const purged = fromApi.get(PURGED_HEADER);
  if (purged !== null) headers["cache-status"] += `; detail=${purged === "true" ? "purged" : "purge-pending"}`;
  return { ...headers, ...UNCACHEABLE };
}

/**
 * `Cache-Status` (RFC 9211) of what the edge's cache did. Without a `Cf-Cache-Status` there was no cache.
 *
 * @see https://developers.cloudflare.com/cache/concepts/cache-responses/
 */
function cacheStatus(cfCacheStatus: string | null, edgeControl: string, age: string | undefined): string | undefined {
  if (cfCacheStatus === null) return undefined;
  const maxAge = /(?:^|[ ,])max-age=(\d+)/.exec(edgeControl)?.[1];
  // A response that comes from an upper tier may have no `Age`: nobody knows what is left then.
  const ttl = maxAge === undefined || age === undefined ? "" : `; ttl=${Number(maxAge) - Number(age)}`;
  switch (cfCacheStatus) {
    case "HIT":
    case "UPDATING":
      return `${CACHE_NAME}; hit${ttl}`;
    case "STALE":
      return `${CACHE_NAME}; fwd=stale${ttl}; detail=stale-if-error`;
    case "MISS":
      return `${CACHE_NAME}; fwd=miss${maxAge === undefined ? "" : "; stored"}`;
    case "EXPIRED":
      return `${CACHE_NAME}; fwd=stale${maxAge === undefined ? "" : "; stored"}`;
    case "REVALIDATED":
      return `${CACHE_NAME}; fwd=stale; fwd-status=304`;
    default:
      return `${CACHE_NAME}; fwd=bypass; detail=${cfCacheStatus}`;
  }
}
