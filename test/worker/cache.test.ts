// What the edge reuses, for how long, and what ends that.
import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { test as base, describe, expect, vi } from "vitest";
import type { Database } from "../../src/worker/db/client.ts";
import type { Statement } from "../../src/worker/db/statement.ts";
import { type Access, queryForKey } from "../../src/worker/resources/api-key/access.ts";
import { PURGE_SECRET, useApi } from "../support/api.ts";
import { cachedReads } from "../support/operations.ts";
import { createOwnProcess } from "../support/own-process.ts";
import { randomToken, useRecords } from "../support/records.ts";
import { errorOf } from "../support/response.ts";

const api = useApi();
const records = useRecords();

/** A test may have a process of its own, with a machine size. */
const test = base.extend("own", async () => {
  const own = await createOwnProcess(api, records);
  const size = await records.resourceType();
  await records.pool.query("update processes set resource_type_id = $1 where id = $2", [size.id, own.processId]);
  const queriesOf = (...read: Parameters<typeof own.get>) =>
    api.queriesOf(async () => expect((await own.get(...read)).status, "costs none, either").toBeLessThan(500));
  return { ...own, size, queriesOf };
});
const cacheStatus = (response: Response) => response.headers.get("cache-status");
const nameOf = async (response: Response) => ((await response.json()) as { display_name: string }).display_name;

describe("a cached response", () => {
  test("costs no query, and says how long it is fresh", async ({ own: { get, queriesOf } }) => {
    const miss = await get();
    expect(cacheStatus(miss)).toBe("process-api; fwd=miss; stored");
    await api.advance(10);
    expect(await queriesOf()).toBe(0);
    const hit = await get();
    expect([cacheStatus(hit), hit.headers.get("age")]).toStrictEqual(["process-api; hit; ttl=20", "10"]);
    expect(await hit.text()).toBe(await miss.text());
    expect(hit.headers.get("etag")).toBe(miss.headers.get("etag"));
    expect(hit.headers.get("x-request-id")).not.toBe(miss.headers.get("x-request-id"));
  });

  test.for(["GET", "HEAD"])("of %s serves GET and HEAD", async (method, { own: { get, processId, queriesOf } }) => {
    expect(await queriesOf({}, { method })).toBe(1);
    for (const other of ["GET", "HEAD"]) expect(await queriesOf({}, { method: other })).toBe(0);
    expect(await (await get()).json()).toMatchObject({ id: processId });
  });

  test("serves every spelling of its URL, and no other URL", async ({ own: { path, list, queriesOf } }) => {
    for (const spellings of [
      [path, path.replaceAll(/[0-9a-f-]{36}/g, (id) => id.toUpperCase()), `${path}?cache=bust&${randomUUID()}`],
      [list, `${list}?limit=25`, `${list}?offset=0&limit=25`, `${list}?limit=025&x=1&offset=00`],
      [`${list}?limit=5&offset=1`, `${list}?offset=1&limit=5`],
      [`${list}?limit=6&offset=1`],
    ]) {
      const queries: [string, number][] = [];
      for (const what of spellings) queries.push([what, await queriesOf({}, { what })]);
      expect(queries).toStrictEqual(spellings.map((what, i) => [what, i === 0 ? 1 : 0]));
    }
  });

  test("serves whatever headers a client sends", async ({ own: { get, queriesOf } }) => {
    await get();
    // Directives that a cache may ignore (RFC 9111, section 5.2.1).
    const control = "max-age=5, max-stale, min-fresh=9, only-if-cached, no-transform";
    const wishes = { "cache-control": control, pragma: "no-cache", accept: "text/html", range: "bytes=0-9" };
    const claims = { "x-forwarded-host": randomUUID(), "x-http-method-override": "POST", cookie: "a=b" };
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const labels = { "cloudflare-workers-version-key": randomUUID(), traceparent };
    expect(await queriesOf({ ...wishes, ...claims, ...labels })).toBe(0);
  });

  test("serves only the key that it was made for", async ({ own: { get, companyId, queriesOf } }) => {
    await get();
    const [{ token }, stranger] = [await records.key(companyId), await records.key(await records.company())];
    expect(await queriesOf({}, { token })).toBe(1);
    expect((await get({}, { token: stranger.token })).status).toBe(404);
    expect((await get({}, { token: randomToken() })).status).toBe(401);
  });

  test("is made by one query for a hundred requests at once", async ({ own: { get, processId } }) => {
    const before = api.queries();
    const responses = await Promise.all(Array.from({ length: 100 }, () => get()));
    expect(api.queries() - before).toBe(1);
    for (const response of responses) expect(await response.json()).toMatchObject({ id: processId });
  });

  test("is served stale for half a minute, while one query refreshes it", async ({ own: { get, rename } }) => {
    await get();
    await rename("Renamed");
    await api.advance(31);
    const before = api.queries();
    const release = api.hold();
    for (const response of await Promise.all([get(), get(), get()])) {
      expect(cacheStatus(response)).toBe("process-api; hit; ttl=-1");
      expect(await nameOf(response)).not.toBe("Renamed");
    }
    release();
    await expect.poll(async () => nameOf(await get())).toBe("Renamed");
    expect(api.queries() - before).toBe(1);
    await rename("Renamed again");
    await api.advance(61);
    const response = await get();
    expect(cacheStatus(response)).toBe("process-api; fwd=stale; stored");
    expect(await nameOf(response)).toBe("Renamed again");
  });

  test("lives as long as the settings say", async ({ own: { get } }) => {
    const neverStale = { EDGE_STALE_WHILE_REVALIDATE_SECONDS: "0", EDGE_STALE_IF_ERROR_SECONDS: "0" };
    await api.set({ EDGE_FRESH_WITHOUT_FEED_SECONDS: "7", ...neverStale });
    await get();
    expect(cacheStatus(await get())).toBe("process-api; hit; ttl=7");
    await api.advance(8);
    api.fail("500");
    expect((await get()).status).toBe(503);
  });
});

