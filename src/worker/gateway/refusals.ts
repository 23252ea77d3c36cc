import type { Failure } from "../shared/errors.ts";

/** A flood of refusals must not cost a line each: so many of a reason in a minute, and then one in so many. */
const FIRST_LINES = 10;
const THEN_ONE_IN = 100;
const WINDOW_MS = 60_000;

interface Count {
  windowEndsAt: number;
  seen: number;
  /** Since the last line. */
  leftOut: number;
}

/** Chooses which refusals get a line in the log, reason by reason. The data points count all of them. */
export class RefusalSampler {
  /** Bounded: the reasons are a fixed list. */
  readonly #counts = new Map<Failure["reason"], Count>();

  /**
   * Counts a refusal.
   *
   * @returns how many of its reason were left out since the last line; undefined if this one is left out, too
   */
  admit(reason: Failure["reason"], now: number = Date.now()): number | undefined {
    let count = this.#counts.get(reason);
    if (count === undefined) {
      count = { windowEndsAt: 0, seen: 0, leftOut: 0 };
      this.#counts.set(reason, count);
    }
    if (now >= count.windowEndsAt) Object.assign(count, { windowEndsAt: now + WINDOW_MS, seen: 0 });
    count.seen += 1;
    if (count.seen > FIRST_LINES && count.seen % THEN_ONE_IN !== 0) {
      count.leftOut += 1;
      return undefined;
    }
    const { leftOut } = count;
    count.leftOut = 0;
    return leftOut;
  }
}
