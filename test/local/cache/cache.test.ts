import { expect, onTestFinished, test, vi } from "vitest";
import { Flight } from "../../../src/local/cache/cache.ts";
import type { PurgeError, PurgeOptions } from "../../../src/local/cache/purge.ts";
import { readLifetimes } from "../../../src/local/cache/stored.ts";
import { gated, type RequestOptions, type Step, startCache, THROWS } from "./fixture.ts";

const UNCACHEABLE = { status: 403, control: "no-store" };
const times = (count: number) => Array.from({ length: count });

test.for<[what: string, first: [string, RequestOptions?], second: [string, RequestOptions?], isShared: boolean]>([
  ["another path", ["/a"], ["/a/"], false],
  ["another query", ["/a"], ["/a?b=1"], false],
  ["another order of parameters", ["/a?b=1&c=2"], ["/a?c=2&b=1"], false],
  ["other props", ["/a", { props: { keyHash: "1" } }], ["/a", { props: { keyHash: "2" } }], false],
  ["the same", ["/a?b=1", { props: { keyHash: "1" } }], ["/a?b=1", { props: { keyHash: "1" } }], true],
  ["another host", ["/a"], ["/a", { host: "other.test" }], true],
  ["another header", ["/a"], ["/a", { headers: { "x-request-id": "1" } }], true],
  ["HEAD after GET", ["/a"], ["/a", { method: "HEAD" }], true],
  ["GET after HEAD", ["/a", { method: "HEAD" }], ["/a"], true],
])("a request with %s than the first shares its entry: $3", async ([_, first, second, isShared]) => {
  const { get, calls } = startCache();
  expect((await get(...first)).cache).toBe("MISS");
  const { cache, status, body } = await get(...second);
  expect({ cache, status }).toStrictEqual({ cache: isShared ? "HIT" : "MISS", status: 200 });
  expect(body).toBe(second[1]?.method === "HEAD" ? "" : `${second[0].split("?")[0]} #${isShared ? 1 : 2}`);
  expect(calls.every((call) => call.startsWith("GET "))).toBe(true);
  expect((await get(...first)).cache).toBe("HIT");
});

test("other methods pass by, and HEAD has no body in any case", async () => {
  const { get, calls, reply } = startCache();
  await get();
  expect(await get("/", { method: "POST" })).toMatchObject({ cache: "BYPASS", body: "/ #2" });
  expect(calls).toStrictEqual(["GET /", "POST /"]);
  expect((await get()).cache).toBe("HIT");
  reply(UNCACHEABLE);
  expect(await get("/other", { method: "HEAD" })).toMatchObject({ cache: "BYPASS", status: 403, body: "" });
});

test("a caller sees no tags, and the age only of what was stored before", async () => {
  const { get, pass } = startCache([{ tags: "a" }]);
  for (const expected of [null, 1]) {
    const { age, headers } = await get();
    expect([age, headers.get("cache-tag")]).toStrictEqual([expected, null]);
    expect(headers.get("cache-control")).toBe("public, max-age=60");
    pass(1.9);
  }
});

test.for<[control: string, outcome: unknown]>([
  ["no-store", undefined],
  ["no-store, max-age=5", undefined],
  ["private, max-age=5", undefined],
  ["private, no-store", undefined],
  ["public, max-age=0", [0, 0, Number.POSITIVE_INFINITY]],
  ["max-age=5,stale-while-revalidate=6", [5_000, 6_000, Number.POSITIVE_INFINITY]],
  ["public, max-age=5, stale-while-revalidate=0, stale-if-error=0", [5_000, 0, 0]],
  ["public, stale-if-error=7, max-age=5", [5_000, 0, 7_000]],
  ["", 'does not know ""'],
  ["public", "No max-age: public"],
  ["public, s-maxage=5", 'does not know "s-maxage=5"'],
  ["max-age=5, must-revalidate", 'does not know "must-revalidate"'],
  ["max-age=soon", 'does not know "max-age=soon"'],
  ["max-age", 'does not know "max-age"'],
])("Cache-Control: %s is read as %s", ([control, outcome]) => {
  const read = () => {
    const lifetimes = readLifetimes(new Headers({ "cache-control": control }));
    return lifetimes && [lifetimes.freshMs, lifetimes.staleWhileRevalidateMs, lifetimes.staleIfErrorMs];
  };
  if (typeof outcome === "string") expect(read).toThrow(outcome);
  else expect(read()).toStrictEqual(outcome);
});

test("what the stand-in does not know is refused, of a request and of a response, whatever is stored", async () => {
  const { get, pass, reply, calls } = startCache([{ control: "public, max-age=60, stale-if-error=60" }]);
  const tags = times(1_001).map((_, i) => `tag-${i}`);
  await expect(get("/", { headers: { authorization: "Bearer a" } })).rejects.toThrow("does not know authorization");
  expect(calls).toStrictEqual([]);
  await get();
  await expect(get("/", { headers: { "if-range": '"a"' } })).rejects.toThrow("does not know if-range");
  pass(60);
  reply({ headers: { "set-cookie": "a=b" } }, { headers: { vary: "accept" } }, { tags: tags.join() });
  await expect(get()).rejects.toThrow("does not know set-cookie");
  await expect(get()).rejects.toThrow("does not know vary");
  await expect(get()).rejects.toThrow("1001 tags, where 1000 may be");
  reply({ tags: tags.slice(1).join() });
  expect((await get()).cache).toBe("EXPIRED");
});