test.for(["no-store", "no-cache"])("the response to a request with %s is not stored", async (directive, { own }) => {
  // RFC 9111, section 5.2.1.5.
  for (const _ of [1, 2]) {
    const response = await own.get({ "cache-control": directive });
    expect([response.status, cacheStatus(response)]).toStrictEqual([200, "process-api; fwd=request"]);
  }
  expect(cacheStatus(await own.get())).toBe("process-api; fwd=miss; stored");
});

test("a request that passes the cache reads the database, passes every check, and leaves the cached response", async ({
  own,
}) => {
  const headers = { "cache-control": "max-age=0" };
  const cached = await own.get();
  await own.rename("Renamed");
  const before = api.queries();
  const getUnless = (known: Response) => own.get({ ...headers, "if-none-match": String(known.headers.get("etag")) });
  const response = await getUnless(cached);
  expect([response.status, cacheStatus(response)]).toStrictEqual([200, "process-api; fwd=request"]);
  expect(api.queries() - before).toBe(1);
  expect(response.headers.has("age")).toBe(false);
  expect(await nameOf(response)).toBe("Renamed");
  expect((await getUnless(response)).status).toBe(304);
  expect(api.queries() - before).toBe(2);
  const hit = await own.get();
  expect(cacheStatus(hit)).toContain("hit");
  expect(await hit.text()).toBe(await cached.text());
  const { token: unpermitted } = await records.key(own.companyId, { permissions: [] });
  const { token: stranger } = await records.key(await records.company());
  const statuses = Object.entries({ [randomToken()]: 401, [unpermitted]: 403, [stranger]: 404 });
  for (const [token, status] of statuses) expect((await own.get(headers, { token })).status).toBe(status);
});

