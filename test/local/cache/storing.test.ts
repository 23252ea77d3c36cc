import { afterAll, describe, expect, test } from "vitest";
import type { Reply } from "../../support/workers/cache-protocol.ts";
import { type CacheFixture, startCacheFixture } from "./fixture.ts";

const cache: CacheFixture = await startCacheFixture();
afterAll(() => cache.close());
const { calls, get, pass, script, settle } = cache;

let paths = 0;
const newPath = (): string => `/storing/${++paths}`;

/** Asks twice for what is answered so, and tells what the cache said. */
async function twice(reply: Reply, options: Parameters<typeof get>[1] = {}, path = newPath()): Promise<string> {
  await script(path, reply);
  const first = await get(path, options);
  await settle();
  const second = await get(path, options);
  await settle();
  expect((await calls(path)).length, "calls").toBe(second.cache === "HIT" ? 1 : 2);
  return `${first.cache} ${second.cache}`;
}

const withCacheControl = (value: string, more: Record<string, string> = {}): Reply => ({
  headers: { "cache-control": value, ...more },
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#cache-control-semantics", () => {
  test.each([
    [200, 7_200],
    [203, 7_200],
    [204, 7_200],
    [300, 1_200],
    [301, 1_200],
    [404, 180],
    [405, 60],
    [410, 180],
    [414, 60],
    [501, 60],
  ])("keeps a %i that says nothing fresh for %i seconds", async (status, seconds) => {
    const path = newPath();
    await script(path, { status }, {});
    expect((await get(path)).cache).toBe("MISS");
    await pass(seconds - 1);
    expect(await get(path)).toMatchObject({ cache: "HIT", status, age: seconds - 1 });
    await pass(1);
    expect((await get(path)).cache).toBe("EXPIRED");
  });

  test.each([201, 302, 303, 307, 308, 400, 401, 403, 418, 500, 503])(
    "stores a %i only if it says how long",
    async (status) => {
      expect(await twice({ status })).toBe("DYNAMIC DYNAMIC");
      expect(await twice({ status, ...withCacheControl("no-cache") })).toBe("DYNAMIC DYNAMIC");
      expect(await twice({ status, ...withCacheControl("max-age=60") })).toBe("MISS HIT");
      expect(await twice({ status, headers: { expires: "Thu, 01 Jan 2099 00:00:00 GMT" } })).toBe("MISS HIT");
    },
  );

  test("does not apply the default lifetimes to a response with instructions", async () => {
    expect(await twice(withCacheControl("public"))).toBe("MISS EXPIRED");
    expect(await twice({ headers: { expires: "0" } })).toBe("MISS EXPIRED");
    expect(await twice({})).toBe("MISS HIT");
  });

  test("does not guess a lifetime from Last-Modified", async () => {
    const lastModified = { "last-modified": "Tue, 01 Jan 2019 00:00:00 GMT" };
    expect(await twice(withCacheControl("public", lastModified))).toBe("MISS EXPIRED");
  });

  test.each([
    ["/style.css", "text/html", "BYPASS BYPASS"],
    ["/photo.JPG", "text/html; charset=utf-8", "BYPASS BYPASS"],
    ["/data.json", "text/plain", "BYPASS BYPASS"],
    ["/page.css", "text/css;charset=utf-8", "MISS HIT"],
    ["/script.js", "application/javascript", "MISS HIT"],
    ["/photo.jpg", "image/webp", "MISS HIT"],
    ["/archive.zip", "application/octet-stream", "MISS HIT"],
    ["/release/v1.2", "text/html", "MISS HIT"],
    ["/api.css/users", "text/html", "MISS HIT"],
  ])("arms %s of type %s against deception", async (path, type, outcome) => {
    expect(await twice({ headers: { "content-type": type } }, {}, path)).toBe(outcome);
  });

  test("is not armed against deception when a response has instructions", async () => {
    expect(await twice(withCacheControl("max-age=60", { "content-type": "text/html" }), {}, "/explicit.css")).toBe(
      "MISS HIT",
    );
  });
});

