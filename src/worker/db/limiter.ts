// How many queries an isolate has under way. Beyond what the database can do, each further query makes all of them slower
// until none is in time: then the work is done for nothing, and the next second is as bad. So the bound follows the
// latency, and what comes beyond it is refused at once.

export interface LimiterOptions {
  /** By how much queries may be slower than the fastest one before the database counts as overloaded. */
  queueingMs: number;
  /** After so long a query has ended, whether or not anybody said so. */
  expiryMs: number;
  /** How long a burst may wait for its turn. Default: 250. */
  burstMs?: number;
  /** The limit that is never passed. Default: 200. */
  maxLimit?: number;
  /** The clock, in milliseconds. Default: `Date.now`. */
  now?: () => number;
  /** Default: a timer. */
  sleep?: (ms: number) => Promise<unknown>;
}

/** Leave to send one query. It is given back with {@link ConcurrencyLimiter.release}. */
export interface Permit {
  readonly startedAt: number;
  readonly owner?: string | undefined;
}

const INITIAL_LIMIT = 20;
/** What the fastest query says of the way to the database holds for so long at least, and twice as long at most. */
const BASELINE_AGE_MS = 300_000;
const MIN_LIMIT = 5;
/** How much of the limit one owner may take. */
const SHARE = 1 / 2;
/**
 * By how much the limit shrinks when queries are too slow. It grows by one for each limit's worth of queries, and until it
 * has shrunk once by one for each query, as with TCP's slow start (RFC 5681).
 */
const BACKOFF_RATIO = 0.8;
/** How long a request may wait while others have been waiting for longer than a burst, or in vain. */
const STANDING_WAIT_MS = 10;
/** More would hardly get a turn, and each that waits costs timers. */
const WAITING_PER_PERMIT = 5;
const MIN_POLL_MS = 5;
/** Looks of all that wait, in a millisecond: looking must not cost more than serving. */
const POLLS_PER_MS = 20;

/**
 * A concurrency limit by additive increase and multiplicative decrease on latency, as Netflix's `AIMDLimit`, with a short
 * queue in front of it whose wait shrinks when the queue stands, as with CoDel.
 *
 * Requests that wait look again and again, each by its own timer: workerd ties a promise to the request that made it, and
 * breaks sooner or later where one request settles another's (src/local/cache/cache.ts). Permits expire for a similar
 * reason: a request that the runtime cancels gives nothing back.
 *
 * @see https://github.com/Netflix/concurrency-limits
 * @see https://www.rfc-editor.org/rfc/rfc8289
 */
export class ConcurrencyLimiter {
  readonly #queueingMs: number;
  readonly #expiryMs: number;
  readonly #burstMs: number;
  readonly #maxLimit: number;
  readonly #now: () => number;
  readonly #sleep: (ms: number) => Promise<unknown>;
  #limit = INITIAL_LIMIT;
  /** The fastest query of this period and of the one before: what the way to the database takes. */
  #fastestMs: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  #periodEndsAt = Number.NEGATIVE_INFINITY;
  #shrunkAt = Number.NEGATIVE_INFINITY;
  /** Whether the limit has never shrunk. */
  #isStarting = true;
  /** In the order of their start. */
  readonly #running = new Set<Permit>();
  readonly #queue = new Queue();
  /** Of those who have their share under way: others do not wait behind them. */
  readonly #queueOfGreedy = new Queue();

  constructor(options: LimiterOptions) {
    const { queueingMs, expiryMs, burstMs = 250, maxLimit = 200, now = Date.now, sleep = pause } = options;
    this.#queueingMs = queueingMs;
    this.#expiryMs = expiryMs;
    this.#burstMs = burstMs;
    this.#maxLimit = maxLimit;
    this.#now = now;
    this.#sleep = sleep;
  }

