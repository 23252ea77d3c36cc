import { afterAll, describe, expect, test } from "vitest";
import type { Reply } from "../../support/workers/cache-protocol.ts";
import { type CacheFixture, startCacheFixture } from "./fixture.ts";

const cache: CacheFixture = await startCacheFixture();
afterAll(() => cache.close());
const { calls, get, pass, script, settle } = cache;

let paths = 0;
const newPath = (): string => `/stale/${++paths}`;

const withCacheControl = (value: string, more: Record<string, string> = {}): Reply => ({
  headers: { "cache-control": value, ...more },
});
const THROWS: Reply = { throws: "The database is gone" };

describe("https://www.rfc-editor.org/rfc/rfc9111#section-4.2", () => {
  test("keeps a response fresh up to its lifetime, and not at it", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=60"));
    expect((await get(path)).cache).toBe("MISS");
    await pass(59.999);
    expect((await get(path)).cache).toBe("HIT");
    await pass(0.001);
    expect((await get(path)).cache).toBe("EXPIRED");
  });

  test("states the age in whole seconds, only of answers that were not just made (section 4)", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=60"));
    expect((await get(path)).age).toBeUndefined();
    expect((await get(path)).age).toBe(0);
    await pass(1.9);
    expect((await get(path)).age).toBe(1);
    await pass(57.1);
    expect((await get(path)).age).toBe(59);
    await pass(1);
    expect(await get(path)).toMatchObject({ cache: "EXPIRED", age: undefined });
    expect(await get(path)).toMatchObject({ cache: "HIT", age: 0 });
  });

  test("counts the age that a response comes with (section 4.2.3)", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=60", { age: "50" }));
    await get(path);
    await pass(9);
    expect(await get(path)).toMatchObject({ cache: "HIT", age: 59 });
    await pass(1);
    expect((await get(path)).cache).toBe("EXPIRED");
  });

  test("ignores an age that is no number (section 5.1)", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=60", { age: "soon" }));
    await get(path);
    expect(await get(path)).toMatchObject({ cache: "HIT", age: 0 });
  });

  test.each([
    ["s-maxage=10, max-age=60", 10],
    ["max-age=10, s-maxage=60", 60],
    ["max-age=10", 10],
    ['MAX-AGE="10"', 10],
    ["max-age=10, max-age=60", 10],
    ["proxy-revalidate, max-age=10", 10],
    ["max-age=10, foo=1;bar", 10],
  ])("reads %s as %i seconds (section 4.2.1)", async (value, seconds) => {
    const path = newPath();
    await script(path, withCacheControl(value));
    await get(path);
    await pass(seconds - 1);
    expect((await get(path)).cache).toBe("HIT");
    await pass(1);
    expect((await get(path)).cache).toBe("EXPIRED");
  });

  test.each(["max-age=0", "max-age=-1", "max-age=soon", "max-age", "s-maxage=0, max-age=60", "max-age=1e3"])(
    "reads %s as stale at once (section 4.2.1)",
    async (value) => {
      const path = newPath();
      await script(path, withCacheControl(value));
      expect((await get(path)).cache).toBe("MISS");
      expect((await get(path)).cache).toBe("EXPIRED");
    },
  );

  test("reads Expires, less Date, where there is no max-age (section 5.3)", async () => {
    const date = "Mon, 01 Jan 2029 00:00:00 GMT";
    const expires = "Mon, 01 Jan 2029 00:00:30 GMT";
    const path = newPath();
    await script(path, { headers: { date, expires } });
    await get(path);
    await pass(29);
    expect((await get(path)).cache).toBe("HIT");
    await pass(1);
    expect((await get(path)).cache).toBe("EXPIRED");
    const both = newPath();
    await script(both, withCacheControl("max-age=60", { date, expires }));
    await get(both);
    await pass(59);
    expect((await get(both)).cache).toBe("HIT");
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#use-stale-while-revalidate-for-low-latency-refreshes", () => {
  test("answers with what is stale and refreshes it once, in the background", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=10, stale-while-revalidate=5"));
    await get(path);
    await pass(10);
    expect(await get(path)).toMatchObject({ cache: "UPDATING", body: `${path} #1`, age: 10 });
    await settle();
    expect(await get(path)).toMatchObject({ cache: "HIT", body: `${path} #2`, age: 0 });
    expect(await calls(path)).toHaveLength(2);
  });

  test("refreshes once for all who come meanwhile (cache/concepts/revalidation)", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=10, stale-while-revalidate=5" };
    await script(path, { headers }, { headers, gate: path });
    await get(path);
    await pass(10);
    for (let i = 0; i < 5; i++) expect((await get(path)).cache).toBe("UPDATING");
    expect(await calls(path)).toHaveLength(2);
    await cache.open(path);
    await settle();
    expect((await get(path)).body).toBe(`${path} #2`);
    expect(await calls(path)).toHaveLength(2);
  });

  test("does so for as long as the directive says, and not longer", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=10, stale-while-revalidate=5" };
    await script(path, { headers }, { ...THROWS, gate: path }, { headers });
    await get(path);
    await pass(14.999);
    expect((await get(path)).cache).toBe("UPDATING");
    await cache.open(path);
    await settle();
    await pass(0.001);
    expect(await get(path)).toMatchObject({ cache: "EXPIRED", body: `${path} #3` });
  });

  test("joins a refresh under way once it may no longer answer with what is stale", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=10, stale-while-revalidate=5" };
    await script(path, { headers }, { headers, gate: path });
    await get(path);
    await pass(12);
    expect((await get(path)).cache).toBe("UPDATING");
    await pass(3);
    const late = get(path);
    await cache.command({ do: "await", path, arrivals: 3 });
    await cache.open(path);
    expect(await late).toMatchObject({ cache: "HIT", body: `${path} #2` });
    expect(await calls(path)).toHaveLength(2);
  });

  test("stays with what is stale when the refresh fails", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=10, stale-while-revalidate=50"), THROWS, { status: 503 }, {});
    await get(path);
    await pass(20);
    for (const body of [`${path} #1`, `${path} #1`, `${path} #1`, `${path} #4`]) {
      expect((await get(path)).body).toBe(body);
      await settle();
    }
  });

  test.each(["s-maxage=10", "max-age=10, must-revalidate", "max-age=10, proxy-revalidate"])(
    "is switched off by %s, and so is stale-if-error",
    async (value) => {
      const path = newPath();
      const headers = { "cache-control": `${value}, stale-while-revalidate=50, stale-if-error=50` };
      await script(path, { headers }, { headers }, THROWS);
      await get(path);
      await pass(10);
      expect(await get(path)).toMatchObject({ cache: "EXPIRED", body: `${path} #2` });
      await pass(10);
      await expect(get(path)).rejects.toThrow("The database is gone");
    },
  );

  test("refreshes at every request under max-age=0", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=0, stale-while-revalidate=60"));
    await get(path);
    for (const body of [`${path} #1`, `${path} #2`, `${path} #3`]) {
      expect(await get(path)).toMatchObject({ cache: "UPDATING", body });
      await settle();
    }
  });

  test("drops what is stale when its refresh may not be stored", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=10, stale-while-revalidate=50"), withCacheControl("no-store"));
    await get(path);
    await pass(10);
    expect((await get(path)).cache).toBe("UPDATING");
    await settle();
    expect((await get(path)).cache).toBe("BYPASS");
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#serve-stale-on-error-with-stale-if-error", () => {
  test.each<[string, Reply]>([
    ["throws", THROWS],
    ["answers 500", { status: 500 }],
    ["answers 503, though that might be stored", { status: 503, ...withCacheControl("public, max-age=60") }],
    ["answers 599", { status: 599 }],
  ])("stands in for a Worker that %s", async (_, error) => {
    const path = newPath();
    const ok = withCacheControl("max-age=10, stale-if-error=5");
    await script(path, ok, error, error, ok);
    await get(path);
    await pass(10);
    expect(await get(path)).toMatchObject({ cache: "STALE", status: 200, body: `${path} #1`, age: 10 });
    await pass(4.999);
    expect((await get(path)).cache).toBe("STALE");
    expect(await get(path)).toMatchObject({ cache: "EXPIRED", body: `${path} #4` });
  });

  test.each<[string, Reply, Reply]>([
    ["after the time that it says", withCacheControl("max-age=10, stale-if-error=5"), { status: 503 }],
    ["at zero", withCacheControl("max-age=10, stale-if-error=0"), { status: 503 }],
    ["for a 404", withCacheControl("max-age=10"), { status: 404, ...withCacheControl("max-age=1") }],
    ["under no-cache (cache/concepts/cache-control)", withCacheControl("no-cache, stale-if-error=60"), { status: 503 }],
  ])("does not stand in %s", async (_, ok, error) => {
    const path = newPath();
    await script(path, ok, error);
    await get(path);
    await pass(15);
    expect((await get(path)).status).toBe(error.status);
  });

  test("lets exceptions through where it does not stand in", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=10, stale-if-error=5"), THROWS);
    await get(path);
    await pass(15);
    await expect(get(path)).rejects.toThrow("The database is gone");
  });

  test.each([withCacheControl("max-age=10"), withCacheControl("public, max-age=10, stale-while-revalidate=1"), {}])(
    "stands in without end where the response does not say: %j",
    async (ok) => {
      const path = newPath();
      await script(path, ok, THROWS);
      await get(path);
      await pass(365 * 24 * 3_600);
      expect(await get(path)).toMatchObject({ cache: "STALE", body: `${path} #1` });
    },
  );

  test("has nothing to stand in with on a miss", async () => {
    const path = newPath();
    await script(path, THROWS, { status: 503, ...withCacheControl("stale-if-error=60") }, {});
    await expect(get(path)).rejects.toThrow("The database is gone");
    expect(await get(path)).toMatchObject({ status: 503, cache: "DYNAMIC" });
    expect((await get(path)).cache).toBe("MISS");
  });

  test("stands in again after the Worker has been well for a while", async () => {
    const path = newPath();
    const ok = withCacheControl("max-age=10, stale-if-error=5");
    await script(path, ok, THROWS, ok, THROWS);
    await get(path);
    await pass(12);
    expect((await get(path)).cache).toBe("STALE");
    expect((await get(path)).cache).toBe("EXPIRED");
    await pass(12);
    expect(await get(path)).toMatchObject({ cache: "STALE", body: `${path} #3` });
  });
});

