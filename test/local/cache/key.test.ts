import { afterAll, describe, expect, test } from "vitest";
import { type CacheFixture, startCacheFixture } from "./fixture.ts";

const cache: CacheFixture = await startCacheFixture();
afterAll(() => cache.close());
const { calls, get, script } = cache;

const FRESH = { headers: { "cache-control": "public, max-age=60" } };

describe("https://developers.cloudflare.com/workers/cache/cache-keys/#what-goes-into-the-cache-key", () => {
  test("keeps entrypoints apart, though they are of one class", async () => {
    await script("/entrypoint", FRESH);
    expect((await get("/entrypoint")).cache).toBe("MISS");
    expect((await get("/entrypoint", { entrypoint: "Twin" })).cache).toBe("MISS");
    expect((await get("/entrypoint", { entrypoint: "Twin" })).body).toBe("/entrypoint #2");
    expect((await get("/entrypoint")).body).toBe("/entrypoint #1");
  });

  test("keeps paths, queries and orders of parameters apart", async () => {
    for (const path of ["/target", "/target/", "/target?a=1&b=2", "/target?b=2&a=1", "/target?a=1"]) {
      await script(path.split("?")[0] as string, FRESH);
      expect((await get(path)).cache, path).toBe("MISS");
      expect((await get(path)).cache, path).toBe("HIT");
    }
  });

  test("keeps callers with different props apart", async () => {
    await script("/props", FRESH);
    expect((await get("/props", { props: { tenant: "a" } })).body).toBe("/props #1");
    expect((await get("/props", { props: { tenant: "b" } })).body).toBe("/props #2");
    expect((await get("/props", { props: {} })).body).toBe("/props #3");
    expect((await get("/props", { props: { tenant: "a" } })).body).toBe("/props #1");
  });

  test("does not store for props that JSON cannot tell apart", async () => {
    await script("/odd-props", FRESH);
    expect((await get("/odd-props", { oddProps: "map" })).cache).toBe("BYPASS");
    expect((await get("/odd-props", { oddProps: "other-map" })).body).toBe("/odd-props #2");
    expect((await get("/odd-props", { props: { tenants: ["map"] } })).cache).toBe("MISS");
    expect((await get("/odd-props", { props: { tenants: ["map"] } })).cache).toBe("HIT");
  });

  test("does not let parts of the key run together", async () => {
    await script("/parts", FRESH);
    await get("/parts", { props: { a: "x" }, cf: { cacheKey: "y" } });
    expect((await get("/parts", { props: {}, cf: { cacheKey: '{"a":"x"}]\0\0y' } })).cache).toBe("MISS");
    expect((await get("/parts", { props: { a: "x" }, cf: { cacheKey: "y" } })).cache).toBe("HIT");
  });

  test("heeds neither host nor fragment", async () => {
    await script("/host", FRESH);
    expect((await get("/host", { host: "one.test" })).cache).toBe("MISS");
    expect((await get("/host", { host: "two.test" })).cache).toBe("HIT");
    expect((await get("/host#fragment")).cache).toBe("HIT");
  });

  test("heeds no other headers", async () => {
    await script("/headers", FRESH);
    expect((await get("/headers", { headers: { "user-agent": "one", cookie: "a=1" } })).cache).toBe("MISS");
    expect((await get("/headers", { headers: { "user-agent": "two", cookie: "a=2" } })).cache).toBe("HIT");
    expect((await get("/headers", { headers: { authorization: "Bearer token" } })).cache).toBe("HIT");
  });

  test.each([
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-forwarded-host",
    "x-host",
    "x-forwarded-scheme",
    "x-original-url",
    "x-rewrite-url",
    "forwarded",
    "cloudflare-workers-version-key",
  ])("lets %s poison its senders only", async (header) => {
    const path = `/poison/${header}`;
    await script(path, FRESH);
    expect((await get(path, { headers: { [header]: "evil" } })).body).toBe(`${path} #1`);
    expect((await get(path)).body).toBe(`${path} #2`);
    expect((await get(path, { headers: { [header]: "other" } })).body).toBe(`${path} #3`);
    expect((await get(path, { headers: { [header]: "evil" } })).body).toBe(`${path} #1`);
  });

  test("does not take one poisonous header for another", async () => {
    await script("/poison", FRESH);
    expect((await get("/poison", { headers: { "x-host": "evil" } })).cache).toBe("MISS");
    expect((await get("/poison", { headers: { "x-forwarded-host": "evil" } })).cache).toBe("MISS");
    expect((await get("/poison", { headers: { "x-host": "evil" } })).cache).toBe("HIT");
  });

  test("takes x-forwarded-scheme for harmless if it is http or https", async () => {
    await script("/scheme", FRESH);
    expect((await get("/scheme")).cache).toBe("MISS");
    expect((await get("/scheme", { headers: { "x-forwarded-scheme": "https" } })).cache).toBe("HIT");
    expect((await get("/scheme", { headers: { "x-forwarded-scheme": "http" } })).cache).toBe("HIT");
    expect((await get("/scheme", { headers: { "x-forwarded-scheme": "gopher" } })).cache).toBe("MISS");
  });

  test("shares one entry between GET and HEAD, which fills it by GET", async () => {
    await script("/method", FRESH);
    expect(await get("/method", { method: "HEAD" })).toMatchObject({ cache: "MISS", body: "" });
    expect(await get("/method")).toMatchObject({ cache: "HIT", body: "/method #1" });
    expect(await get("/method", { method: "HEAD" })).toMatchObject({ cache: "HIT", body: "" });
    expect((await calls("/method")).map(({ method }) => method)).toEqual(["GET"]);
  });
});

