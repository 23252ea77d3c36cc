// Random lifetimes, errors, purges and moves of the clock, against a model of what may be used when. It shares nothing with
// the cache: its lifetimes are numbers from the start, and never text that somebody has to parse.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Step as FixtureStep, type Seen, startCache, THROWS } from "./fixture.ts";

/** In seconds; undefined: `no-store`. */
type Lifetimes = { fresh: number; revalidate: number; onError: number | null } | undefined;

/** One request, and what the Worker does if it is asked. */
interface Step {
  /** Since the step before. */
  passedMs: number;
  /** Before the request: the tags are 0, 1 and 2. */
  purged: number | "everything" | null;
  fails: "throws" | "cut" | "503" | null;
  status: number;
  lifetimes: Lifetimes;
  tag: number;
}

/** The response that a client is to see, or the word that there was none. */
type Expected = Pick<Seen, "cache" | "body" | "age"> | "threw";

interface Stored {
  body: string;
  tag: number;
  bornMs: number;
  freshUntilMs: number;
  revalidateUntilMs: number;
  onErrorUntilMs: number;
}

const seconds = fc.integer({ min: 0, max: 12 });
const sometimes = <T>(one: number, value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.option(value, { nil: null, freq: one });
const step: fc.Arbitrary<Step> = fc.record({
  passedMs: fc.integer({ min: 0, max: 30 }).map((halves) => 500 * halves),
  purged: fc.oneof(
    { weight: 8, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.constantFrom(0, 1, 2, "everything" as const) },
  ),
  fails: fc.constantFrom(null, null, null, null, "throws" as const, "cut" as const, "503" as const),
  status: fc.constantFrom(200, 200, 404),
  lifetimes: fc.option(fc.record({ fresh: seconds, revalidate: seconds, onError: sometimes(3, seconds) }), {
    nil: undefined,
    freq: 8,
  }),
  tag: fc.nat({ max: 2 }),
});

/** RFC 9111 and RFC 5861 by Cloudflare's reading, without a cache to get in the way. */
class Model {
  #nowMs = 0;
  #stored: Stored | undefined;
  #calls = 0;

  next(step: Step): Expected {
    this.#nowMs += step.passedMs;
    if (step.purged === "everything" || step.purged === this.#stored?.tag) this.#stored = undefined;
    const stored = this.#stored;
    if (stored === undefined || this.#nowMs >= stored.revalidateUntilMs) return this.#ask(step);
    if (this.#nowMs < stored.freshUntilMs) return this.#fromCache("HIT", stored);
    this.#ask(step);
    return this.#fromCache("UPDATING", stored);
  }

  #ask({ fails, lifetimes, tag }: Step): Expected {
    const body = `/ #${++this.#calls}`;
    const stored = this.#stored;
    if (fails !== null) {
      if (stored !== undefined && this.#nowMs < stored.onErrorUntilMs) return this.#fromCache("STALE", stored);
      return fails === "503" ? { cache: "BYPASS", body, age: undefined } : "threw";
    }
    this.#stored = undefined;
    if (lifetimes === undefined) return { cache: "BYPASS", body, age: undefined };
    const freshUntilMs = this.#nowMs + 1_000 * lifetimes.fresh;
    this.#stored = {
      body,
      tag,
      bornMs: this.#nowMs,
      freshUntilMs,
      revalidateUntilMs: freshUntilMs + 1_000 * lifetimes.revalidate,
      onErrorUntilMs: freshUntilMs + 1_000 * (lifetimes.onError ?? Number.POSITIVE_INFINITY),
    };
    return { cache: stored === undefined ? "MISS" : "EXPIRED", body, age: undefined };
  }

  #fromCache(cache: string, { body, bornMs }: Stored): Expected {
    return { cache, body, age: Math.floor((this.#nowMs - bornMs) / 1_000) };
  }
}

function replyTo({ fails, status, lifetimes, tag }: Step): FixtureStep {
  if (fails === "throws") return THROWS;
  if (fails === "503") return { status: 503, control: "no-store" };
  if (fails === "cut")
    return () => ({ body: new ReadableStream({ start: (stream) => stream.error(new Error("cut")) }) });
  if (lifetimes === undefined) return { status, control: "no-store" };
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
        if (purged !== null) {
          await cache.purge(purged === "everything" ? { purgeEverything: true } : { tags: [`tag:${purged}`] });
        }
        cache.reply(replyTo(step));
        const seen = await cache.get().then(
          ({ cache, body, age }): Expected => ({ cache, body, age }),
          (): Expected => "threw",
        );
        await cache.settle();
        expect(seen).toStrictEqual(model.next(step));
      }
    }),
    { numRuns: 300 },
  );
});
