// Random lifetimes, errors, purges and moves of the clock, against a model of what may be used when. It shares nothing with
// the cache: its lifetimes are numbers from the start, and never text that somebody has to parse.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Step as FixtureStep, startCache, THROWS } from "./fixture.ts";

const seconds = fc.integer({ min: 0, max: 12 });
/** One request, and what the Worker does if it is asked. */
const step = fc.record({
  /** Since the step before. */
  passedMs: fc.integer({ min: 0, max: 30 }).map((halves) => 500 * halves),
  /** Before the request. */
  purged: fc.constantFrom(...Array<null>(12).fill(null), 0, 1, 2, "everything"),
  tag: fc.nat({ max: 2 }),
  fails: fc.constantFrom(null, null, null, null, "throws", "cut", "503"),
  status: fc.constantFrom(200, 200, 404),
  /** In seconds; null: `no-store`. */
  lifetimes: fc.option(fc.record({ fresh: seconds, revalidate: seconds, onError: fc.option(seconds) }), { freq: 8 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The response that a client is to see, or the word that there was none. */
type Expected = { cache: string | null; body: string; age: number | "" | null } | "threw";

interface Stored extends NonNullable<Step["lifetimes"]> {
  body: string;
  tag: number;
  bornMs: number;
}

/** RFC 9111 and RFC 5861 by Cloudflare's reading, without a cache to get in the way. */
class Model {
  #nowMs = 0;
  #stored: Stored | undefined;
  #calls = 0;

  next(step: Step): Expected {
    this.#nowMs += step.passedMs;
    if (step.purged === "everything" || step.purged === this.#stored?.tag) this.#stored = undefined;
    const stored = this.#stored;
    if (stored === undefined || !this.#isYoung(stored, stored.revalidate)) return this.#ask(step);
    if (this.#isYoung(stored, 0)) return this.#fromCache("HIT", stored);
    this.#ask(step);
    return this.#fromCache("UPDATING", stored);
  }

  #ask({ fails, lifetimes, tag }: Step): Expected {
    const body = `/ #${++this.#calls}`;
    const stored = this.#stored;
    if (fails !== null) {
      const isGood = stored !== undefined && this.#isYoung(stored, stored.onError ?? Number.POSITIVE_INFINITY);
      if (isGood) return this.#fromCache("STALE", stored);
      return fails === "503" ? { cache: "BYPASS", body, age: null } : "threw";
    }
    this.#stored = lifetimes === null ? undefined : { ...lifetimes, body, tag, bornMs: this.#nowMs };
    if (lifetimes === null) return { cache: "BYPASS", body, age: null };
    return { cache: stored === undefined ? "MISS" : "EXPIRED", body, age: null };
  }

  /** Whether it has not been stale for so many seconds yet. */
  #isYoung({ bornMs, fresh }: Stored, seconds: number): boolean {
    return this.#nowMs < bornMs + 1_000 * (fresh + seconds);
  }

  #fromCache(cache: string, { body, bornMs }: Stored): Expected {
    return { cache, body, age: Math.floor((this.#nowMs - bornMs) / 1_000) };
  }
}

function replyTo({ fails, status, lifetimes, tag }: Step): FixtureStep {
  if (fails === "throws") return THROWS;
  if (fails === "503") return { status: 503, control: "no-store" };
  if (fails === "cut") return () => ({ body: new ReadableStream({ start: (body) => body.error(new Error("cut")) }) });
  if (lifetimes === null) return { status, control: "no-store" };
  const { fresh, revalidate, onError } = lifetimes;
  const always = `public, max-age=${fresh}, stale-while-revalidate=${revalidate}`;
  return { status, control: onError === null ? always : `${always}, stale-if-error=${onError}`, tags: `tag:${tag}` };
}

test("freshness, stale use and purges are those of a simple model", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 10 }), async (steps) => {
      const model = new Model();
      const cache = startCache([], { refusePurge: () => undefined });
      for (const step of steps) {
        const { passedMs, purged } = step;
        cache.pass(passedMs / 1_000);
        if (purged === "everything") await cache.purge({ purgeEverything: true });
        else if (purged !== null) await cache.purge({ tags: [`tag:${purged}`] });
        cache.reply(replyTo(step));
        const seen = await cache
          .get()
          .then(({ cache, body, age }) => ({ cache, body, age }))
          .catch(() => "threw");
        await cache.settle();
        expect(seen).toStrictEqual(model.next(step));
      }
    }),
    { numRuns: 300 },
  );
});
