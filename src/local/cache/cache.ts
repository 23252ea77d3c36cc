// The way of a request through the cache of one entrypoint: look up, wait, ask the Worker, store, respond.
import { Flight, type Landing } from "./flight.ts";
import { assertKnown, readLifetimes, UnknownRuleError } from "./lifetimes.ts";
import type { CacheStore, Fill } from "./store.ts";
import { type CacheStatus, outwardHead, StoredResponse } from "./stored.ts";

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

interface EntrypointCacheOptions {
  /** How long a request waits for another. */
  maxWaitMs: number;
  /** The clock, in milliseconds since the epoch. */
  now: () => number;
}

/** One request to the Worker and what comes of it. */
interface Errand {
  visit: Visit;
  /** What the response is called if it is stored. */
  status: "MISS" | "EXPIRED";
  fill: Fill;
  end(landing: Landing): void;
}

/** The cache in front of one entrypoint. */
export class EntrypointCache {
  readonly #store: CacheStore;
  readonly #maxWaitMs: number;
  readonly #now: () => number;
  /** Requests to the Worker that others may wait for, by key. */
  readonly #flights = new Map<string, Flight>();

  constructor(store: CacheStore, { maxWaitMs, now }: EntrypointCacheOptions) {
    this.#store = store;
    this.#maxWaitMs = maxWaitMs;
    this.#now = now;
  }

  /** Responds from the cache if it can, else from the Worker. */
  respond(visit: Visit): Response | Promise<Response> {
    assertKnown(visit.request.headers);
    const stored = this.#store.find(visit.key);
    return (stored && this.#reuse(visit, stored)) ?? this.#miss(visit, stored);
  }

  /** A response that is fresh, or stale and good enough while it is refreshed. */
  #reuse(visit: Visit, stored: StoredResponse): Response | undefined {
    const now = this.#now();
    if (stored.isFresh(now)) return this.#serve(visit, stored, "HIT");
    if (!stored.mayServeWhileRevalidating(now)) return undefined;
    if (!this.#flights.has(visit.key)) {
      visit.waitUntil(this.#depart(visit, stored).then(({ body }) => body?.cancel(), ignore));
    }
    return this.#serve(visit, stored, "UPDATING");
  }

  /** The first to miss asks the Worker. Those that come before its response wait for that one, and only that one. */
  async #miss(visit: Visit, stored: StoredResponse | undefined): Promise<Response> {
    const { key } = visit;
    const flight = this.#flights.get(key);
    if (flight === undefined) return this.#depart(visit, stored);

    const landing = await flight.wait(this.#maxWaitMs);
    // Who is in flight may never land: its request has been torn down.
    if (landing === "overdue" && this.#flights.get(key) === flight) this.#flights.delete(key);
    // Stored or not: a purge in between is no reason to ask again for those that came before it.
    if (landing instanceof StoredResponse && landing.isFresh(this.#now())) return this.#serve(visit, landing, "HIT");
    const onError = landing === "failed" ? this.#storedOnError(visit) : undefined;
    if (onError !== undefined) return onError;
    const known = this.#store.find(key);
    return (known && this.#reuse(visit, known)) ?? this.#ask(visit, known, ignore);
  }

  /** Asks the Worker on behalf of all who come before its response. */
  #depart(visit: Visit, stored: StoredResponse | undefined): Promise<Response> {
    const { key } = visit;
    const flight = new Flight();
    this.#flights.set(key, flight);
    return this.#ask(visit, stored, (landing) => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
      if (landing !== undefined) flight.land(landing);
    });
  }

  /**
   * Asks the Worker, stores what may be stored and responds.
   *
   * @param release called at the end with the landing, and before that, without one, by a purge: who comes after it
   *   must not be given what was made before it
   */
  #ask(visit: Visit, stored: StoredResponse | undefined, release: (landing?: Landing) => void): Promise<Response> {
    const fill = this.#store.begin(release);
    const end = (landing: Landing) => {
      this.#store.abandon(fill);
      release(landing);
    };
    const response = this.#run({ visit, status: stored === undefined ? "MISS" : "EXPIRED", fill, end });
    // It goes on without its client, for the sake of those who wait.
    visit.waitUntil(response.then(ignore, ignore));
    return response;
  }

  async #run(errand: Errand): Promise<Response> {
    const { visit, end } = errand;
    try {
      const response = await visit.run(requestForWorker(visit));
      const onError = response.status >= 500 ? this.#storedOnError(visit) : undefined;
      if (onError === undefined) return await this.#accept(errand, response);
      void response.body?.cancel();
      end("failed");
      return onError;
    } catch (error) {
      end("failed");
      const onError = error instanceof UnknownRuleError ? undefined : this.#storedOnError(visit);
      if (onError === undefined) throw error;
      return onError;
    }
  }

  async #accept({ visit, status, fill, end }: Errand, response: Response): Promise<Response> {
    const { key, method } = visit;
    const receivedAt = this.#now();
    const lifetimes = readLifetimes(response.headers);
    if (lifetimes === undefined) {
      // It still tells that a stored one is out of date, unless it is an error.
      if (response.status < 500) this.#store.remove(key);
      end("uncacheable");
      return new Response(method === "HEAD" ? null : response.body, outwardHead(response, "BYPASS"));
    }
    const stored = new StoredResponse(key, response, await response.arrayBuffer(), lifetimes, receivedAt);
    this.#store.put(fill, stored);
    end(stored);
    return stored.serve(method, status);
  }

  /** The response that stands in for an error. Looked up now: a purge in the meantime has the last word. */
  #storedOnError(visit: Visit): Response | undefined {
    const stored = this.#store.find(visit.key);
    return stored?.mayServeOnError(this.#now()) ? this.#serve(visit, stored, "STALE") : undefined;
  }

  #serve({ method }: Visit, stored: StoredResponse, status: CacheStatus): Response {
    return stored.serve(method, status, this.#now());
  }
}

/** The Worker is asked by GET, whatever the client asked by: https://developers.cloudflare.com/workers/cache/cache-keys/ */
function requestForWorker({ request, method }: Visit): Request {
  return method === "GET" ? request : new Request(request, { method: "GET" });
}

function ignore(): void {}
