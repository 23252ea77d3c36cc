// The way of a request through the cache of one entrypoint: look up, wait, ask the Worker, store, respond.
import type { CacheOptions } from "./index.ts";
import { assertKnown, outwardHead, readLifetimes, StoredResponse, UnknownRuleError } from "./stored.ts";

/** A GET or HEAD. */
export interface Visit {
  request: Request;
  method: string;
  key: string;
  /** Runs the entrypoint. */
  run(request: Request): Promise<Response>;
  /** Lets work go on after the response. */
  waitUntil(work: Promise<unknown>): void;
}

type EntrypointCacheOptions = Required<Pick<CacheOptions, "maxWaitMs" | "maxBytes" | "now">>;

/** What a purge means: all that has one of these tags, or everything. */
export type Selection = readonly string[] | "everything";

const selects = (selection: Selection, { tags }: StoredResponse): boolean =>
  selection === "everything" || selection.some((tag) => tags.has(tag));

const MIN_PAUSE_MS = 1;
const MAX_PAUSE_MS = 25;
/** How much later than at the landing a request goes on, at the most, as a part of its wait. */
const DELAY = 1 / 8;

/**
 * A request to the Worker, for which others may wait: then it is the cache lock of its key.
 *
 * Those that wait look again and again, each by its own timer. A promise would be nicer, but workerd keeps promises to
 * the request that made them, and where one request settles a promise of another, or awaits it, the runtime must hand
 * the rest of the work back to the right one. It does (`handle_cross_request_promise_resolution`) for some ten thousand
 * waits. From then on the rest runs in the wrong request and fails with "Cannot perform I/O on behalf of a different
 * request" (measured with workerd 1.20261117, for every way of settling and awaiting). Besides, a request that waits
 * for nothing of its own counts as hung and is cancelled; a timer is its own.
 *
 * @see https://developers.cloudflare.com/workers/cache/#request-collapsing
 */
export class Flight {
  /** How it ended: with what others may be given, with what each must ask for itself, or with an exception or a 5xx. */
  landing: StoredResponse | "uncacheable" | "failed" | undefined;
  /** While it is under way: what it brings may have been made from older data. */
  readonly purges: Selection[] = [];

  /**
   * @param maxWaitMs at the least; a busy runtime is late with timers
   * @returns undefined if it has not landed, and waiting any longer is not worth it
   */
  async wait(maxWaitMs: number): Promise<Flight["landing"]> {
    let waitedMs = 0;
    while (this.landing === undefined && waitedMs < maxWaitMs) {
      const pauseMs = Math.min(Math.max(MIN_PAUSE_MS, DELAY * waitedMs), MAX_PAUSE_MS);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      waitedMs += pauseMs;
    }
    return this.landing;
  }
}

/** The cache in front of one entrypoint. */
export class EntrypointCache {
  readonly #options: EntrypointCacheOptions;
  /** By key, in order of use: a Map iterates in order of insertion, and every use inserts anew. */
  readonly #stored = new Map<string, StoredResponse>();
  #bytes = 0;
  /** All requests to the Worker. */
  readonly #underWay = new Set<Flight>();
  /** Those of them that others may wait for, by key. */
  readonly #flights = new Map<string, Flight>();

  constructor(options: EntrypointCacheOptions) {
    this.#options = options;
  }