const STALE_FOR_5 = { control: "public, max-age=10, stale-while-revalidate=5, stale-if-error=0" };

test("what is stale is refreshed once for all who come meanwhile, in the background", async () => {
  const refresh = gated(STALE_FOR_5);
  const { get, pass, settle, calls } = startCache([STALE_FOR_5, refresh.step]);
  await get();
  pass(10);
  for (const _ of times(5)) expect(await get()).toMatchObject({ cache: "UPDATING", body: "/ #1", age: 10 });
  // Who may no longer be given what is stale waits for the same refresh.
  pass(5);
  const late = get();
  refresh.open();
  expect(await late).toMatchObject({ cache: "HIT", body: "/ #2" });
  await settle();
  expect(calls).toHaveLength(2);
});

test("requests that miss at once run the Worker once, each for what it asks for", async () => {
  const first = gated();
  const { get, calls } = startCache([first.step]);
  const all = [...times(1_000).map(() => get()), get("/", { method: "HEAD" })];
  const others = [get("/other"), get("/", { props: { keyHash: "1" } })];
  expect(calls).toHaveLength(3);
  first.open();
  const responses = await Promise.all(all);
  expect(responses.filter(({ cache }) => cache === "HIT")).toHaveLength(1_000);
  expect(responses.filter(({ body }) => body === "/ #1")).toHaveLength(1_000);
  expect(responses.at(-1)).toMatchObject({ cache: "HIT", body: "" });
  expect((await Promise.all(others)).map(({ cache }) => cache)).toStrictEqual(["MISS", "MISS"]);
  expect(calls).toHaveLength(3);
});

const BRIEF = { control: "max-age=9" };
const FAILED = { status: 503, control: "no-store" };
const STALE_AT_ONCE = { control: "max-age=0, stale-while-revalidate=9" };
const NEVER: Step = () => new Promise(() => {});

test.for<[what: string, before: Step[], replies: [Step, ...Step[]], outcomes: string, calls: number]>([
  ["may not be stored", [], [UNCACHEABLE], "BYPASS BYPASS BYPASS BYPASS", 4],
  ["fails", [], [THROWS, FAILED, UNCACHEABLE], "BYPASS BYPASS BYPASS threw", 4],
  ["replaces what is stale", [BRIEF], [{}], "EXPIRED HIT HIT HIT", 2],
  ["fails after a stale one", [BRIEF], [THROWS], "STALE STALE STALE STALE", 2],
  ["is stale at once", [], [{ control: "max-age=0" }], "EXPIRED EXPIRED EXPIRED MISS", 4],
  ["is stale at once, but good enough", [], [STALE_AT_ONCE, NEVER], "MISS UPDATING UPDATING UPDATING", 2],
])("those that wait for a response that %s have what they may: $3", async ([_, before, replies, outcomes, count]) => {
  const [step, ...rest] = replies;
  const first = gated(step);
  const { get, pass, calls, reply } = startCache(before);
  for (const _ of before) await get();
  reply(first.step, ...(rest.length > 0 ? rest : replies));
  pass(10);
  const all = times(4).map(() => get());
  expect(calls, "those that wait have not asked").toHaveLength(before.length + 1);
  first.open();
  const settled = await Promise.allSettled(all);
  const statuses = settled.map((one) => (one.status === "fulfilled" ? one.value.cache : "threw"));
  expect(statuses.sort().join(" ")).toBe(outcomes);
  expect(calls).toHaveLength(count);
});

test("a request asks for itself when its wait gets too long, and nobody waits for that one any more", async () => {
  const slow = gated();
  const { get, calls } = startCache([slow.step, UNCACHEABLE, {}], { maxWaitMs: 1 });
  const first = get();
  expect(await get()).toMatchObject({ cache: "BYPASS", body: "/ #2" });
  const next = get();
  expect(calls).toHaveLength(3);
  expect(await next).toMatchObject({ cache: "MISS", body: "/ #3" });
  slow.open();
  expect((await first).body).toBe("/ #1");
});

test("a request that waits goes on by a timer of its own, not by a promise of the one that it waits for", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const flight = new Flight();
  const landed = vi.fn();
  void flight.wait(1_000).then(landed);
  flight.landing = "failed";
  await vi.advanceTimersByTimeAsync(0);
  expect(landed).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(landed).toHaveBeenCalledWith("failed");
});