describe("a conditional request", () => {
  test.for(["GET", "HEAD"])("%s is a 304 for a cache, without a query or a body", async (method, { own: { get } }) => {
    const etag = String((await get()).headers.get("etag"));
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    const before = api.queries();
    const response = await get({ "if-none-match": etag }, { method });
    expect([response.status, await response.text(), api.queries() - before]).toStrictEqual([304, "", 0]);
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({ etag, "cache-control": "private, no-cache", vary: "Authorization" });
    const always = ["x-request-id", "access-control-allow-origin", "ratelimit-policy", "cache-status"];
    for (const name of always) expect(headers).toHaveProperty([name]);
    for (const name of ["content-type", "content-length", "last-modified"]) expect(headers).not.toHaveProperty([name]);
    expect((await get({ "if-none-match": '"other"' }, { method })).status).toBe(200);
  });

  test("that fails is no 304", async ({ own: { get } }) => {
    expect((await get({ "if-none-match": "*" }, { token: randomToken() })).status).toBe(401);
    expect((await get({ "if-none-match": "*" }, { what: "/nowhere" })).status).toBe(404);
  });

  test.for([
    ["processes", "display_name = 'Renamed'"],
    ["applications", "namespace = 'ns-2'"],
    ["process_resource_types", "cpu_millicores = 9"],
  ] as const)("sees a change to %s, by the ETag and by the date", async ([table, change], { own }) => {
    const ids = { processes: own.processId, applications: own.applicationId, process_resource_types: own.size.id };
    const update = (name: string, id: string, what: string) =>
      records.pool.query(`update ${name} set ${what} where id = $1`, [id]);
    for (const [name, id] of Object.entries(ids)) await update(name, id, "updated_at = '2001-02-03T04:05:06Z'");
    const { headers } = await own.get();
    const [before, after] = ["Sat, 03 Feb 2001 04:05:06 GMT", "Sat, 03 Feb 2001 04:05:07 GMT"];
    expect(headers.get("last-modified")).toBe(before);
    await update(table, ids[table], `${change}, updated_at = '2001-02-03T04:05:07Z'`);
    await api.purge({ applications: [own.applicationId] });
    expect((await own.get({ "if-none-match": String(headers.get("etag")) })).status).toBe(200);
    const changed = await own.get({ "if-modified-since": before });
    expect([changed.status, changed.headers.get("last-modified")]).toStrictEqual([200, after]);
    expect((await own.get({ "if-modified-since": after })).status).toBe(304);
  });

  test.for([
    ["at the end of the second of the last change", "2001-02-03T04:05:06.001Z", 304],
    ["before that second, and of no use, while others may still change in it", "just now", 200],
  ] as const)("has a date %s", async ([_, moment, status], { own: { get, processId, applicationId, size } }) => {
    // That second is over, but not a transaction that may have begun in it.
    const updatedAt = new Date(moment === "just now" ? Date.now() - 2_000 : moment);
    const ids = { processes: processId, applications: applicationId, process_resource_types: size.id };
    for (const [table, id] of Object.entries(ids)) {
      await records.pool.query(`update ${table} set updated_at = $1 where id = $2`, [updatedAt, id]);
    }
    expect((await get({ "if-modified-since": new Date(Date.now() + 1_000).toUTCString() })).status).toBe(status);
    const end = Math.ceil(updatedAt.getTime() / 1_000) * 1_000;
    const date = new Date(status === 304 ? end : end - 1_000).toUTCString();
    expect((await get()).headers.get("last-modified")).toBe(date);
  });
});

describe("what is not found", () => {
  test("is cached for five seconds, with a new id in each response", async ({ own: { get, list, queriesOf } }) => {
    const what = `${list}/${randomUUID()}`;
    const miss = await errorOf(await get({}, { what }), 404);
    expect(await queriesOf({}, { what })).toBe(0);
    const hit = await get({}, { what });
    expect(cacheStatus(hit)).toBe("process-api; hit; ttl=5");
    expect((await errorOf(hit, 404)).data.code).not.toBe(miss.data.code);
    await api.advance(5);
    expect(await queriesOf({}, { what })).toBe(1);
  });

  test("is found at once after a purge of its id", async ({ own: { get, applicationId, list } }) => {
    const id = randomUUID();
    const statusOf = async () => (await get({}, { what: `${list}/${id}` })).status;
    expect(await statusOf()).toBe(404);
    await records.process(applicationId, { id });
    expect(await statusOf()).toBe(404);
    await api.purge({ processes: [id] });
    expect(await statusOf()).toBe(200);
  });
});

test("401 and 403 are never cached", async ({ own: { companyId, queriesOf } }) => {
  for (const token of [randomToken(), (await records.key(companyId, { permissions: [] })).token]) {
    for (const _ of [1, 2]) expect(await queriesOf({}, { token })).toBe(1);
  }
});

describe("the expiry of a key or a token", () => {
  test.for(["key", "token"])("of a %s ends the reuse of its responses", async (what, { own: { get, companyId } }) => {
    const expiresAt = new Date(Date.now() + 20_500);
    const key = await records.key(companyId, what === "key" ? { expiresAt } : {});
    const token = what === "key" ? key.token : await records.token(key.id, expiresAt);
    await get({}, { token });
    const leftMs = expiresAt.getTime() - Date.now();
    const [, ttl] = /hit; ttl=(\d+)$/.exec(String(cacheStatus(await get({}, { token })))) ?? [];
    expect(Number(ttl)).toBeLessThanOrEqual(20);
    expect(Number(ttl)).toBeGreaterThanOrEqual(Math.floor(leftMs / 1_000));
  });

  test("far away changes nothing", async ({ own: { get, companyId } }) => {
    const { token } = await records.key(companyId, { expiresAt: new Date("9999-12-31T00:00:00Z") });
    await get({}, { token });
    expect(cacheStatus(await get({}, { token }))).toBe("process-api; hit; ttl=30");
  });

  test("is counted from the moment at which the query was sent", async () => {
    vi.useFakeTimers();
    const query = async () => {
      vi.advanceTimersByTime(400);
      return [{ secondsLeft: 20.5 }];
    };
    const caller = { keyHash: "", trace: {} };
    const row = await queryForKey({ query } as unknown as Database, {} as Statement<Access>, caller);
    vi.useRealTimers();
    expect(row?.secondsLeft).toBeCloseTo(20.1, 6);
  });
});

