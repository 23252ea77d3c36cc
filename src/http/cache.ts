// The only writer of cache headers: what the Api says to the edge, and what the gateway says to the client.

/** How long the edge may answer by itself, in seconds. */
export interface CachePolicy {
  freshSeconds: number;
  staleWhileRevalidateSeconds: number;
  staleIfErrorSeconds: number;
  notFoundSeconds: number;
}

/** What may be reused, and until when. */
export interface Cacheable {
  /** Seconds until the key or its token expires; null if neither does. */
  secondsLeft: number | null;
  tags: readonly string[];
}

/** What a cached answer depends on. A change to any of these can be purged. */
export const TAGGED = ["company", "application", "process", "key", "resource-type"] as const;
export type Tagged = (typeof TAGGED)[number];

export const tagOf = (kind: Tagged, id: string): string => `${kind}:${id}`;

/**
 * Headers to the edge for an answer of 200.
 *
 * Not `s-maxage`, which would switch off both kinds of staleness, and an explicit `stale-if-error`, without which the
 * edge serves a stale answer on errors without end.
 *
 * @see https://developers.cloudflare.com/workers/cache/configuration/#cache-control-semantics
 */
export function edgeHeaders(policy: CachePolicy, { secondsLeft, tags }: Cacheable): Record<string, string> {
  const left = secondsLeft === null ? Number.POSITIVE_INFINITY : Math.max(0, Math.floor(secondsLeft));
  const fresh = Math.min(policy.freshSeconds, left);
  if (fresh === 0) return UNCACHEABLE;
  const revalidate = Math.min(policy.staleWhileRevalidateSeconds, left - fresh);
  const onError = Math.min(policy.staleIfErrorSeconds, left - fresh);
  return {
    "cache-control": `public, max-age=${fresh}, stale-while-revalidate=${revalidate}, stale-if-error=${onError}`,
    "cache-tag": tags.join(","),
  };
}

/** Headers to the edge for an answer of 404 about a resource: short, so that a new one is found soon. */
export function edgeNotFoundHeaders(policy: CachePolicy, { secondsLeft, tags }: Cacheable): Record<string, string> {
  return edgeHeaders(
    { ...policy, freshSeconds: policy.notFoundSeconds, staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0 },
    { secondsLeft, tags },
  );
}

/** For every other answer, to the edge and to clients. Without it the edge would keep some of them by heuristics. */
export const UNCACHEABLE: Record<string, string> = { "cache-control": "no-store" };