test.for<[what: string, options: PurgeOptions, isPurged: boolean]>([
  ["one of its tags", { tags: ["x", "process:1"] }, true],
  ["other tags", { tags: ["process:10", "process", "rocess:1"] }, false],
  ["everything", { purgeEverything: true }, true],
])("a purge of %s ends the reuse of a response for all props: $2", async ([_, options, isPurged]) => {
  const { get, purge } = startCache([{ tags: "key:1,process:1" }, { tags: "process:1" }, {}]);
  const otherEntrypoint = startCache([{ tags: "process:1" }]);
  await otherEntrypoint.get();
  const askAll = async () => [await get(), await get("/", { props: { keyHash: "1" } }), await get("/untagged")];
  await askAll();
  expect(await purge(options)).toStrictEqual({ success: true, errors: [] });
  const cache = isPurged ? "MISS" : "HIT";
  const caches = (await askAll()).map((response) => response.cache);
  expect(caches).toStrictEqual([cache, cache, options.purgeEverything ? "MISS" : "HIT"]);
  expect((await otherEntrypoint.get()).cache).toBe("HIT");
});

const REFUSAL: PurgeError = { code: 1134, message: "Not now" };
const INVALID: PurgeError = { code: 400, message: "Give purgeEverything, or 1 to 100 tags." };

test.for<[options: PurgeOptions, error: PurgeError]>([
  [{}, INVALID],
  [{ tags: [] }, INVALID],
  [{ purgeEverything: false }, INVALID],
  [{ purgeEverything: true, tags: ["a"] }, INVALID],
  [{ tags: times(101).map((_, i) => (i === 0 ? "a" : `a-${i}`)) }, INVALID],
  [{ tags: ["a"] }, REFUSAL],
])("a purge of %j is refused, and purges nothing", async ([options, error]) => {
  const { get, purge } = startCache([{ tags: "a" }], error === REFUSAL ? { refusePurge: () => REFUSAL } : {});
  await get();
  expect(await purge(options)).toStrictEqual({ success: false, errors: [error] });
  expect((await get()).cache).toBe("HIT");
});

test("a purge takes 100 tags, 25 of them may be made at once, and 5 a minute after that", async () => {
  const { purge, pass } = startCache();
  const tags = times(100).map((_, i) => `tag-${i}`);
  const refusal = { success: false, errors: [{ code: 1134, message: "Unable to purge: rate limit reached." }] };
  async function spendAll(): Promise<number> {
    let count = 0;
    let outcome = await purge({ tags });
    for (; outcome.success; count++) outcome = await purge({ tags });
    expect(outcome).toStrictEqual(refusal);
    return count;
  }
  const spent: number[] = [];
  // At once, and after 11 s, 12 s, 72 s and a day.
  for (const seconds of [0, 11, 1, 60, 86_328]) {
    pass(seconds);
    spent.push(await spendAll());
  }
  expect(spent).toStrictEqual([25, 0, 1, 5, 25]);
});

test.for<[options: PurgeOptions, isKeptOut: boolean]>([
  [{ tags: ["a"] }, true],
  [{ purgeEverything: true }, true],
  [{ tags: ["b"] }, false],
])("a purge of %j keeps out of the store what the Worker makes meanwhile: %s", async ([options, isKeptOut]) => {
  const [before, after] = [gated({ tags: "a" }), gated({ tags: "a" })];
  const { get, purge, calls } = startCache([before.step, after.step]);
  const asked = [get(), get()];
  await purge(options);
  asked.push(get(), get());
  // Who asks after a purge is not given what was made before it.
  expect(calls).toHaveLength(2);
  after.open();
  expect((await asked[2])?.cache).toBe("MISS");
  before.open();
  const bodies = (await Promise.all(asked)).map(({ body }) => body);
  expect(bodies).toStrictEqual(["/ #1", "/ #1", "/ #2", "/ #2"]);
  expect(await get()).toMatchObject({ cache: "HIT", body: isKeptOut ? "/ #2" : "/ #1" });
});

test("a purge takes away what would have stood in for a failure that is under way", async () => {
  const failure = gated(THROWS);
  const { get, purge, pass } = startCache([{ tags: "a" }, failure.step]);
  await get();
  pass(60);
  const failing = get();
  await purge({ tags: ["a"] });
  failure.open();
  await expect(failing).rejects.toThrow("The database is gone");
});

test("what was not asked for longest is forgotten, and what is larger than the bound is not stored", async () => {
  const { get, purge, reply } = startCache([{ body: "x".repeat(6_000), tags: "a" }], { maxBytes: 31_000 });
  const ask = async (...paths: string[]) => {
    const statuses: unknown[] = [];
    for (const path of paths) statuses.push((await get(path)).cache);
    return statuses.join(" ");
  };
  expect(await ask("/a", "/b", "/c", "/a", "/d")).toBe("MISS MISS MISS HIT MISS");
  expect(await ask("/a", "/d", "/c", "/b", "/a")).toBe("HIT HIT HIT MISS MISS");
  // A count that leaked would soon leave no room for anything.
  for (const _ of times(20)) {
    await purge({ purgeEverything: true });
    await ask("/a", "/b", "/c", "/d");
  }
  expect(await ask("/d", "/c", "/b")).toBe("HIT HIT HIT");
  reply({ body: "x".repeat(31_000) });
  expect(await ask("/large", "/large", "/d")).toBe("MISS MISS HIT");
});