describe("https://developers.cloudflare.com/workers/cache/limitations/#status-codes-that-are-never-cached", () => {
  test.each([206, 520, 521, 522, 523, 524, 525, 526])("never stores a %i", async (status) => {
    expect(await twice({ status, ...withCacheControl("public, max-age=60") })).toBe("BYPASS BYPASS");
  });

  test.each([519, 527])("stores a %i that says how long", async (status) => {
    expect(await twice({ status, ...withCacheControl("public, max-age=60") })).toBe("MISS HIT");
  });

  test("never stores a 304 that the Worker sends of itself (RFC 9111, section 3)", async () => {
    expect(await twice({ status: 304, ...withCacheControl("public, max-age=60") })).toBe("BYPASS BYPASS");
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#automatic-bypass-conditions", () => {
  test.each([
    "private",
    "no-store",
    "private, max-age=60",
    "NO-STORE",
    "max-age=60, Private",
    'max-age=60, private=""',
  ])("does not store under Cache-Control: %s", async (value) => {
    expect(await twice(withCacheControl(value))).toBe("BYPASS BYPASS");
  });

  test("does not store a response that sets a cookie", async () => {
    expect(await twice(withCacheControl("public, max-age=60", { "set-cookie": "a=1" }))).toBe("BYPASS BYPASS");
    expect(await twice(withCacheControl("public, max-age=60"))).toBe("MISS HIT");
  });

  test.each(['private="set-cookie"', 'no-cache="set-cookie"', 'private="x-other, Set-Cookie"'])(
    "gives the cookie of a response with %s to the first client alone",
    async (directive) => {
      const path = newPath();
      await script(path, withCacheControl(`public, max-age=60, ${directive}`, { "set-cookie": "a=1" }));
      expect(await get(path)).toMatchObject({ cache: "MISS", headers: { "set-cookie": "a=1" } });
      const hit = await get(path);
      expect(hit.cache).toBe("HIT");
      expect(hit.headers).not.toHaveProperty("set-cookie");
    },
  );

  test.each([
    ["max-age=60", "BYPASS BYPASS"],
    ["public, max-age=60", "MISS HIT"],
    ["max-age=60, must-revalidate", "MISS HIT"],
    ["s-maxage=60", "MISS HIT"],
    ["max-age=60, proxy-revalidate", "BYPASS BYPASS"],
  ])("stores for a request with Authorization, under Cache-Control: %s, %s", async (value, outcome) => {
    expect(await twice(withCacheControl(value), { headers: { authorization: "Bearer a" } })).toBe(outcome);
    expect(await twice(withCacheControl(value))).toBe("MISS HIT");
  });

  test("does not store for a request with Authorization what says nothing (RFC 9111, section 3.5)", async () => {
    expect(await twice({}, { headers: { authorization: "Bearer a" } })).toBe("BYPASS BYPASS");
  });

  test("does not store headers that private names (RFC 9111, section 5.2.2.7)", async () => {
    const path = newPath();
    await script(path, withCacheControl('max-age=60, private="x-mine"', { "x-mine": "1", "x-ours": "1" }));
    expect((await get(path)).headers).toHaveProperty("x-mine");
    const hit = await get(path);
    expect(hit.headers).toHaveProperty("x-ours");
    expect(hit.headers).not.toHaveProperty("x-mine");
  });
});

describe("https://developers.cloudflare.com/cache/concepts/cache-control/#directives", () => {
  test("always revalidates a response that has a header which no-cache names", async () => {
    expect(await twice(withCacheControl('max-age=60, no-cache="x-a"', { "x-a": "1" }))).toBe("MISS EXPIRED");
    expect(await twice(withCacheControl('max-age=60, no-cache="x-a"'))).toBe("MISS HIT");
    expect(await twice(withCacheControl('max-age=60, no-cache=""'))).toBe("MISS EXPIRED");
  });

  test("ignores what the client says of caching (RFC 9111, section 5.2.1)", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=60"));
    expect((await get(path, { headers: { "cache-control": "no-store" } })).cache).toBe("MISS");
    for (const value of ["no-cache", "max-age=0", "no-store", "only-if-cached"]) {
      expect((await get(path, { headers: { "cache-control": value, pragma: "no-cache" } })).cache, value).toBe("HIT");
    }
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#header-precedence", () => {
  const SHORT = "max-age=10";
  const LONG = "max-age=100";
  test.each([
    ["cloudflare-cdn-cache-control", "cdn-cache-control"],
    ["cloudflare-cdn-cache-control", "cache-control"],
    ["cdn-cache-control", "cache-control"],
  ])("goes by %s before %s", async (stronger, weaker) => {
    for (const [strong, weak, outcome] of [
      [LONG, SHORT, "HIT"],
      [SHORT, LONG, "EXPIRED"],
      ["no-store", LONG, "BYPASS"],
      [LONG, "no-store", "HIT"],
    ] as const) {
      const path = newPath();
      await script(path, { headers: { [stronger]: strong, [weaker]: weak } });
      await get(path);
      await pass(50);
      expect((await get(path)).cache, `${strong} before ${weak}`).toBe(outcome);
    }
  });

  test("strips what speaks to Cloudflare alone, of every response", async () => {
    const headers = {
      "cloudflare-cdn-cache-control": "max-age=60",
      "cdn-cache-control": "max-age=50",
      "cache-control": "max-age=40",
      "cache-tag": "a,b",
    };
    for (const reply of [{ headers }, { headers: { ...headers, "cloudflare-cdn-cache-control": "no-store" } }]) {
      const path = newPath();
      await script(path, reply);
      for (const answer of [await get(path), await get(path), await get(path, { method: "POST" })]) {
        expect(answer.headers).toMatchObject({ "cdn-cache-control": "max-age=50", "cache-control": "max-age=40" });
        expect(answer.headers).not.toHaveProperty("cloudflare-cdn-cache-control");
        expect(answer.headers).not.toHaveProperty("cache-tag");
      }
    }
  });

  test("does not count Expires beside a header for the edge (cache/concepts/cdn-cache-control)", async () => {
    const expires = "Thu, 01 Jan 2099 00:00:00 GMT";
    expect(await twice({ headers: { "cdn-cache-control": "public", expires } })).toBe("MISS EXPIRED");
    expect(await twice({ headers: { "cache-control": "public", expires } })).toBe("MISS HIT");
  });

  test("ignores a header for the edge that is empty (RFC 9213, section 2.1)", async () => {
    expect(await twice({ headers: { "cdn-cache-control": " ", "cache-control": "no-store" } })).toBe("BYPASS BYPASS");
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#override-cache-control-from-the-calling-worker", () => {
  test("lets the caller say how a response is cached", async () => {
    expect(await twice({}, { cf: { cacheControl: "no-store" } })).toBe("BYPASS BYPASS");
    expect(await twice({ status: 403 }, { cf: { cacheControl: "public, max-age=300" } })).toBe("MISS HIT");
  });

  test("prefers the caller's word to the Worker's, and does not send it on", async () => {
    const path = newPath();
    const headers = { "cache-control": "no-store", "cloudflare-cdn-cache-control": "max-age=10" };
    await script(path, { headers });
    const cf = { cacheControl: "max-age=300" };
    expect(await get(path, { cf })).toMatchObject({ cache: "MISS", headers: { "cache-control": "no-store" } });
    await pass(100);
    expect((await get(path, { cf })).cache).toBe("HIT");
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#vary", () => {
  test("stores one variant for every combination of values, compared to the letter", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=60", { vary: "Accept-Language, X-Mode" }));
    const asked = [
      { "accept-language": "de", "x-mode": "1" },
      { "accept-language": "en", "x-mode": "1" },
      { "accept-language": "en", "x-mode": "2" },
      { "accept-language": "en, de", "x-mode": "2" },
      { "accept-language": "de, en", "x-mode": "2" },
      { "accept-language": "en" },
      { "accept-language": "en", "x-mode": "" },
    ];
    for (const [index, headers] of asked.entries()) {
      expect(await get(path, { headers })).toMatchObject({ cache: "MISS", body: `${path} #${index + 1}` });
    }
    for (const [index, headers] of asked.entries()) {
      expect(await get(path, { headers })).toMatchObject({ cache: "HIT", body: `${path} #${index + 1}` });
    }
    expect((await get(path, { headers: { ...asked[0], "x-else": "1" } })).cache).toBe("HIT");
  });

  test("does not store under Vary: *", async () => {
    expect(await twice(withCacheControl("max-age=60", { vary: "*" }))).toBe("BYPASS BYPASS");
    expect(await twice(withCacheControl("max-age=60", { vary: "accept, *" }))).toBe("BYPASS BYPASS");
    expect(await twice(withCacheControl("max-age=60", { vary: "accept" }))).toBe("MISS HIT");
  });

  test("goes by the latest Vary of a URL", async () => {
    const path = newPath();
    await script(path, withCacheControl("max-age=10"), withCacheControl("max-age=60", { vary: "accept" }));
    await get(path, { headers: { accept: "a" } });
    expect((await get(path, { headers: { accept: "b" } })).cache).toBe("HIT");
    await pass(10);
    await get(path, { headers: { accept: "a" } });
    expect((await get(path, { headers: { accept: "b" } })).cache).toBe("MISS");
    expect((await get(path, { headers: { accept: "a" } })).cache).toBe("HIT");
  });
});

describe("https://developers.cloudflare.com/workers/cache/limitations/#response-size", () => {
  // The store of this entrypoint holds 45,000 bytes, and 10,000 of a body.
  const entrypoint = "Small";

  test("does not store a body over the limit, and says MISS every time", async () => {
    const reply = (bytes: number): Reply => ({ ...withCacheControl("max-age=60"), body: "x".repeat(bytes) });
    expect(await twice(reply(10_001), { entrypoint })).toBe("MISS MISS");
    expect(await twice(reply(10_000), { entrypoint })).toBe("MISS HIT");
  });

  test("hands a body over the limit on whole, also for a range", async () => {
    const path = newPath();
    await script(path, { ...withCacheControl("max-age=60"), chunks: ["x".repeat(9_000), "y".repeat(9_000)] });
    expect((await get(path, { entrypoint })).body).toHaveLength(18_000);
    const ranged = await get(path, { entrypoint, headers: { range: "bytes=0-1" } });
    expect(ranged.status).toBe(200);
    expect(ranged.body).toHaveLength(18_000);
  });
});

describe("bounded memory", () => {
  test("forgets what was not asked for longest", async () => {
    const entrypoint = "Small";
    const fill = async (path: string) => {
      await script(path, { ...withCacheControl("max-age=60"), body: "x".repeat(9_000) });
      const answer = await get(path, { entrypoint });
      await settle();
      return answer.cache;
    };
    await cache.purge({ purgeEverything: true }, entrypoint);
    for (const path of ["/lru/a", "/lru/b", "/lru/c"]) expect(await fill(path)).toBe("MISS");
    expect(await fill("/lru/a")).toBe("HIT");
    expect(await fill("/lru/d")).toBe("MISS");
    expect(await fill("/lru/b"), "the oldest use").toBe("MISS");
    expect(await fill("/lru/a")).toBe("HIT");
    expect(await fill("/lru/d")).toBe("HIT");
  });

  test("forgets the oldest variants of a URL that alone is too large", async () => {
    const entrypoint = "Small";
    await cache.purge({ purgeEverything: true }, entrypoint);
    await script("/lru/vary", { ...withCacheControl("max-age=60", { vary: "x-v" }), body: "x".repeat(9_000) });
    const ask = async (value: string) => {
      const answer = await get("/lru/vary", { entrypoint, headers: { "x-v": value } });
      await settle();
      return answer.cache;
    };
    for (const value of ["1", "2", "3", "4", "5"]) expect(await ask(value)).toBe("MISS");
    expect(await ask("5")).toBe("HIT");
    expect(await ask("1")).toBe("MISS");
  });

  test("counts what it forgets", async () => {
    const entrypoint = "Small";
    // Ten times the bound, over the same paths: a count that leaked would soon leave no room for anything.
    for (let round = 0; round < 10; round++) {
      for (const path of ["/count/a", "/count/b", "/count/c", "/count/d"]) {
        await script(path, { ...withCacheControl("max-age=60"), body: "x".repeat(9_000) });
        await get(path, { entrypoint });
      }
      await cache.purge({ pathPrefixes: ["/count/a"] }, entrypoint);
      await settle();
    }
    expect((await get("/count/d", { entrypoint })).cache).toBe("HIT");
    expect((await get("/count/c", { entrypoint })).cache).toBe("HIT");
  });
});

describe("cached()", () => {
  const wrap = (options: Record<string, number>, hasFetch = true) => cache.command({ do: "wrap", options, hasFetch });

  test("refuses an entrypoint that has no method fetch", async () => {
    expect(await wrap({}, false)).toContain("no method fetch");
    expect(await wrap({})).toBe("wrapped");
  });

  test.each(["maxBytes", "maxObjectBytes", "maxWaitMs"])("refuses a %s that is no bound", async (name) => {
    for (const bound of [0, -1]) expect(await wrap({ [name]: bound })).toContain(name);
    expect(await wrap({ [name]: 1 })).toBe("wrapped");
  });
});
