import { afterAll, describe, expect, test } from "vitest";
import type { Reply } from "../../support/workers/cache-protocol.ts";
import { type Answer, type CacheFixture, startCacheFixture } from "./fixture.ts";

const cache: CacheFixture = await startCacheFixture();
afterAll(() => cache.close());
const { calls, get, open, pass, script } = cache;

let paths = 0;
const newPath = (): string => `/collapsing/${++paths}`;

const withCacheControl = (value: string, more: Record<string, string> = {}): Reply => ({
  headers: { "cache-control": value, ...more },
});

type Options = Parameters<typeof get>[1];

/** Sends requests at once; the gate of the path opens when all of them have reached the cache. */
async function together(path: string, requests: Options[], arrivedBefore = 0): Promise<Answer[]> {
  const answers = requests.map((options) => get(path, options));
  await cache.command({ do: "await", path, arrivals: arrivedBefore + requests.length });
  await open(path);
  return Promise.all(answers);
}

const times = (count: number, options: Options = {}): Options[] => Array.from({ length: count }, () => options);

/** How often each value occurs. */
function tally(values: (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}

describe("https://developers.cloudflare.com/workers/cache/#request-collapsing", () => {
  test("runs the Worker once for a thousand requests that miss at once", async () => {
    const path = newPath();
    await script(path, { ...withCacheControl("max-age=60"), gate: path });
    const answers = await together(path, times(1_000));
    expect(await calls(path)).toHaveLength(1);
    expect(tally(answers.map(({ body }) => body))).toEqual({ [`${path} #1`]: 1_000 });
    expect(tally(answers.map((answer) => answer.cache))).toEqual({ MISS: 1, HIT: 999 });
  }, 120_000);

  test("does not make requests with different keys wait for each other", async () => {
    const path = newPath();
    await script(path, { ...withCacheControl("max-age=60"), gate: path });
    const answers = await together(path, [{ props: { a: 1 } }, { props: { a: 2 } }, { props: { a: 1 } }]);
    expect(await calls(path)).toHaveLength(2);
    expect(answers[0]?.body).toBe(answers[2]?.body);
    expect(answers[0]?.body).not.toBe(answers[1]?.body);
  });

  test.each<[string, Reply, Reply]>([
    ["may not be stored", withCacheControl("no-store"), withCacheControl("no-store")],
    ["is not eligible", { status: 403 }, { status: 403 }],
    [
      "must be revalidated every time (RFC 9111, section 4)",
      withCacheControl("no-cache"),
      withCacheControl("no-cache"),
    ],
    ["breaks off", { ...withCacheControl("max-age=60"), chunks: ["half"], breaks: true }, withCacheControl("no-store")],
  ])("runs the Worker for every request if what it answers %s", async (_, first, others) => {
    const path = newPath();
    await script(path, { ...first, gate: path }, others);
    const answers = times(20).map((options) => get(path, options).catch(() => undefined));
    await cache.command({ do: "await", path, arrivals: 20 });
    expect(await calls(path), "those that wait have not asked").toHaveLength(1);
    await open(path);
    const bodies = (await Promise.all(answers)).map((answer) => answer?.body);
    expect(new Set(bodies).size).toBe(20);
    expect(await calls(path)).toHaveLength(20);
  });

  test("lets those that wait go as soon as the headers say that they wait in vain", async () => {
    const path = newPath();
    await script(path, { ...withCacheControl("no-store"), gate: path, chunks: ["1", { gate: `${path}/body` }, "2"] });
    const answers = times(3).map((options) => get(path, options));
    await cache.command({ do: "await", path, arrivals: 3 });
    await open(path);
    await cache.command({ do: "await", path, calls: 3 });
    await open(`${path}/body`);
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(["12", "12", "12"]);
  });

  test("runs the Worker for every request if it fails, each with an outcome of its own", async () => {
    const path = newPath();
    const ok = withCacheControl("no-store");
    await script(path, { throws: "The database is gone", gate: path }, { status: 503 }, ok);
    const answers = times(4).map((options) => get(path, options).catch(({ message }) => message as string));
    await cache.command({ do: "await", path, arrivals: 4 });
    await open(path);
    const outcomes = (await Promise.all(answers)).map((answer) =>
      typeof answer === "string" ? "threw" : answer.status,
    );
    expect(tally(outcomes.map(String))).toEqual({ threw: 1, 503: 1, 200: 2 });
  });

  test("goes on collapsing after a failure", async () => {
    const path = newPath();
    await script(path, { status: 503 }, { ...withCacheControl("max-age=60"), gate: path });
    await get(path);
    const answers = await together(path, times(5), 1);
    expect(tally(answers.map((answer) => answer.cache))).toEqual({ MISS: 1, HIT: 4 });
  });

  test("gives every request that waits what it asks for", async () => {
    const path = newPath();
    await script(path, { ...withCacheControl("max-age=60", { etag: '"a"' }), body: "0123456789", gate: path });
    const [head, range, conditional, whole] = await together(path, [
      { method: "HEAD" },
      { headers: { range: "bytes=2-3" } },
      { headers: { "if-none-match": '"a"' } },
      {},
    ]);
    expect(head).toMatchObject({ status: 200, body: "" });
    expect(range).toMatchObject({ status: 206, body: "23" });
    expect(conditional).toMatchObject({ status: 304, body: "" });
    expect(whole).toMatchObject({ status: 200, body: "0123456789" });
    expect(await calls(path)).toHaveLength(1);
  });

  test("runs the Worker once for every variant of a URL not yet known to vary", async () => {
    const path = newPath();
    await script(path, { ...withCacheControl("max-age=60", { vary: "x-v" }), gate: path });
    const requests = ["a", "b", "c"].flatMap((value) => times(10, { headers: { "x-v": value } }));
    const answers = await together(path, requests);
    expect(await calls(path)).toHaveLength(3);
    for (const [index, { "x-v": value }] of (await calls(path)).map(({ headers }) => headers).entries()) {
      const bodies = answers.filter((_, i) => requests[i]?.headers?.["x-v"] === value).map(({ body }) => body);
      expect(tally(bodies)).toEqual({ [`${path} #${index + 1}`]: 10 });
    }
  });

  test("collapses requests for what is stale", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=10", etag: '"a"' };
    await script(path, { headers }, { headers, validates: true, gate: path });
    await get(path);
    await pass(10);
    const answers = await together(path, times(20), 1);
    expect(tally(answers.map((answer) => answer.cache))).toEqual({ REVALIDATED: 1, HIT: 19 });
    expect(tally(answers.map(({ body }) => body))).toEqual({ [`${path} #1`]: 20 });
    expect(await calls(path)).toHaveLength(2);
  });

  test("answers all of them with what is stale if the Worker fails", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=10"), { throws: "The database is gone", gate: path });
    await get(path);
    await pass(10);
    const answers = await together(path, times(20), 1);
    expect(tally(answers.map((answer) => answer.cache))).toEqual({ STALE: 20 });
    expect(await calls(path)).toHaveLength(2);
  });

  test("refreshes once for those that have waited for what is stale by now", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=0, stale-while-revalidate=60" };
    await script(path, { headers, gate: path }, { headers, gate: `${path}/refresh` });
    const answers = await together(path, times(20));
    expect(tally(answers.map((answer) => answer.cache))).toEqual({ MISS: 1, UPDATING: 19 });
    expect(await calls(path)).toHaveLength(2);
    await open(`${path}/refresh`);
  });
});

