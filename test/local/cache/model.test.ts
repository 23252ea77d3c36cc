// Random headers, errors and moves of the clock, against a model of what may be used when. It shares nothing with the
// cache: its headers are values from the start, and never text that somebody has to parse.
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { Command, Reply } from "../../support/workers/cache-protocol.ts";
import { type CacheFixture, startCacheFixture, toAnswer } from "./fixture.ts";

const cache: CacheFixture = await startCacheFixture();
afterAll(() => cache.close());

/** Directives of one header: seconds, or true. */
type Directives = Record<string, number | true>;

/** Headers of a response. What is undefined is absent. */
interface Message {
  cacheControl?: Directives;
  cdnCacheControl?: Directives;
  cloudflareCacheControl?: Directives;
  expiresMs?: number;
  ageSeconds?: number;
  etag?: true;
}

/** One request, and what the Worker does if it is asked. */
interface Step {
  /** Since the step before. */
  passedMs: number;
  fails: "throws" | "503" | undefined;
  status: number;
  message: Message;
}

/** The answer that a client is to see. */
interface Expected {
  cache?: string;
  body?: string;
  age?: number | undefined;
  error?: unknown;
}

interface Stored {
  status: number;
  message: Message;
  body: string;
  bornMs: number;
  freshUntilMs: number;
  staleWhileRevalidateMs: number;
  staleIfErrorMs: number;
}

const sometimes = <T>(percent: number, value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: percent, arbitrary: value }, { weight: 100 - percent, arbitrary: fc.constant(undefined) });

const present = <T extends object>(record: T): T =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;

const seconds = fc.integer({ min: 0, max: 12 });
const yes = fc.constant<true>(true);

const directives = fc
  .record({
    "max-age": sometimes(75, seconds),
    "s-maxage": sometimes(15, seconds),
    "stale-while-revalidate": sometimes(50, seconds),
    "stale-if-error": sometimes(50, seconds),
    "must-revalidate": sometimes(8, yes),
    "proxy-revalidate": sometimes(8, yes),
    "no-cache": sometimes(10, yes),
    "no-store": sometimes(4, yes),
    private: sometimes(4, yes),
    public: sometimes(20, yes),
  })
  .map((record) => present(record) as Directives)
  .filter((record) => Object.keys(record).length > 0);

/** `expiresMs` counts from the second of the step until that is known. */
const message: fc.Arbitrary<Message> = fc
  .record({
    cacheControl: sometimes(80, directives),
    cdnCacheControl: sometimes(15, directives),
    cloudflareCacheControl: sometimes(15, directives),
    expiresMs: sometimes(
      25,
      fc.integer({ min: -3, max: 12 }).map((value) => 1_000 * value),
    ),
    ageSeconds: sometimes(15, seconds),
    etag: sometimes(50, yes),
  })
  .map((record) => present(record) as Message);

const step: fc.Arbitrary<Step> = fc.record({
  passedMs: fc.integer({ min: 0, max: 30 }).map((halves) => 500 * halves),
  fails: sometimes(25, fc.constantFrom("throws" as const, "503" as const)),
  status: fc.constantFrom(200, 200, 200, 404, 403),
  message,
});

