import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { Reply } from "../../support/workers/cache-protocol.ts";
import { type CacheFixture, startCacheFixture } from "./fixture.ts";

const cache: CacheFixture = await startCacheFixture();
afterAll(() => cache.close());
const { calls, get, invalidate, open, pass, purge, script, settle } = cache;

let paths = 0;
const newPath = (): string => `/purge/${++paths}`;

const SUCCESS = { success: true, errors: [] };
const tagged = (tags: string, more: Record<string, string> = {}): Reply => ({
  headers: { "cache-control": "max-age=60", "cache-tag": tags, ...more },
});

/** Stores a response under a path. */
async function store(path: string, reply: Reply, options: Parameters<typeof get>[1] = {}): Promise<void> {
  await script(path, reply);
  expect((await get(path, options)).cache).toBe("MISS");
  await settle();
}

describe("https://developers.cloudflare.com/workers/cache/purge/#purge-by-tag", () => {
  test("purges what has one of the tags, and nothing else", async () => {
    const [both, one, other, none] = [newPath(), newPath(), newPath(), newPath()];
    await store(both, tagged("tag-a,tag-b"));
    await store(one, tagged("tag-a"));
    await store(other, tagged("tag-c"));
    await store(none, { headers: { "cache-control": "max-age=60" } });
    expect(await purge({ tags: ["tag-a", "tag-x"] })).toEqual(SUCCESS);
    expect((await get(both)).cache).toBe("MISS");
    expect((await get(one)).cache).toBe("MISS");
    expect((await get(other)).cache).toBe("HIT");
    expect((await get(none)).cache).toBe("HIT");
  });

  test("does not heed case", async () => {
    const path = newPath();
    await store(path, tagged("Mixed-Case"));
    await purge({ tags: ["mIXED-cASE"] });
    expect((await get(path)).cache).toBe("MISS");
  });

  test("does not take a tag for a prefix of another", async () => {
    const path = newPath();
    await store(path, tagged("prefix-1"));
    await purge({ tags: ["prefix"] });
    expect((await get(path)).cache).toBe("HIT");
  });

  test("purges under all props and queries", async () => {
    const path = newPath();
    await store(path, tagged("everyone"), { props: { a: 1 } });
    await store(`${path}?q=1`, tagged("everyone"), { props: { a: 2 } });
    await script(path, tagged("everyone"));
    await purge({ tags: ["everyone"] });
    expect((await get(path, { props: { a: 1 } })).cache).toBe("MISS");
    expect((await get(`${path}?q=1`, { props: { a: 2 } })).cache).toBe("MISS");
  });

  test("leaves other entrypoints alone", async () => {
    const path = newPath();
    await store(path, tagged("scope"));
    await store(path, tagged("scope"), { entrypoint: "Twin" });
    expect(await purge({ tags: ["scope"] }, "Twin")).toEqual(SUCCESS);
    expect((await get(path)).cache).toBe("HIT");
    expect((await get(path, { entrypoint: "Twin" })).cache).toBe("MISS");
  });

  test("leaves nothing to stand in for errors", async () => {
    const path = newPath();
    await store(path, tagged("error"));
    await script(path, { status: 503 });
    await pass(60);
    expect((await get(path)).cache).toBe("STALE");
    await purge({ tags: ["error"] });
    expect(await get(path)).toMatchObject({ status: 503, cache: "DYNAMIC" });
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#cache-tag", () => {
  const longest = "x".repeat(1_024);
  test.each<[string, string, string, "MISS" | "HIT"]>([
    ["trims blanks around tags", " one , two ", "two", "MISS"],
    ["skips empty tags", "one,,two,", "two", "MISS"],
    ["takes every printable character", "!\"#$%&'()*+-./:;<=>?@[]^_`{|}~", "!\"#$%&'()*+-./:;<=>?@[]^_`{|}~", "MISS"],
    ["drops a tag with a blank in it", "has blank,good", "has blank", "HIT"],
    ["drops a tag beyond ASCII", "bücher,good", "bücher", "HIT"],
    ["takes 1,024 characters", longest, longest, "MISS"],
    ["drops 1,025 characters", `${longest}y`, `${longest}y`, "HIT"],
    ["takes the thousandth tag", Array.from({ length: 1_000 }, (_, i) => `n${i}`).join(), "n999", "MISS"],
    ["drops the thousand and first", Array.from({ length: 1_001 }, (_, i) => `m${i}`).join(), "m1000", "HIT"],
  ])("%s", async (_, header, tag, outcome) => {
    const path = newPath();
    await store(path, tagged(header));
    await purge({ tags: [tag] });
    expect((await get(path)).cache).toBe(outcome);
  });

  test("keeps the valid tags beside dropped ones", async () => {
    const path = newPath();
    await store(path, tagged("has blank,fine"));
    await purge({ tags: ["fine"] });
    expect((await get(path)).cache).toBe("MISS");
  });
});

describe("https://developers.cloudflare.com/workers/cache/purge/#purge-by-path-prefix", () => {
  test.each<[string, string, "MISS" | "HIT"]>([
    ["/blog/2025/a", "/blog/2025/", "MISS"],
    ["/blog/2025/b?page=2", "/blog/2025/b", "MISS"],
    ["/blog/2026/hello-2", "/blog/2026/hello", "MISS"],
    ["/blog/2027/a", "blog/2027/", "MISS"],
    ["/blog/2028/a", "/blog/2029/", "HIT"],
    ["/blog/2030/a", "/2030/", "HIT"],
    ["/blog/2031/Case", "/blog/2031/case", "HIT"],
  ])("finds %s by %s: %s", async (path, prefix, outcome) => {
    await script(path.split("?")[0] as string, { headers: { "cache-control": "max-age=60" } });
    expect((await get(path)).cache).toBe("MISS");
    await settle();
    expect(await purge({ pathPrefixes: [prefix] })).toEqual(SUCCESS);
    expect((await get(path)).cache).toBe(outcome);
  });

  test("goes by the path of the request, whatever its key", async () => {
    const path = newPath();
    const cf = { cacheKey: "/elsewhere" };
    await store(path, tagged("x"), { cf });
    await purge({ pathPrefixes: ["/elsewhere"] });
    expect((await get(path, { cf })).cache).toBe("HIT");
    await purge({ pathPrefixes: [path] });
    expect((await get(path, { cf })).cache).toBe("MISS");
  });

  test.each(["https://cache.test/blog/", "//cache.test/blog/", "/blog/?page=1", "/blog/#top"])(
    "refuses %s, which is no path",
    async (prefix) => {
      const outcome = await purge({ pathPrefixes: [prefix] });
      expect(outcome).toMatchObject({ success: false, errors: [{ code: expect.any(Number) }] });
      expect(outcome.errors[0]?.message).toContain(prefix);
    },
  );
});

describe("https://developers.cloudflare.com/workers/cache/purge/#purge-modes", () => {
  test("purges what any field selects", async () => {
    const [byTag, byPath, neither] = [newPath(), `/union${newPath()}`, newPath()];
    await store(byTag, tagged("union"));
    await store(byPath, tagged("x"));
    await store(neither, tagged("x"));
    await purge({ tags: ["union"], pathPrefixes: ["/union/"] });
    expect((await get(byTag)).cache).toBe("MISS");
    expect((await get(byPath)).cache).toBe("MISS");
    expect((await get(neither)).cache).toBe("HIT");
  });

  test("purges everything of the entrypoint", async () => {
    const path = newPath();
    await store(path, tagged("x"));
    await store(path, tagged("x"), { entrypoint: "Twin" });
    expect(await purge({ purgeEverything: true })).toEqual(SUCCESS);
    expect((await get(path)).cache).toBe("MISS");
    expect((await get(path, { entrypoint: "Twin" })).cache).toBe("HIT");
  });

  test.each([
    {},
    { tags: [], pathPrefixes: [] },
    { purgeEverything: false },
    { purgeEverything: true, tags: ["refused"] },
    { purgeEverything: true, pathPrefixes: ["/purge/"] },
  ])("refuses %j, and purges nothing", async (options) => {
    const path = newPath();
    await store(path, tagged("refused"));
    expect(await purge(options)).toMatchObject({ success: false, errors: [{ code: expect.any(Number) }] });
    expect((await get(path)).cache).toBe("HIT");
  });
});

describe("https://developers.cloudflare.com/workers/cache/purge/#rate-limits", () => {
  afterEach(() => cache.command({ do: "refuse", error: null }));

  test("tells of a refusal, and purges nothing", async () => {
    const path = newPath();
    await store(path, tagged("limited"));
    const error = { code: 429, message: "Rate limit" };
    await cache.command({ do: "refuse", error });
    expect(await purge({ tags: ["limited"] })).toEqual({ success: false, errors: [error] });
    expect(await invalidate({ tags: ["limited"] })).toEqual({ success: false, errors: [error] });
    expect((await get(path)).cache).toBe("HIT");
    await cache.command({ do: "refuse", error: null });
    expect(await purge({ tags: ["limited"] })).toEqual(SUCCESS);
    expect((await get(path)).cache).toBe("MISS");
  });
});

describe("https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits", () => {
  const spend = () => purge({ tags: ["limited"] }, "Limited");

  test("takes 25 calls at once, and 5 a minute after that", async () => {
    for (let call = 0; call < 25; call++) expect(await spend()).toEqual(SUCCESS);
    const refusal = {
      success: false,
      errors: [{ code: expect.any(Number), message: expect.stringContaining("rate") }],
    };
    expect(await spend()).toEqual(refusal);
    await pass(11);
    expect(await spend()).toEqual(refusal);
    await pass(1);
    expect(await spend()).toEqual(SUCCESS);
    expect(await spend()).toEqual(refusal);
    await pass(60);
    for (let call = 0; call < 5; call++) expect(await spend()).toEqual(SUCCESS);
    expect(await spend()).toEqual(refusal);
    // However long nobody purges, no more than 25 wait.
    await pass(86_400);
    for (let call = 0; call < 25; call++) expect(await spend()).toEqual(SUCCESS);
    expect(await spend()).toEqual(refusal);
  });

  test("takes 100 tags a call", async () => {
    const tags = Array.from({ length: 100 }, (_, i) => `tag-${i}`);
    expect(await purge({ tags })).toEqual(SUCCESS);
    const refused = await purge({ tags, pathPrefixes: ["/one-more/"] });
    expect(refused).toEqual({ success: false, errors: [{ code: expect.any(Number), message: expect.any(String) }] });
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#vary", () => {
  test("purges all variants of a URL together", async () => {
    const path = newPath();
    await script(
      path,
      tagged("variant-a", { vary: "x-v" }),
      tagged("variant-b", { vary: "x-v" }),
      tagged("variant-b", { vary: "x-v" }),
    );
    const [a, b] = [{ headers: { "x-v": "a" } }, { headers: { "x-v": "b" } }];
    await get(path, a);
    await get(path, b);
    await settle();
    await purge({ tags: ["variant-a"] });
    expect((await get(path, b)).cache).toBe("MISS");
    expect((await get(path, a)).cache).toBe("MISS");
  });
});

describe("a purge while the Worker makes what it is about", () => {
  test.each([{ tags: ["in-flight"] }, { pathPrefixes: ["/purge/"] }, { purgeEverything: true }])(
    "keeps it out of the store: %j",
    async (options) => {
      const path = newPath();
      await script(path, { ...tagged("in-flight"), gate: path }, tagged("in-flight"));
      const first = get(path);
      await cache.command({ do: "await", path, calls: 1 });
      await purge(options);
      await open(path);
      expect((await first).body).toBe(`${path} #1`);
      await settle();
      expect(await get(path)).toMatchObject({ cache: "MISS", body: `${path} #2` });
    },
  );

  test.each([{ tags: ["other"] }, { pathPrefixes: ["/other"] }])(
    "does not, if it is about another: %j",
    async (options) => {
      const path = newPath();
      await script(path, { ...tagged("in-flight"), gate: path });
      const first = get(path);
      await cache.command({ do: "await", path, calls: 1 });
      await purge(options);
      await open(path);
      await first;
      await settle();
      expect(await get(path)).toMatchObject({ cache: "HIT", body: `${path} #1` });
    },
  );

  test("gives it to those that waited before, and not to those that come after", async () => {
    const path = newPath();
    await script(path, { ...tagged("in-flight"), gate: path }, { ...tagged("in-flight"), gate: `${path}/second` });
    const before = [get(path), get(path)];
    await cache.command({ do: "await", path, arrivals: 2 });
    await purge({ tags: ["in-flight"] });
    const after = [get(path), get(path)];
    await cache.command({ do: "await", path, arrivals: 4, calls: 2 });
    await open(path);
    for (const answer of await Promise.all(before)) expect(answer.body).toBe(`${path} #1`);
    await open(`${path}/second`);
    for (const answer of await Promise.all(after)) expect(answer.body).toBe(`${path} #2`);
    expect(await calls(path)).toHaveLength(2);
    expect(await get(path)).toMatchObject({ cache: "HIT", body: `${path} #2` });
  });

  test("keeps out what a refresh in the background brings", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=10, stale-while-revalidate=50", "cache-tag": "refresh" };
    await script(path, { headers }, { headers, gate: path }, { headers });
    await get(path);
    await pass(10);
    expect((await get(path)).cache).toBe("UPDATING");
    await purge({ tags: ["refresh"] });
    await open(path);
    await settle();
    expect(await get(path)).toMatchObject({ cache: "MISS", body: `${path} #3` });
  });

  test("keeps out what a 304 confirms", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=10", "cache-tag": "confirm", etag: '"a"' };
    await script(path, { headers }, { headers, validates: true, gate: path }, { headers });
    await get(path);
    await pass(10);
    const confirmed = get(path);
    await cache.command({ do: "await", path, calls: 2 });
    await purge({ tags: ["confirm"] });
    await open(path);
    expect((await confirmed).cache).toBe("REVALIDATED");
    expect(await get(path)).toMatchObject({ cache: "MISS", body: `${path} #3` });
  });

  test("takes away what would have stood in for its failure", async () => {
    const path = newPath();
    await script(path, tagged("fail"), { throws: "The database is gone", gate: path });
    await get(path);
    await pass(60);
    const failing = get(path).catch(({ message }) => message as string);
    await cache.command({ do: "await", path, calls: 2 });
    await purge({ tags: ["fail"] });
    await open(path);
    expect(await failing).toContain("The database is gone");
  });
});

describe("https://developers.cloudflare.com/cache/guides/invalidate-cache/", () => {
  test("keeps what it marks as stale, to be revalidated", async () => {
    const [path, other] = [newPath(), newPath()];
    await store(path, { ...tagged("soft", { etag: '"a"' }), validates: true });
    await store(other, tagged("hard"));
    expect(await invalidate({ tags: ["SOFT"] })).toEqual(SUCCESS);
    expect(await get(path)).toMatchObject({ cache: "REVALIDATED", body: `${path} #1` });
    expect((await get(path)).cache).toBe("HIT");
    expect((await get(other)).cache).toBe("HIT");
  });

  test("brings new content as EXPIRED", async () => {
    const path = newPath();
    await store(path, tagged("soft"));
    await invalidate({ pathPrefixes: [path] });
    expect(await get(path)).toMatchObject({ cache: "EXPIRED", body: `${path} #2` });
  });

  test("starts the time of stale use of what was fresh", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=3600, stale-while-revalidate=30", "cache-tag": "soft" };
    await store(path, { headers });
    await script(path, { headers, gate: path });
    await invalidate({ tags: ["soft"] });
    await pass(29);
    expect((await get(path)).cache).toBe("UPDATING");
    await pass(1);
    const late = get(path);
    await cache.command({ do: "await", path, arrivals: 3 });
    await open(path);
    expect(await late).toMatchObject({ cache: "HIT", body: `${path} #2` });
  });

  test("does not prolong the time of stale use of what was stale", async () => {
    const path = newPath();
    await store(path, { headers: { "cache-control": "max-age=10, stale-while-revalidate=30", "cache-tag": "soft" } });
    await pass(40);
    await invalidate({ tags: ["soft"] });
    expect((await get(path)).cache).toBe("EXPIRED");
  });

  test("lets what is stale stand in for errors", async () => {
    const path = newPath();
    await store(path, { headers: { "cache-control": "max-age=10, stale-if-error=30", "cache-tag": "soft" } });
    await script(path, { status: 503 });
    await invalidate({ tags: ["soft"] });
    expect((await get(path)).cache).toBe("STALE");
    await pass(30);
    expect((await get(path)).status).toBe(503);
  });

  test("marks what is on its way too", async () => {
    const path = newPath();
    await script(path, { ...tagged("soft", { etag: '"a"' }), gate: path, validates: true });
    const first = get(path);
    await cache.command({ do: "await", path, calls: 1 });
    await invalidate({ tags: ["soft"] });
    await open(path);
    await first;
    await settle();
    expect((await get(path)).cache).toBe("REVALIDATED");
    expect((await get(path)).cache).toBe("HIT");
  });
});
