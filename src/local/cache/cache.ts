// The way of a request through the cache of one entrypoint: look up, wait, ask the Worker, store, answer.
import { Flight, type Landing } from "./flight.ts";
import { CONDITIONAL_HEADERS, pathOf, variantOf } from "./key.ts";
import { judge, type Storage } from "./policy.ts";
import { type Ask, serve, wantsRange } from "./serve.ts";
import type { CacheStore, Fill } from "./store.ts";
import { type CacheStatus, outwardHead, StoredResponse } from "./stored.ts";

/** A GET or HEAD that may be answered from the cache. */
export interface Visit extends Ask {
  request: Request;
  /** The key of the resource, with all its variants. */
  key: string;
  /** Runs the entrypoint. */
  run(request: Request): Promise<Response>;
  /** Lets work go on after the answer. */
  waitUntil(work: Promise<unknown>): void;
}

interface EntrypointCacheOptions {
  /** Larger bodies are not stored. */
  maxObjectBytes: number;
  /** How long a request waits for another. */
  maxWaitMs: number;
  /** The clock, in milliseconds since the epoch. */
  now: () => number;
}

/** One request to the Worker and what comes of it. */
interface Errand {
  visit: Visit;
  /** A stale response, to be validated. */
  stored: StoredResponse | undefined;
  fill: Fill;
  end(landing: Landing): void;
}

const NO_HEADERS: ReadonlyMap<string, string> = new Map();

/** The cache in front of one entrypoint. */
export class EntrypointCache {
  readonly #store: CacheStore;
  readonly #maxObjectBytes: number;
  readonly #maxWaitMs: number;
  readonly #now: () => number;
  /** Requests to the Worker that others may wait for, by key and variant. */
  readonly #flights = new Map<string, Flight>();

  constructor(store: CacheStore, { maxObjectBytes, maxWaitMs, now }: EntrypointCacheOptions) {
    this.#store = store;
    this.#maxObjectBytes = maxObjectBytes;
    this.#maxWaitMs = maxWaitMs;
    this.#now = now;
  }

  /** Answers from the cache if it can, else from the Worker. */
  answer(visit: Visit): Response | Promise<Response> {
    const stored = this.#store.find(visit.key, visit.request.headers);
    return (stored && this.#reuse(visit, stored)) ?? this.#miss(visit, stored);
  }

  /** A response that is fresh, or stale and good enough while it is refreshed. */
  #reuse(visit: Visit, stored: StoredResponse): Response | undefined {
    const now = this.#now();
    if (stored.isFresh(now)) return this.#serve(visit, stored, "HIT");
    if (!stored.mayServeWhileRevalidating(now)) return undefined;
    const slot = this.#slotOf(visit);
    if (!this.#flights.has(slot)) visit.waitUntil(this.#depart(visit, stored, slot).then(discardBody));
    return this.#serve(visit, stored, "UPDATING");
  }

  /** The first to miss asks the Worker. Those that come before its answer wait for that one, and only that one. */
  async #miss(visit: Visit, stored: StoredResponse | undefined): Promise<Response> {
    const slot = this.#slotOf(visit);
    const flight = this.#flights.get(slot);
    if (flight === undefined) return this.#depart(visit, stored, slot);

    const landing = await flight.wait(this.#maxWaitMs);
    // Who is in flight may never land: its request has been torn down.
    if (landing.kind === "overdue" && this.#flights.get(slot) === flight) this.#flights.delete(slot);
    if (landing.kind === "storable") {
      const { place, vary } = landing.response;
      if (place.variant !== variantOf(vary, visit.request.headers)) return this.answer(visit);
      // Stored or not: a purge in between is no reason to ask again for those that came before it.
      if (landing.response.isFresh(this.#now())) return this.#serve(visit, landing.response, "HIT");
    }
    if (landing.kind === "failed") {
      const known = this.#knownOnError(visit);
      if (known !== undefined) return known;
    }
    const known = this.#store.find(visit.key, visit.request.headers);
    return (known && this.#reuse(visit, known)) ?? this.#ask(visit, known, () => {});
  }

  /** Asks the Worker on behalf of all who come before its answer. */
  #depart(visit: Visit, stored: StoredResponse | undefined, slot: string): Promise<Response> {
    const flight = new Flight();
    this.#flights.set(slot, flight);
    return this.#ask(visit, stored, (landing) => {
      if (this.#flights.get(slot) === flight) this.#flights.delete(slot);
      if (landing !== undefined) flight.land(landing);
    });
  }

  /**
   * Asks the Worker, stores what may be stored and answers.
   *
   * @param release called at the end with the landing, and before that, without one, by a purge: who comes after it
   *   must not be given what was made before it
   */
  #ask(visit: Visit, stored: StoredResponse | undefined, release: (landing?: Landing) => void): Promise<Response> {
    const fill = this.#store.begin(pathOf(visit.request.url), release);
    const end = (landing: Landing) => {
      this.#store.abandon(fill);
      release(landing);
    };
    const answer = this.#run({ visit, stored, fill, end });
    // It goes on without its client, for the sake of those who wait.
    visit.waitUntil(answer.then(ignore, ignore));
    return answer;
  }

  async #run(errand: Errand): Promise<Response> {
    const { visit, stored, end } = errand;
    try {
      const { response, confirmed } = await askWorker(visit, stored);
      if (response.status >= 500) {
        const known = this.#knownOnError(visit);
        if (known !== undefined) {
          discardBody(response);
          end({ kind: "failed" });
          return known;
        }
      }
      return confirmed === undefined ? await this.#accept(errand, response) : this.#renew(errand, confirmed, response);
    } catch (error) {
      end({ kind: "failed" });
      const known = this.#knownOnError(visit);
      if (known === undefined) throw error;
      return known;
    }
  }

  /** Answers with a full response and stores it as it goes by. */
  async #accept(errand: Errand, response: Response): Promise<Response> {
    const { visit, stored } = errand;
    const receivedAt = this.#now();
    const verdict = judge(visit.request, response, receivedAt);
    if (!verdict.store) {
      this.#forget(errand, response);
      const head = outwardHead(response, verdict.status);
      return serve(head, response.body, { method: visit.method, special: NO_HEADERS }, receivedAt);
    }
    const head = outwardHead(response, stored === undefined ? "MISS" : "EXPIRED");
    const [toClient, toStore] = response.body?.tee() ?? [null, null];
    const keeping = this.#keep(errand, response, toStore, verdict, receivedAt);
    visit.waitUntil(keeping);
    if (!wantsRange(visit)) return serve(head, toClient, visit, receivedAt);

    const whole = (await keeping)?.body;
    if (!whole) return serve(head, toClient, visit, receivedAt);
    void toClient?.cancel();
    return serve(head, whole, visit, receivedAt);
  }