describe("https://developers.cloudflare.com/workers/cache/cache-keys/#invalidating-cache-across-deployments", () => {
  test("does not serve what another version of the Worker stored", async () => {
    await script("/version", FRESH);
    const entrypoint = "Versioned";
    expect((await get("/version", { entrypoint })).body).toBe("/version #1");
    await cache.command({ do: "deploy", version: "v2" });
    expect((await get("/version", { entrypoint })).body).toBe("/version #2");
    await cache.command({ do: "deploy", version: "v1" });
    expect((await get("/version", { entrypoint })).body).toBe("/version #1");
  });
});

describe("https://developers.cloudflare.com/workers/cache/cache-keys/#custom-cache-keys", () => {
  test("lets the caller choose what stands for path and query", async () => {
    await script("/custom/a", FRESH);
    await script("/custom/b", FRESH);
    expect((await get("/custom/a?utm=1", { cf: { cacheKey: "custom" } })).body).toBe("/custom/a #1");
    expect((await get("/custom/b", { cf: { cacheKey: "custom" } })).body).toBe("/custom/a #1");
    expect((await get("/custom/a?utm=1", { cf: { cacheKey: "other" } })).cache).toBe("MISS");
  });

  test("falls back on the URL for an empty key", async () => {
    await script("/custom/empty", FRESH);
    await script("/custom/full", FRESH);
    expect((await get("/custom/empty", { cf: { cacheKey: "" } })).cache).toBe("MISS");
    expect((await get("/custom/full", { cf: { cacheKey: "" } })).cache).toBe("MISS");
    expect((await get("/custom/empty")).cache).toBe("HIT");
  });

  test("cannot reach across props and entrypoints", async () => {
    await script("/custom/props", FRESH);
    const cf = { cacheKey: "custom/props" };
    expect((await get("/custom/props", { cf, props: { tenant: "a" } })).cache).toBe("MISS");
    expect((await get("/custom/props", { cf, props: { tenant: "b" } })).cache).toBe("MISS");
    expect((await get("/custom/props", { cf, props: { tenant: "a" }, entrypoint: "Twin" })).cache).toBe("MISS");
    expect((await get("/custom/props", { cf, props: { tenant: "a" } })).cache).toBe("HIT");
  });
});

describe("https://developers.cloudflare.com/workers/cache/limitations/#unsupported-scenarios", () => {
  test.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("lets %s pass by", async (method) => {
    const path = `/method/${method}`;
    await script(path, FRESH);
    await get(path);
    expect(await get(path, { method })).toMatchObject({ cache: "BYPASS", body: `${path} #2` });
    expect((await calls(path)).map((call) => call.method)).toEqual(["GET", method]);
    expect((await get(path)).cache).toBe("HIT");
  });

  test("lets WebSocket upgrades pass by", async () => {
    await script("/socket", FRESH, { status: 101 });
    await get("/socket");
    const upgraded = await get("/socket", { headers: { upgrade: "WebSocket" } });
    expect(upgraded).toMatchObject({ status: 101, isWebSocket: true, cache: "BYPASS" });
    expect((await get("/socket")).cache).toBe("HIT");
  });

  test("lets RPC methods pass by", async () => {
    expect(await cache.command({ do: "rpc" })).toBe(1);
    expect(await cache.command({ do: "rpc" })).toBe(2);
  });
});
