import type { Storage } from "./policy.ts";
import { parseTags } from "./tags.ts";

/** The outcome of a request. https://developers.cloudflare.com/cache/concepts/cache-responses/ */
export type CacheStatus = "HIT" | "MISS" | "EXPIRED" | "REVALIDATED" | "UPDATING" | "STALE" | "BYPASS" | "DYNAMIC";

/** Where a response is stored. */
export interface Place {
  /** The key of all variants together. */
  readonly key: string;
  /** Path of the request that filled it, for purges by prefix. */
  readonly path: string;
  /** The name of this variant: {@link variantOf}. */
  readonly variant: string;
}

/**
 * Response headers for the edge alone.
 * https://developers.cloudflare.com/workers/cache/configuration/#response-headers
 */
const EDGE_HEADERS = ["cache-tag", "cloudflare-cdn-cache-control"];
/** Headers of one connection, not of the response (RFC 9111, section 3.1, and RFC 9110, section 7.6.1). */
const CONNECTION_HEADERS = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
/** They describe the body that a 304 does not bring (RFC 9111, section 3.2). */
const BODY_HEADERS: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
]);

/** The memory of an entry besides body and text: two response heads and their places in maps. By the process's memory. */
const OVERHEAD_BYTES = 4_096;

/**
 * One stored response. Its body is a plain buffer and its heads are responses without body, neither of which belongs
 * to the request that made them: workerd refuses to share streams between requests.
 */
export class StoredResponse {
  readonly place: Place;
  readonly vary: readonly string[];
  readonly tags: ReadonlySet<string>;
  readonly body: ArrayBuffer | null;
  /** Status and headers as the Worker sent them, without those that may not be stored. */
  readonly head: Response;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly bytes: number;
  readonly #bornAt: number;
  readonly #staleWhileRevalidateMs: number;
  readonly #staleIfErrorMs: number;
  #freshUntil: number;
  /** The head of hits, made once for every second of age. */
  #hit: { ageSeconds: number; head: Response } | undefined;

  constructor(place: Place, response: Response, body: ArrayBuffer | null, storage: Storage, receivedAt: number) {
    this.place = place;
    this.vary = storage.vary;
    this.tags = parseTags(response.headers.get("cache-tag"));
    this.body = body;
    this.receivedAt = receivedAt;
    this.head = new Response(null, response);
    for (const name of [...CONNECTION_HEADERS, ...storage.withheld, "age", "cf-cache-status"]) {
      this.head.headers.delete(name);
    }
    this.#bornAt = receivedAt - storage.ageMs;
    this.#freshUntil = this.#bornAt + storage.lifetimeMs;
    this.#staleWhileRevalidateMs = storage.staleWhileRevalidateMs;
    this.#staleIfErrorMs = storage.staleIfErrorMs;
    this.bytes = OVERHEAD_BYTES + (body?.byteLength ?? 0) + textBytes(place, this.head.headers);
  }

  /** A lifetime includes no end: at its last moment the response is stale (RFC 9111, section 4.2). */
  isFresh(now: number): boolean {
    return now < this.#freshUntil;
  }

  mayServeWhileRevalidating(now: number): boolean {
    return now < this.#freshUntil + this.#staleWhileRevalidateMs;
  }

  mayServeOnError(now: number): boolean {
    return now < this.#freshUntil + this.#staleIfErrorMs;
  }

  /**
   * Makes it stale. The times of stale use begin now if it was fresh and do not begin anew if it was stale.
   *
   * @see https://developers.cloudflare.com/cache/guides/invalidate-cache/#stale-content-during-revalidation
   */
  invalidate(now: number): void {
    this.#freshUntil = Math.min(this.#freshUntil, now);
  }

  /** Status and headers for a client, with the age that an answer without validation must bear (RFC 9111, section 4). */
  headAs(status: CacheStatus, now: number): Response {
    const ageSeconds = Math.max(0, Math.floor((now - this.#bornAt) / 1_000));
    if (status !== "HIT") return outwardHead(this.head, status, ageSeconds);
    if (this.#hit?.ageSeconds !== ageSeconds) {
      this.#hit = { ageSeconds, head: outwardHead(this.head, status, ageSeconds) };
    }
    return this.#hit.head;
  }

  /** Whether a 304 is about this response: it names no other one's tag (RFC 9111, section 4.3.4). */
  isConfirmedBy({ headers }: Response): boolean {
    const confirmed = headers.get("etag");
    return confirmed === null || opaqueTag(confirmed) === opaqueTag(this.head.headers.get("etag"));
  }

  /** Its head after a 304, whose headers replace those stored (RFC 9111, section 3.2). */
  headUpdatedBy(notModified: Response): Response {
    const head = new Response(null, this.head);
    notModified.headers.forEach((value, name) => {
      if (!BODY_HEADERS.has(name)) head.headers.set(name, value);
    });
    return head;
  }
}

/** Status and headers of a response as clients see them, without a body. */
export function outwardHead(response: Response, status: CacheStatus, ageSeconds?: number): Response {
  const head = new Response(null, response);
  for (const name of EDGE_HEADERS) head.headers.delete(name);
  head.headers.set("cf-cache-status", status);
  if (ageSeconds !== undefined) head.headers.set("age", String(ageSeconds));
  return head;
}

function opaqueTag(etag: string | null): string | undefined {
  return etag?.replace(/^W\//, "");
}

/** Two bytes for every character, as V8 stores what is not Latin-1. */
function textBytes({ key, path, variant }: Place, headers: Headers): number {
  let characters = key.length + path.length + variant.length;
  headers.forEach((value, name) => {
    characters += name.length + value.length;
  });
  return 2 * characters;
}