describe("https://developers.cloudflare.com/cache/concepts/revalidation/#revalidation-towards-origin", () => {
  const VALID = { "cache-control": "max-age=10", etag: '"a"' };

  test("asks with the validators of what is stale, and keeps the body on 304", async () => {
    const path = newPath();
    const lastModified = "Mon, 01 Jan 2029 00:00:00 GMT";
    await script(path, { headers: { ...VALID, "last-modified": lastModified }, validates: true });
    await get(path);
    await pass(10);
    expect(await get(path)).toMatchObject({ cache: "REVALIDATED", status: 200, body: `${path} #1`, age: undefined });
    expect((await calls(path))[1]?.headers).toEqual({ "if-none-match": '"a"', "if-modified-since": lastModified });
    await pass(9);
    expect(await get(path)).toMatchObject({ cache: "HIT", body: `${path} #1`, age: 9 });
    await pass(1);
    expect((await get(path)).cache).toBe("REVALIDATED");
  });

  test("asks with Last-Modified alone if that is all there is", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=10", "last-modified": "Mon, 01 Jan 2029 00:00:00 GMT" };
    await script(path, { headers, notModified: {} });
    await get(path);
    await pass(10);
    expect((await get(path)).cache).toBe("REVALIDATED");
    expect((await calls(path))[1]?.headers).toEqual({ "if-modified-since": "Mon, 01 Jan 2029 00:00:00 GMT" });
  });

  test("replaces the body on 200", async () => {
    const path = newPath();
    await script(path, { headers: VALID }, { headers: { ...VALID, etag: '"b"' }, validates: true });
    await get(path);
    await pass(10);
    expect(await get(path)).toMatchObject({ cache: "EXPIRED", body: `${path} #2`, headers: { etag: '"b"' } });
    expect((await get(path)).body).toBe(`${path} #2`);
  });

  test("asks without conditions if there are no validators", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=10"));
    await get(path);
    await pass(10);
    expect((await get(path, { headers: { "if-none-match": '"x"' } })).cache).toBe("EXPIRED");
    expect((await calls(path))[1]?.headers).toEqual({});
  });

  test("revalidates in the background too", async () => {
    const path = newPath();
    const headers = { ...VALID, "cache-control": "max-age=10, stale-while-revalidate=10" };
    await script(path, { headers, validates: true });
    await get(path);
    await pass(10);
    expect((await get(path)).cache).toBe("UPDATING");
    await settle();
    expect(await get(path)).toMatchObject({ cache: "HIT", body: `${path} #1`, age: 0 });
    expect(await calls(path)).toHaveLength(2);
  });

  test("takes the headers of a 304 over those stored, but not its account of a body (RFC 9111, section 3.2)", async () => {
    const path = newPath();
    const headers = { ...VALID, "x-old": "1", "x-both": "1", "content-type": "text/plain" };
    const notModified = { "x-both": "2", "x-new": "2", "cache-control": "max-age=30", "content-type": "text/html" };
    await script(path, { headers, notModified });
    await get(path);
    await pass(10);
    const expected = { "x-old": "1", "x-both": "2", "x-new": "2", "content-type": "text/plain" };
    expect(await get(path)).toMatchObject({ cache: "REVALIDATED", headers: expected });
    await pass(29);
    expect(await get(path)).toMatchObject({ cache: "HIT", headers: expected });
  });

  test("keeps the instructions for the edge for a 304 that says nothing", async () => {
    const path = newPath();
    const headers = { "cloudflare-cdn-cache-control": "max-age=10", "cache-tag": "kept", etag: '"a"' };
    await script(path, { headers, notModified: {} });
    await get(path);
    await pass(10);
    expect((await get(path)).cache).toBe("REVALIDATED");
    await pass(9);
    expect((await get(path)).cache).toBe("HIT");
    await cache.purge({ tags: ["kept"] });
    expect((await get(path)).cache).toBe("MISS");
  });

  test("asks anew if a 304 is about another representation (RFC 9111, section 4.3.4)", async () => {
    const path = newPath();
    await script(path, { headers: VALID }, { headers: VALID, notModified: { etag: '"b"' } });
    await get(path);
    await pass(10);
    expect(await get(path)).toMatchObject({ cache: "EXPIRED", body: `${path} #3` });
  });

  test("drops what a 304 says may not be stored", async () => {
    const path = newPath();
    await script(path, { headers: VALID, notModified: { "cache-control": "no-store" } });
    await get(path);
    await pass(10);
    expect(await get(path)).toMatchObject({ cache: "BYPASS", body: `${path} #1` });
    expect((await get(path)).cache).toBe("MISS");
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#automatic-bypass-conditions", () => {
  test("stores under no-cache and revalidates every time", async () => {
    const path = newPath();
    const headers = { "cache-control": "no-cache", etag: '"a"' };
    await script(path, { headers }, { headers, validates: true }, { headers, validates: true }, { headers });
    expect((await get(path)).cache).toBe("MISS");
    expect(await get(path)).toMatchObject({ cache: "REVALIDATED", body: `${path} #1` });
    expect(await get(path)).toMatchObject({ cache: "REVALIDATED", body: `${path} #1` });
    expect(await get(path)).toMatchObject({ cache: "EXPIRED", body: `${path} #4` });
  });

  test("answers under no-cache, stale-while-revalidate with what is stale for that time", async () => {
    const path = newPath();
    await script(path, withCacheControl("no-cache, stale-while-revalidate=10"));
    await get(path);
    await pass(9);
    expect(await get(path)).toMatchObject({ cache: "UPDATING", body: `${path} #1` });
    await settle();
    await pass(9);
    expect(await get(path)).toMatchObject({ cache: "UPDATING", body: `${path} #2` });
    await settle();
    await pass(10);
    expect(await get(path)).toMatchObject({ cache: "EXPIRED", body: `${path} #4` });
  });
});