  /** @returns undefined if the body is too large, or breaks off: the client, who gets the same bytes, will notice */
  async #keep(
    { visit, fill, end }: Errand,
    response: Response,
    stream: ReadableStream<Uint8Array> | null,
    storage: Storage,
    receivedAt: number,
  ): Promise<StoredResponse | undefined> {
    try {
      const body = stream && (await collect(stream, this.#maxObjectBytes));
      if (body === undefined) {
        end({ kind: "uncacheable" });
        return undefined;
      }
      const kept = new StoredResponse(placeOf(visit, storage), response, body, storage, receivedAt);
      this.#store.put(fill, kept);
      end({ kind: "storable", response: kept });
      return kept;
    } catch {
      end({ kind: "failed" });
      return undefined;
    }
  }

  /** Answers with the stored body after a 304. */
  #renew(errand: Errand, stored: StoredResponse, notModified: Response): Response {
    const { visit, fill, end } = errand;
    const receivedAt = this.#now();
    const head = stored.headUpdatedBy(notModified);
    const verdict = judge(visit.request, head, receivedAt);
    if (!verdict.store) {
      this.#forget(errand, head);
      return serve(outwardHead(head, verdict.status), stored.body, visit, receivedAt);
    }
    const renewed = new StoredResponse(placeOf(visit, verdict), head, stored.body, verdict, receivedAt);
    this.#store.put(fill, renewed);
    end({ kind: "storable", response: renewed });
    return serve(outwardHead(head, "REVALIDATED"), stored.body, visit, receivedAt);
  }

  /** A response that may not be stored still tells that the stored one is out of date, unless it is an error. */
  #forget({ stored, end }: Errand, { status }: Response): void {
    if (stored !== undefined && status < 500) this.#store.remove(stored.place);
    end({ kind: "uncacheable" });
  }

  /** The response that stands in for an error. Looked up now: a purge in the meantime has the last word. */
  #knownOnError(visit: Visit): Response | undefined {
    const known = this.#store.find(visit.key, visit.request.headers);
    return known?.mayServeOnError(this.#now()) ? this.#serve(visit, known, "STALE") : undefined;
  }

  #serve(visit: Visit, stored: StoredResponse, status: CacheStatus): Response {
    return serve(stored.headAs(status, this.#now()), stored.body, visit, stored.receivedAt);
  }

  #slotOf({ key, request }: Visit): string {
    return `${this.#store.variantOf(key, request.headers)}\0${key}`;
  }
}

/** The Worker's response, and the stored one if it is a 304 about that. About another one, it is asked again. */
async function askWorker(
  visit: Visit,
  stored: StoredResponse | undefined,
): Promise<{ response: Response; confirmed?: StoredResponse }> {
  const response = await visit.run(requestForWorker(visit, stored));
  if (stored === undefined || response.status !== 304) return { response };
  if (stored.isConfirmedBy(response)) return { response, confirmed: stored };
  return { response: await visit.run(requestForWorker(visit, undefined)) };
}

/**
 * The Worker is asked for the whole response by GET, whatever the client asked for, and only if it has changed.
 *
 * @see https://developers.cloudflare.com/workers/cache/cache-keys/#what-goes-into-the-cache-key
 * @see https://developers.cloudflare.com/workers/cache/configuration/#range-requests
 */
function requestForWorker({ request, method, special }: Visit, stored: StoredResponse | undefined): Request {
  const etag = stored?.head.headers.get("etag");
  const lastModified = stored?.head.headers.get("last-modified");
  const isAsItShouldBe = method === "GET" && !CONDITIONAL_HEADERS.some((name) => special.has(name));
  if (isAsItShouldBe && !etag && !lastModified) return request;
  const headers = new Headers(request.headers);
  for (const name of CONDITIONAL_HEADERS) headers.delete(name);
  if (etag) headers.set("if-none-match", etag);
  if (lastModified) headers.set("if-modified-since", lastModified);
  return new Request(request, { method: "GET", headers });
}

function placeOf({ key, request }: Visit, { vary }: Storage): StoredResponse["place"] {
  return { key, path: pathOf(request.url), variant: variantOf(vary, request.headers) };
}

/** @returns undefined if there are more bytes than that; what remains is not read */
async function collect(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<ArrayBuffer | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let end = 0;
  for (const chunk of chunks) {
    whole.set(chunk, end);
    end += chunk.byteLength;
  }
  return whole.buffer;
}

function discardBody({ body }: Response): void {
  void body?.cancel();
}

function ignore(): void {}
