import type { StoredResponse } from "./stored.ts";

/** How a request to the Worker ended, for those that waited for it. */
export type Landing =
  /** With a response that the cache may give to others. */
  | StoredResponse
  /** With one that it may not: each must ask for itself. */
  | "uncacheable"
  /** With an exception or a 5xx. */
  | "failed"
  /** It has not, and waiting any longer is not worth it. */
  | "overdue";

const MIN_PAUSE_MS = 1;
const MAX_PAUSE_MS = 25;
/** How much later than at the landing a request goes on, at the most, as a part of its wait. */
const DELAY = 1 / 8;

/**
 * A request to the Worker for which others wait: the cache lock of one key.
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
  #landing: Landing | undefined;

  /** @param maxWaitMs at the least; a busy runtime is late with timers */
  async wait(maxWaitMs: number): Promise<Landing> {
    let waitedMs = 0;
    while (this.#landing === undefined) {
      if (waitedMs >= maxWaitMs) return "overdue";
      const pauseMs = Math.min(Math.max(MIN_PAUSE_MS, DELAY * waitedMs), MAX_PAUSE_MS);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      waitedMs += pauseMs;
    }
    return this.#landing;
  }

  land(landing: Landing): void {
    this.#landing = landing;
  }
}