test("goes on for tens of thousands of waits", async () => {
  // workerd mixes requests up that share promises, but only once its code is hot.
  for (let round = 0; round < 120; round++) {
    const path = newPath();
    await script(path, { ...withCacheControl("max-age=60"), takesTime: true });
    expect(await cache.command({ do: "burst", request: { path }, times: 200 })).toEqual({ MISS: 1, HIT: 199 });
  }
}, 120_000);

test("does not let go of those that wait when the client of the first one leaves", async () => {
  const path = newPath();
  await script(path, { ...withCacheControl("max-age=60"), gate: path });
  const first = cache.command({ do: "leave", request: { path }, arrivals: 4 });
  await cache.command({ do: "await", path, arrivals: 1 });
  const waiting = times(3).map((options) => get(path, options));
  expect(await first).toBe("left");
  await open(path);
  for (const answer of await Promise.all(waiting)) expect(answer).toMatchObject({ cache: "HIT", body: `${path} #1` });
  expect(await calls(path)).toHaveLength(1);
});

test("does not mind if the client of one that waits leaves", async () => {
  const path = newPath();
  await script(path, { ...withCacheControl("max-age=60"), gate: path });
  const first = get(path);
  await cache.command({ do: "await", path, arrivals: 1 });
  expect(await cache.command({ do: "leave", request: { path }, arrivals: 2 })).toBe("left");
  await open(path);
  expect(await first).toMatchObject({ cache: "MISS", body: `${path} #1` });
  expect((await get(path)).cache).toBe("HIT");
});

test("asks for itself when the wait gets too long", async () => {
  const path = newPath();
  const entrypoint = "Impatient";
  await script(path, { ...withCacheControl("max-age=60"), gate: path }, withCacheControl("max-age=60"));
  const slow = get(path, { entrypoint });
  await cache.command({ do: "await", path, arrivals: 1 });
  expect(await get(path, { entrypoint })).toMatchObject({ cache: "MISS", body: `${path} #2` });
  await open(path);
  expect((await slow).body).toBe(`${path} #1`);
});
