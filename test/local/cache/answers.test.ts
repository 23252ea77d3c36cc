import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { type CacheFixture, startCacheFixture } from "./fixture.ts";

const cache: CacheFixture = await startCacheFixture();
afterAll(() => cache.close());
const { calls, get, pass, script } = cache;

let paths = 0;
const newPath = (): string => `/answers/${++paths}`;

const DATE = "Mon, 01 Jan 2029 00:00:00 GMT";
const EARLIER = "Sun, 31 Dec 2028 23:59:59 GMT";
const LATER = "Mon, 01 Jan 2029 00:00:01 GMT";

describe("https://www.rfc-editor.org/rfc/rfc9111#section-4.3.2", () => {
  test.each([
    ['"a"', 304],
    ['W/"a"', 304],
    ['"x", W/"a", "y"', 304],
    ["*", 304],
    ['"b"', 200],
    ["a", 200],
    ['"x,y","a"', 304],
    ['"a,b"', 200],
  ])("answers If-None-Match: %s with %i", async (condition, status) => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "max-age=60", etag: '"a"' } });
    await get(path);
    const answer = await get(path, { headers: { "if-none-match": condition } });
    expect(answer).toMatchObject({ cache: "HIT", status, age: 0, headers: { etag: '"a"' } });
    expect(answer.body).toBe(status === 304 ? "" : `${path} #1`);
    expect("content-type" in answer.headers, "a 304 describes no body").toBe(status === 200);
    expect(await calls(path)).toHaveLength(1);
  });

  test("compares weak tags weakly (RFC 9110, section 13.1.2)", async () => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "max-age=60", etag: 'W/"a"' } });
    await get(path);
    expect((await get(path, { headers: { "if-none-match": '"a"' } })).status).toBe(304);
  });

  test.each([
    [DATE, 304],
    [LATER, 304],
    [EARLIER, 200],
    ["yesterday", 200],
  ])("answers If-Modified-Since: %s with %i", async (condition, status) => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "max-age=60", "last-modified": DATE } });
    await get(path);
    expect((await get(path, { headers: { "if-modified-since": condition } })).status).toBe(status);
  });

  test("takes Date, then the time of receipt, for a Last-Modified that is missing", async () => {
    const dated = newPath();
    await script(dated, { headers: { "cache-control": "max-age=60", date: DATE } });
    await get(dated);
    expect((await get(dated, { headers: { "if-modified-since": DATE } })).status).toBe(304);
    expect((await get(dated, { headers: { "if-modified-since": EARLIER } })).status).toBe(200);
    const undated = newPath();
    await script(undated, { headers: { "cache-control": "max-age=60" } });
    await get(undated);
    expect((await get(undated, { headers: { "if-modified-since": LATER } })).status).toBe(200);
    expect((await get(undated, { headers: { "if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT" } })).status).toBe(
      304,
    );
  });

  test("goes by If-None-Match alone if there is one (RFC 9110, section 13.2.2)", async () => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "max-age=60", "last-modified": DATE, etag: '"a"' } });
    await get(path);
    const ifModifiedSince = { "if-modified-since": LATER };
    expect((await get(path, { headers: { ...ifModifiedSince, "if-none-match": '"b"' } })).status).toBe(200);
    expect((await get(path, { headers: ifModifiedSince })).status).toBe(304);
  });

  test("has no conditions for what is no success (RFC 9110, section 13.2.1)", async () => {
    const path = newPath();
    await script(path, { status: 404, headers: { "cache-control": "max-age=60", etag: '"a"' } });
    await get(path);
    expect(await get(path, { headers: { "if-none-match": '"a"' } })).toMatchObject({ status: 404, cache: "HIT" });
  });

  test("answers the request that fills the cache no differently, and asks the Worker without its conditions", async () => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "max-age=60", etag: '"a"' } });
    const conditions = { "if-none-match": '"a"', "if-match": '"b"', "if-modified-since": DATE, "if-range": '"c"' };
    expect(await get(path, { headers: { ...conditions, "x-kept": "1" } })).toMatchObject({
      cache: "MISS",
      status: 304,
    });
    expect((await calls(path))[0]?.headers).toEqual({ "x-kept": "1" });
    expect(await get(path)).toMatchObject({ cache: "HIT", status: 200, body: `${path} #1` });
  });

  test("tells a client whose copy is current after a revalidation so", async () => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "max-age=10", etag: '"a"' }, validates: true });
    await get(path);
    await pass(10);
    const answer = await get(path, { headers: { "if-none-match": '"a"' } });
    expect(answer).toMatchObject({ cache: "REVALIDATED", status: 304 });
  });
});