  /** How many queries may be under way now. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /**
   * Waits a moment if it must.
   *
   * @param owner who may have no more than their share under way; undefined: nobody in particular
   * @returns undefined if there are too many queries already
   */
  async acquire(owner?: string): Promise<Permit | undefined> {
    return this.#take(owner) ?? (await this.#wait(owner));
  }

  /**
   * @param outcome `overload` if the database did not answer in time, or refused because it has too much to do;
   *   `unmeasured` if the time that it took says nothing about how busy the database is
   */
  release(permit: Permit, outcome: "measured" | "unmeasured" | "overload"): void {
    const inFlight = this.#running.size;
    this.#running.delete(permit);
    if (outcome === "unmeasured") return;
    const now = this.#now();
    const latencyMs = now - permit.startedAt;
    if (outcome === "measured") this.#note(latencyMs, now);
    if (outcome === "overload" || latencyMs > Math.min(...this.#fastestMs) + this.#queueingMs) {
      // Once for all queries that were under way together.
      if (permit.startedAt < this.#shrunkAt) return;
      this.#limit = Math.max(MIN_LIMIT, this.#limit * BACKOFF_RATIO);
      this.#shrunkAt = now;
      this.#isStarting = false;
      return;
    }
    // A limit that is not used says nothing about the next higher one.
    if (inFlight * 2 < this.#limit) return;
    this.#limit = Math.min(this.#maxLimit, this.#limit + (this.#isStarting ? 1 : 1 / this.#limit));
  }

  #note(latencyMs: number, now: number): void {
    const [fastestMs] = this.#fastestMs;
    if (now < this.#periodEndsAt) {
      this.#fastestMs[0] = Math.min(fastestMs, latencyMs);
      return;
    }
    this.#fastestMs = [latencyMs, fastestMs];
    this.#periodEndsAt = now + BASELINE_AGE_MS;
  }

  #take(owner: string | undefined): Permit | undefined {
    const now = this.#now();
    for (const permit of this.#running) {
      if (permit.startedAt + this.#expiryMs > now) break;
      this.#running.delete(permit);
    }
    if (this.#running.size >= this.limit || !this.#hasShare(owner)) return undefined;
    const permit = { startedAt: now, owner };
    this.#running.add(permit);
    return permit;
  }

  #hasShare(owner: string | undefined): boolean {
    const share = this.#limit * SHARE;
    // Seldom are there so many that they must be counted.
    if (owner === undefined || this.#running.size < share) return true;
    let own = 0;
    for (const permit of this.#running) if (permit.owner === owner) own++;
    return own < share;
  }

  async #wait(owner: string | undefined): Promise<Permit | undefined> {
    const now = this.#now();
    const queue = this.#hasShare(owner) ? this.#queue : this.#queueOfGreedy;
    for (const waiting of queue.waiting) if (waiting.until < now) queue.waiting.delete(waiting);
    if (queue.waiting.size >= this.limit * WAITING_PER_PERMIT) return undefined;
    if (queue.waiting.size === 0 && now - queue.refusedAt > this.#burstMs) queue.since = now;
    const isStanding = now - queue.since > this.#burstMs;
    const place = { until: now + (isStanding ? STANDING_WAIT_MS : this.#burstMs) };
    queue.waiting.add(place);
    let permit: Permit | undefined;
    while (permit === undefined && this.#now() < place.until) {
      await this.#sleep(Math.max(MIN_POLL_MS, queue.waiting.size / POLLS_PER_MS));
      permit = this.#take(owner);
    }
    queue.waiting.delete(place);
    if (permit === undefined) queue.refusedAt = this.#now();
    return permit;
  }
}

class Queue {
  readonly waiting = new Set<{ readonly until: number }>();
  /** Since when it has been there. One that is empty because all that waited were refused is still there. */
  since = Number.NEGATIVE_INFINITY;
  /** When somebody has waited in vain last. */
  refusedAt = Number.NEGATIVE_INFINITY;
}

const pause = (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms));