  /** Responds from the cache if it can, else from the Worker. */
  respond(visit: Visit): Response | Promise<Response> {
    assertKnown(visit.request.headers);
    const stored = this.#find(visit.key);
    return (stored && this.#reuse(visit, stored)) ?? this.#miss(visit, stored);
  }

  /**
   * Looks at everything stored: at the pace that the platform allows purges, an index would cost more than it saves. Who
   * asks from now on does not wait for what is under way, whose tags are not known yet.
   *
   * @param within what the keys that are purged begin with
   */
  purge(selection: Selection, within: string): void {
    for (const [key, response] of this.#stored) {
      if (key.startsWith(within) && selects(selection, response)) this.#remove(key);
    }
    for (const { purges } of this.#underWay) purges.push(selection);
    this.#flights.clear();
  }

  /** A response that is fresh, or stale and good enough while it is refreshed. */
  #reuse(visit: Visit, stored: StoredResponse): Response | undefined {
    const now = this.#options.now();
    if (stored.isFresh(now)) return stored.serve(visit.method, "HIT", now);
    if (!stored.mayServeWhileRevalidating(now)) return undefined;
    if (!this.#flights.has(visit.key)) {
      visit.waitUntil(this.#depart(visit, stored).then(({ body }) => body?.cancel(), ignore));
    }
    return stored.serve(visit.method, "UPDATING", now);
  }

  /** The first to miss asks the Worker. Those that come before its response wait for that one, and only that one. */
  async #miss(visit: Visit, stored: StoredResponse | undefined): Promise<Response> {
    const { key, method } = visit;
    const flight = this.#flights.get(key);
    if (flight === undefined) return this.#depart(visit, stored);

    const landing = await flight.wait(this.#options.maxWaitMs);
    // Who is in flight may never land: its request has been torn down.
    if (landing === undefined) this.#leave(key, flight);
    const now = this.#options.now();
    // Stored or not: a purge in between is no reason to ask again for those that came before it.
    if (landing instanceof StoredResponse && landing.isFresh(now)) return landing.serve(method, "HIT", now);
    const onError = landing === "failed" ? this.#storedOnError(visit) : undefined;
    if (onError !== undefined) return onError;
    const known = this.#find(key);
    return (known && this.#reuse(visit, known)) ?? this.#ask(visit, known, new Flight());
  }

  /** Asks the Worker on behalf of all who come before its response. */
  #depart(visit: Visit, stored: StoredResponse | undefined): Promise<Response> {
    const flight = new Flight();
    this.#flights.set(visit.key, flight);
    return this.#ask(visit, stored, flight);
  }

  #leave(key: string, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  /** Asks the Worker, stores what may be stored and responds. */
  #ask(visit: Visit, stored: StoredResponse | undefined, flight: Flight): Promise<Response> {
    this.#underWay.add(flight);
    const response = this.#run(visit, flight, stored === undefined ? "MISS" : "EXPIRED").finally(() => {
      this.#underWay.delete(flight);
      this.#leave(visit.key, flight);
    });
    // It goes on without its client, for the sake of those who wait.
    visit.waitUntil(response.then(ignore, ignore));
    return response;
  }

  async #run(visit: Visit, flight: Flight, status: "MISS" | "EXPIRED"): Promise<Response> {
    const { request, method } = visit;
    try {
      // By GET, whatever the client asked by: https://developers.cloudflare.com/workers/cache/cache-keys/
      const response = await visit.run(method === "GET" ? request : new Request(request, { method: "GET" }));
      const onError = response.status >= 500 ? this.#storedOnError(visit) : undefined;
      if (onError === undefined) return await this.#accept(visit, flight, status, response);
      void response.body?.cancel();
      flight.landing = "failed";
      return onError;
    } catch (error) {
      flight.landing = "failed";
      const onError = error instanceof UnknownRuleError ? undefined : this.#storedOnError(visit);
      if (onError === undefined) throw error;
      return onError;
    }
  }

  async #accept(
    { key, method }: Visit,
    flight: Flight,
    status: "MISS" | "EXPIRED",
    response: Response,
  ): Promise<Response> {
    const receivedAt = this.#options.now();
    const lifetimes = readLifetimes(response.headers);
    if (lifetimes === undefined) {
      // It still tells that a stored one is out of date, unless it is an error.
      if (response.status < 500) this.#remove(key);
      flight.landing = "uncacheable";
      return new Response(method === "HEAD" ? null : response.body, outwardHead(response, "BYPASS"));
    }
    const stored = new StoredResponse(response, await response.arrayBuffer(), lifetimes, receivedAt);
    if (!flight.purges.some((selection) => selects(selection, stored))) this.#put(key, stored);
    flight.landing = stored;
    return stored.serve(method, status);
  }

  /** The response that stands in for an error. Looked up now: a purge in the meantime has the last word. */
  #storedOnError({ key, method }: Visit): Response | undefined {
    const stored = this.#find(key);
    const now = this.#options.now();
    return stored?.mayServeOnError(now) ? stored.serve(method, "STALE", now) : undefined;
  }

  #find(key: string): StoredResponse | undefined {
    const response = this.#stored.get(key);
    if (response === undefined) return undefined;
    this.#stored.delete(key);
    this.#stored.set(key, response);
    return response;
  }

  #put(key: string, response: StoredResponse): void {
    const { maxBytes } = this.#options;
    this.#remove(key);
    if (response.bytes > maxBytes) return;
    this.#stored.set(key, response);
    this.#bytes += response.bytes;
    for (const oldest of this.#stored.keys()) {
      if (this.#bytes <= maxBytes) return;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    this.#bytes -= this.#stored.get(key)?.bytes ?? 0;
    this.#stored.delete(key);
  }
}

function ignore(): void {}