describe("https://developers.cloudflare.com/workers/cache/cache-keys/#what-goes-into-the-cache-key", () => {
  test("answers HEAD with the headers of GET", async () => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "max-age=60", "x-a": "1" }, body: "twelve bytes" });
    await get(path);
    const head = await get(path, { method: "HEAD" });
    expect(head).toMatchObject({
      cache: "HIT",
      status: 200,
      body: "",
      headers: { "x-a": "1", "content-length": "12" },
    });
  });

  test("answers HEAD without a body where nothing is stored", async () => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "no-store", "x-a": "1" } });
    expect(await get(path, { method: "HEAD" })).toMatchObject({ cache: "BYPASS", body: "", headers: { "x-a": "1" } });
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#range-requests", () => {
  const body = "0123456789";
  const headers = { "cache-control": "max-age=60", etag: '"a"', "last-modified": DATE };

  test("cuts ranges out of the whole, which it asks the Worker for", async () => {
    const path = newPath();
    await script(path, { headers, body });
    const first = await get(path, { headers: { range: "bytes=0-3" } });
    expect(first).toMatchObject({
      cache: "MISS",
      status: 206,
      body: "0123",
      headers: { "content-range": "bytes 0-3/10" },
    });
    expect((await calls(path))[0]?.headers).toEqual({});
    expect(await get(path, { headers: { range: "bytes=4-5" } })).toMatchObject({
      cache: "HIT",
      status: 206,
      body: "45",
    });
    expect(await get(path)).toMatchObject({ cache: "HIT", status: 200, body });
  });

  test.each([
    ["bytes=8-", 206, "89", "bytes 8-9/10"],
    ["bytes=8-100", 206, "89", "bytes 8-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=-100", 206, body, "bytes 0-9/10"],
    ["bytes=9-9", 206, "9", "bytes 9-9/10"],
    ["bytes=10-", 416, "", "bytes */10"],
    ["bytes=-0", 416, "", "bytes */10"],
    ["bytes=5-4", 416, "", "bytes */10"],
    ["bytes=0-1,4-5", 200, body, undefined],
    ["bytes=-", 200, body, undefined],
    ["lines=1-2", 200, body, undefined],
  ])("answers Range: %s with %i", async (range, status, part, contentRange) => {
    const path = newPath();
    await script(path, { headers, body });
    await get(path);
    const answer = await get(path, { headers: { range } });
    expect(answer).toMatchObject({ cache: "HIT", status, body: part });
    expect(answer.headers["content-range"]).toBe(contentRange);
  });

  test.each([
    ['"a"', 206],
    ['"b"', 200],
    ['W/"a"', 200],
    [DATE, 206],
    [LATER, 200],
  ])("heeds If-Range: %s (RFC 9110, section 13.1.5)", async (condition, status) => {
    const path = newPath();
    await script(path, { headers, body });
    await get(path);
    expect((await get(path, { headers: { range: "bytes=0-1", "if-range": condition } })).status).toBe(status);
  });

  test("prefers 304 to a range (RFC 9110, section 13.2.2)", async () => {
    const path = newPath();
    await script(path, { headers, body });
    await get(path);
    expect((await get(path, { headers: { range: "bytes=0-1", "if-none-match": '"a"' } })).status).toBe(304);
  });

  test("ignores ranges of HEAD and of what is not 200 (RFC 9110, section 14.2)", async () => {
    const path = newPath();
    await script(path, { headers, body });
    expect((await get(path, { method: "HEAD", headers: { range: "bytes=0-1" } })).status).toBe(200);
    const missing = newPath();
    await script(missing, { status: 404, headers, body });
    expect((await get(missing, { headers: { range: "bytes=0-1" } })).status).toBe(404);
  });

  test("does not cut what may not be stored", async () => {
    const path = newPath();
    await script(path, { headers: { "cache-control": "no-store" }, body });
    const answer = await get(path, { headers: { range: "bytes=0-1" } });
    expect(answer).toMatchObject({ cache: "BYPASS", status: 200, body });
  });
});

describe("https://developers.cloudflare.com/workers/cache/configuration/#accept-encoding-and-content-encoding", () => {
  test("serves the encoding that the Worker chose, and does not cut it", async () => {
    const path = newPath();
    const headers = { "cache-control": "max-age=60", "content-encoding": "gzip" };
    await script(path, { headers, body: "plain" });
    for (const status of ["MISS", "HIT"]) {
      expect(await get(path)).toMatchObject({ cache: status, body: "plain", headers: { "content-encoding": "gzip" } });
    }
    expect(await get(path, { headers: { range: "bytes=0-1" } })).toMatchObject({ status: 200, body: "plain" });
  });

  test("does not encode anew what the Worker has encoded", async () => {
    const path = newPath();
    const body = gzipSync("packed by the Worker").toString("base64");
    await script(path, { headers: { "cache-control": "max-age=60", "content-encoding": "gzip" }, body, encoded: true });
    for (const status of ["MISS", "HIT"]) {
      expect(await get(path)).toMatchObject({ cache: status, body: "packed by the Worker" });
    }
  });
});

test("sends a body on as it comes, and stores it when it is complete", async () => {
  const path = newPath();
  await script(path, { headers: { "cache-control": "max-age=60" }, chunks: ["one ", { gate: path }, "two"] });
  const response = await cache.stream(path);
  const reader = response.getReader();
  expect((await reader.read()).value).toBe("one ");
  await cache.open(path);
  expect((await reader.read()).value).toBe("two");
  expect(await get(path)).toMatchObject({ cache: "HIT", body: "one two" });
});

test("does not store a body that breaks off", async () => {
  const path = newPath();
  const headers = { "cache-control": "max-age=60" };
  await script(path, { headers, chunks: ["half of it"], breaks: true }, { headers });
  await expect(get(path)).rejects.toThrow();
  expect(await get(path)).toMatchObject({ cache: "MISS", body: `${path} #2` });
});

test("bears no body and no connection's headers where there are none (RFC 9111, section 3.1)", async () => {
  const path = newPath();
  await script(path, { status: 204, headers: { "cache-control": "max-age=60", "keep-alive": "timeout=5" } });
  await get(path);
  const hit = await get(path);
  expect(hit).toMatchObject({ cache: "HIT", status: 204, body: "" });
  expect(hit.headers).not.toHaveProperty("keep-alive");
});
