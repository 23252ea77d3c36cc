// How long a response may be used, by its headers. What the Worker does not send is not modelled but refused, so that no
// test passes because of a rule of the platform that is missing here.

/** In milliseconds. */
export interface Lifetimes {
  /** From the response's receipt. */
  freshMs: number;
  /** From the end of its freshness. */
  staleWhileRevalidateMs: number;
  /** Likewise. Infinity if the response does not say, as on the platform. */
  staleIfErrorMs: number;
}

/** A request or a response asks for what is not here. It is no failure of the Worker, and nothing stands in for it. */
export class UnknownRuleError extends TypeError {}

/** With them the platform bypasses the cache, has an entry for each value, or sends a part. */
const UNKNOWN_HEADERS: ReadonlySet<string> = new Set([
  ...["authorization", "range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"],
  ...["x-http-method-override", "x-http-method", "x-method-override", "x-forwarded-host", "x-host", "forwarded"],
  ...["x-forwarded-scheme", "x-original-url", "x-rewrite-url", "cloudflare-workers-version-key"],
  ...["set-cookie", "vary", "age", "cdn-cache-control", "cloudflare-cdn-cache-control"],
]);
const FLAGS: ReadonlySet<string> = new Set(["public", "no-store"]);
const DURATIONS: ReadonlySet<string> = new Set(["max-age", "stale-while-revalidate", "stale-if-error"]);

/** @throws UnknownRuleError if a request or a response asks for what is not here */
export function assertKnown(headers: Headers): void {
  for (const name of headers.keys()) {
    if (UNKNOWN_HEADERS.has(name))
      throw new UnknownRuleError(`The stand-in for Workers Caching does not know ${name}.`);
  }
}

/**
 * Reads the headers of a response.
 *
 * @returns undefined if it may not be stored
 * @throws UnknownRuleError also if there is no `Cache-Control`, by which the platform would guess
 * @see https://developers.cloudflare.com/workers/cache/configuration/#cache-control-semantics
 */
export function readLifetimes(headers: Headers): Lifetimes | undefined {
  assertKnown(headers);
  const cacheControl = headers.get("cache-control") ?? "";
  const directives = new Map<string, number>();
  for (const directive of cacheControl.split(",")) {
    const [name = "", value] = directive.trim().split("=");
    const isKnown = value === undefined ? FLAGS.has(name) : DURATIONS.has(name) && /^\d+$/.test(value);
    if (!isKnown) throw new UnknownRuleError(`The stand-in for Workers Caching does not know "${directive.trim()}".`);
    directives.set(name, 1_000 * Number(value));
  }
  if (directives.has("no-store")) return undefined;
  const freshMs = directives.get("max-age");
  if (freshMs === undefined) throw new UnknownRuleError(`No max-age: ${cacheControl}`);
  return {
    freshMs,
    staleWhileRevalidateMs: directives.get("stale-while-revalidate") ?? 0,
    staleIfErrorMs: directives.get("stale-if-error") ?? Number.POSITIVE_INFINITY,
  };
}