/** The model: RFC 9111 and RFC 5861 by Cloudflare's reading, without a cache to get in the way. */
class Model {
  #stored: Stored | undefined;
  #calls = 0;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  next(step: Step, nowMs: number): Expected {
    const stored = this.#stored;
    if (stored === undefined || nowMs >= stored.freshUntilMs + stored.staleWhileRevalidateMs) {
      return this.#ask(step, nowMs);
    }
    if (nowMs < stored.freshUntilMs) return fromCache("HIT", stored, nowMs);
    this.#ask(step, nowMs);
    return fromCache("UPDATING", stored, nowMs);
  }

  #ask({ fails, status, message }: Step, nowMs: number): Expected {
    this.#calls += 1;
    const body = `${this.#path} #${this.#calls}`;
    const stored = this.#stored;
    if (fails !== undefined) {
      if (stored !== undefined && nowMs < stored.freshUntilMs + stored.staleIfErrorMs) {
        return fromCache("STALE", stored, nowMs);
      }
      return fails === "503" ? { cache: "DYNAMIC", body, age: undefined } : { error: expect.anything() };
    }
    if (stored?.message.etag && message.etag) {
      return this.#accept("REVALIDATED", stored.status, { ...stored.message, ...message }, stored.body, nowMs);
    }
    return this.#accept(stored === undefined ? "MISS" : "EXPIRED", status, message, body, nowMs);
  }

  #accept(outcome: string, status: number, message: Message, body: string, nowMs: number): Expected {
    const targeted = message.cloudflareCacheControl ?? message.cdnCacheControl;
    const given = targeted ?? message.cacheControl;
    const says = given ?? {};
    const expiresMs = targeted === undefined ? message.expiresMs : undefined;
    this.#stored = undefined;

    const age = message.ageSeconds;
    if (says["no-store"] || says.private) return { cache: "BYPASS", body, age };
    const isExplicit = "max-age" in says || "s-maxage" in says || says.public || expiresMs !== undefined;
    if (status === 403 && !isExplicit) return { cache: "DYNAMIC", body, age };

    const forbidsStale = "s-maxage" in says || says["must-revalidate"] || says["proxy-revalidate"];
    const bornMs = nowMs - 1_000 * (age ?? 0);
    const lifetimeMs =
      given === undefined && expiresMs === undefined
        ? 1_000 * (status === 200 ? 7_200 : 180)
        : explicitLifetimeMs(says, expiresMs, nowMs);
    const { ageSeconds: _, ...kept } = message;
    this.#stored = {
      status,
      message: kept,
      body,
      bornMs,
      freshUntilMs: bornMs + lifetimeMs,
      staleWhileRevalidateMs: forbidsStale ? 0 : 1_000 * Number(says["stale-while-revalidate"] ?? 0),
      staleIfErrorMs:
        forbidsStale || says["no-cache"] ? 0 : 1_000 * Number(says["stale-if-error"] ?? Number.POSITIVE_INFINITY),
    };
    return { cache: outcome, body, age };
  }
}

function explicitLifetimeMs(says: Directives, expiresMs: number | undefined, nowMs: number): number {
  if (says["no-cache"]) return 0;
  const stated = says["s-maxage"] ?? says["max-age"];
  if (stated !== undefined) return 1_000 * Number(stated);
  // Without a Date the response is as of the second in which it came.
  return expiresMs === undefined ? 0 : Math.max(0, expiresMs - 1_000 * Math.floor(nowMs / 1_000));
}

function fromCache(outcome: string, { body, bornMs }: Stored, nowMs: number): Expected {
  return { cache: outcome, body, age: Math.floor((nowMs - bornMs) / 1_000) };
}

function toReply({ fails, status, message }: Step): Reply {
  if (fails === "throws") return { throws: "The database is gone" };
  if (fails === "503") return { status: 503 };
  const headers = present({
    "cache-control": spell(message.cacheControl),
    "cdn-cache-control": spell(message.cdnCacheControl),
    "cloudflare-cdn-cache-control": spell(message.cloudflareCacheControl),
    expires: message.expiresMs === undefined ? undefined : new Date(message.expiresMs).toUTCString(),
    age: message.ageSeconds?.toString(),
    etag: message.etag && '"tag"',
  }) as Record<string, string>;
  return { status, headers, ...(message.etag && { validates: true }) };
}

function spell(directives: Directives | undefined): string | undefined {
  if (directives === undefined) return undefined;
  return Object.entries(directives)
    .map(([name, value]) => (value === true ? name : `${name}=${value}`))
    .join(", ");
}

test("freshness, stale use and revalidation are those of a simple model", async () => {
  /** The fixture's clock: it begins here, and nothing else moves it. */
  let nowMs = Date.UTC(2030, 0, 1);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
      const path = `/model/${++runs}`;
      const model = new Model(path);
      const expected: Expected[] = [];
      const commands: Command[] = [];
      for (const drawn of steps) {
        nowMs += drawn.passedMs;
        const step = structuredClone(drawn);
        if (step.message.expiresMs !== undefined) step.message.expiresMs += 1_000 * Math.floor(nowMs / 1_000);
        expected.push(model.next(step, nowMs));
        commands.push(
          { do: "script", path, replies: [toReply(step)] },
          { do: "pass", ms: step.passedMs },
          { do: "request", request: { path } },
          { do: "settle" },
        );
      }
      const answers = (await cache.command({ do: "all", commands })) as unknown[];
      const seen = answers.filter((_, index) => index % 4 === 2).map(summarize);
      expect(seen).toEqual(expected);
    }),
    { numRuns: 400 },
  );
}, 120_000);

function summarize(answer: unknown): Expected {
  if ((answer as Expected).error !== undefined) return { error: (answer as Expected).error };
  const { cache, body, age } = toAnswer(answer);
  return { ...(cache !== undefined && { cache }), body, age };
}
