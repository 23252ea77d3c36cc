// A stored response, and how long it may be used by its headers. What the Worker does not send is not modelled but refused,
// so that no test passes because of a rule of the platform that is missing here.

/** The outcome of a request. https://developers.cloudflare.com/cache/concepts/cache-responses/ */
export type CacheStatus = "HIT" | "MISS" | "EXPIRED" | "UPDATING" | "STALE" | "BYPASS";

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
const DIRECTIVE = /^(?:public|private|no-store|(?:max-age|stale-while-revalidate|stale-if-error)=\d+)$/;

const unknown = (what: string) => new UnknownRuleError(`The stand-in for Workers Caching does not know ${what}.`);

/** @throws UnknownRuleError if a request or a response asks for what is not here */
export function assertKnown(headers: Headers): void {
  for (const name of headers.keys()) if (UNKNOWN_HEADERS.has(name)) throw unknown(name);
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
  const directives = cacheControl.split(",").map((directive) => directive.trim());
  const other = directives.find((directive) => !DIRECTIVE.test(directive));
  if (other !== undefined) throw unknown(`"${other}"`);
  if (directives.includes("no-store") || directives.includes("private")) return undefined;
  const msOf = (name: string): number | undefined => {
    const seconds = directives.find((directive) => directive.startsWith(`${name}=`))?.split("=")[1];
    return seconds === undefined ? undefined : 1_000 * Number(seconds);
  };
  const freshMs = msOf("max-age");
  if (freshMs === undefined) throw new UnknownRuleError(`No max-age: ${cacheControl}`);
  return {
    freshMs,
    staleWhileRevalidateMs: msOf("stale-while-revalidate") ?? 0,
    staleIfErrorMs: msOf("stale-if-error") ?? Number.POSITIVE_INFINITY,
  };
}

/** The memory of an entry besides body and text: two response heads and a place in a map. By the process's memory. */
const OVERHEAD_BYTES = 4_096;
/** https://developers.cloudflare.com/workers/cache/configuration/#cache-tag */
const MAX_TAGS = 1_000;

/**
 * One stored response. Its body is a plain buffer and its heads are responses without body, neither of which belongs
 * to the request that made them: workerd refuses to share streams between requests.
 */
export class StoredResponse {
  readonly tags: ReadonlySet<string>;
  readonly bytes: number;
  readonly #head: Response;
  readonly #body: ArrayBuffer;
  readonly #lifetimes: Lifetimes;
  readonly #receivedAt: number;
  /** The head of hits, made once for every second of age. */
  #hit: { ageSeconds: number; head: Response } | undefined;

  /**
   * @param receivedAt milliseconds since the epoch
   * @throws UnknownRuleError if there are more tags than the platform takes: it would drop the rest without a word
   */
  constructor(head: Response, body: ArrayBuffer, lifetimes: Lifetimes, receivedAt: number) {
    const cacheTag = head.headers.get("cache-tag") ?? "";
    this.tags = new Set(cacheTag.split(","));
    if (this.tags.size > MAX_TAGS) throw new UnknownRuleError(`${this.tags.size} tags, where ${MAX_TAGS} may be`);
    this.#head = new Response(null, head);
    this.#body = body;
    this.#lifetimes = lifetimes;
    this.#receivedAt = receivedAt;
    // Two bytes for every character, as V8 stores what is not Latin-1.
    this.bytes = OVERHEAD_BYTES + body.byteLength + 2 * cacheTag.length;
  }

  /** A lifetime includes no end: at its last moment the response is stale (RFC 9111, section 4.2). */
  isFresh(now: number, staleMs = 0): boolean {
    return now < this.#receivedAt + this.#lifetimes.freshMs + staleMs;
  }

  mayServeWhileRevalidating(now: number): boolean {
    return this.isFresh(now, this.#lifetimes.staleWhileRevalidateMs);
  }

  mayServeOnError(now: number): boolean {
    return this.isFresh(now, this.#lifetimes.staleIfErrorMs);
  }

  /** @param now undefined for the request that has brought it: only other responses bear an age (RFC 9111, section 4) */
  serve(method: string, status: CacheStatus, now?: number): Response {
    return new Response(method === "HEAD" ? null : this.#body, this.#headAs(status, now));
  }

  #headAs(status: CacheStatus, now: number | undefined): Response {
    if (now === undefined) return outwardHead(this.#head, status);
    const ageSeconds = Math.max(0, Math.floor((now - this.#receivedAt) / 1_000));
    if (status !== "HIT") return outwardHead(this.#head, status, ageSeconds);
    if (this.#hit?.ageSeconds !== ageSeconds) {
      this.#hit = { ageSeconds, head: outwardHead(this.#head, status, ageSeconds) };
    }
    return this.#hit.head;
  }
}

/** Status and headers of a response as callers see them, without a body. Tags are for the edge alone. */
export function outwardHead(response: Response, status: CacheStatus, ageSeconds?: number): Response {
  const head = new Response(null, response);
  head.headers.delete("cache-tag");
  head.headers.set("cf-cache-status", status);
  if (ageSeconds !== undefined) head.headers.set("age", String(ageSeconds));
  return head;
}