describe("POST /ops/purge", () => {
  /** By the names of the parameters of paths. */
  const FIELDS: Record<string, string> = { id: "applications", process_id: "processes" };

  test.for(cachedReads)("ends the reuse of $id by all that it depends on", async (operation, { own }) => {
    const ids: Record<string, string> = own.ids;
    const read = () => api.fetch(operation.path(ids), operation.request(own.key.token));
    await read();
    const fields = ["companies", "applications", "processes", "keys", "resource_types"];
    // A new machine size may be in the list of them.
    if (operation.path().endsWith("types")) fields.pop();
    const others = Object.fromEntries(fields.map((field) => [field, [randomUUID()]]));
    expect((await api.purge(others)).status).toBe(200);
    expect(await api.queriesOf(read)).toBe(0);
    const names = operation.parameters.map((name) => [
      FIELDS[name] ?? `Say in FIELDS what purges {${name}}`,
      ids[name],
    ]);
    for (const [field, id] of [["keys", own.key.id], ["companies", own.companyId], ...names]) {
      expect((await api.purge({ [String(field)]: [String(id).toUpperCase()] })).status).toBe(200);
      expect([field, await api.queriesOf(read)]).toStrictEqual([field, 1]);
    }
  });

  test("of a process or a machine size ends the reuse of what shows it", async ({ own }) => {
    const sizes = "/v3/resources/process-resource-types";
    for (const [what, changed] of [
      [own.path, { resource_types: [own.size.id] }],
      [own.list, { resource_types: [own.size.id] }],
      [own.list, { processes: [own.processId] }],
      // One that is new.
      [sizes, { resource_types: [randomUUID()] }],
    ] as const) {
      await own.get({}, { what });
      // Machine sizes are fresh for longer.
      if (what === sizes) await api.advance(299);
      expect(await own.queriesOf({}, { what })).toBe(0);
      await api.purge(changed);
      expect([what, await own.queriesOf({}, { what })]).toStrictEqual([what, 1]);
    }
  });

  const PREVIOUS = "the-secret-of-those-who-purged-before";
  test.for([
    ["its secret", {}, [200, 401]],
    ["the secret before as well, while it is rotated", { PURGE_SECRET_PREVIOUS: PREVIOUS }, [200, 200]],
    ["nothing where no secret is set", { PURGE_SECRET: undefined }, [401, 401]],
  ] as const)("takes %s", async ([_, vars, expected], { own: { key, get, processId, queriesOf } }) => {
    await api.set(vars);
    await get();
    const statusOf = async (secret: string) => (await api.purge({ processes: [processId] }, secret)).status;
    const wrong = ["", "x", "undefined", "null", key.token, PURGE_SECRET.slice(0, -1), `${PREVIOUS}x`];
    for (const secret of wrong) expect([secret, await statusOf(secret)]).toStrictEqual([secret, 401]);
    expect((await api.fetch("/ops/purge", { method: "POST", body: "{}" })).status).toBe(401);
    expect(await queriesOf()).toBe(0);
    expect([await statusOf(PURGE_SECRET), await statusOf(PREVIOUS)]).toStrictEqual(expected);
  });

  test("takes no large body, says what is wrong with others, and passes on what the platform refuses", async () => {
    await errorOf(await api.purge({ processes: ["x".repeat(16_384)] }), 413);
    const headers = { authorization: `Bearer ${PURGE_SECRET}`, "content-encoding": "gzip" };
    const compressed = await api.fetch("/ops/purge", { method: "POST", headers, body: gzipSync("{}") });
    expect(compressed.headers.get("accept-encoding")).toBe("identity");
    await errorOf(compressed, 415);
    const malformed = await errorOf(await api.purge({ processes: ["x"] }), 400);
    expect(malformed.data.message).toBe("Expected a UUID at processes.0.");
    await api.refusePurge({ code: 1134, message: "Unable to purge: rate limit reached. Please wait" });
    const refused = await api.purge({ processes: [randomUUID()] });
    await api.refusePurge(null);
    expect(refused.headers.get("retry-after")).toBe("12");
    expect((await errorOf(refused, 429)).message).toContain("Nothing was purged.");
  });
});

test.for(["/v3/openapi.json", "/v3/openapi.full.json"])(
  "%s may be kept by anybody, and is asked for again with its ETag",
  async (path) => {
    const { headers } = await api.fetch(path);
    expect(headers.get("cache-control")).toBe("public, max-age=300");
    const conditional = { "if-none-match": String(headers.get("etag")) };
    expect((await api.fetch(path, { headers: conditional })).status).toBe(304);
  },
);
