import { type Lifetimes, UnknownRuleError } from "./lifetimes.ts";

/** The outcome of a request. https://developers.cloudflare.com/cache/concepts/cache-responses/ */
export type CacheStatus = "HIT" | "MISS" | "EXPIRED" | "UPDATING" | "STALE" | "BYPASS";

/** The memory of an entry besides body and text: two response heads and a place in a map. By the process's memory. */
const OVERHEAD_BYTES = 4_096;
/** https://developers.cloudflare.com/workers/cache/configuration/#cache-tag */
const MAX_TAGS = 1_000;

/**
 * One stored response. Its body is a plain buffer and its heads are responses without body, neither of which belongs
 * to the request that made them: workerd refuses to share streams between requests.
 */
export class StoredResponse {
  readonly key: string;
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
   * @throws TypeError if there are more tags than the platform takes: it would drop the rest without a word
   */
  constructor(key: string, head: Response, body: ArrayBuffer, lifetimes: Lifetimes, receivedAt: number) {
    const cacheTag = head.headers.get("cache-tag") ?? "";
    this.key = key;
    this.tags = new Set(cacheTag.split(","));
    if (this.tags.size > MAX_TAGS) throw new UnknownRuleError(`${this.tags.size} tags, where ${MAX_TAGS} may be`);
    this.#head = new Response(null, head);
    this.#body = body;
    this.#lifetimes = lifetimes;
    this.#receivedAt = receivedAt;
    // Two bytes for every character, as V8 stores what is not Latin-1.
    this.bytes = OVERHEAD_BYTES + body.byteLength + 2 * (key.length + cacheTag.length);
  }

  /** A lifetime includes no end: at its last moment the response is stale (RFC 9111, section 4.2). */
  isFresh(now: number): boolean {
    return now < this.#freshUntil;
  }

  mayServeWhileRevalidating(now: number): boolean {
    return now < this.#freshUntil + this.#lifetimes.staleWhileRevalidateMs;
  }

  mayServeOnError(now: number): boolean {
    return now < this.#freshUntil + this.#lifetimes.staleIfErrorMs;
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

  get #freshUntil(): number {
    return this.#receivedAt + this.#lifetimes.freshMs;
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
