// What the edge reuses, for how long, and what ends that.
import { randomUUID } from "node:crypto";
import { describe, expect, test, vi } from "vitest";
import { type Access, queryForKey } from "../../src/worker/db/access.ts";
import type { Database } from "../../src/worker/db/client.ts";
import type { Statement } from "../../src/worker/db/statement.ts";
import { PURGE_SECRET, useApi } from "../support/api.ts";
import { privateReads } from "../support/operations.ts";
import { createOwnProcess } from "../support/own-process.ts";
import { randomToken, useRecords } from "../support/records.ts";
import { errorOf } from "../support/response.ts";

const api = useApi();
const records = useRecords();
const createProcess = () => createOwnProcess(api, records);
const cacheStatus = (response: Response) => response.headers.get("cache-status");
const nameOf = async (response: Response) => ((await response.json()) as { display_name: string }).display_name;

describe("a cached response", () => {
  test("costs no query, and says how long it is fresh", async () => {
    const { get } = await createProcess();
    const miss = await get();
    expect(cacheStatus(miss)).toBe("process-api; fwd=miss; stored");
    await api.advance(10);
    expect(await api.queriesOf(get)).toBe(0);
    const hit = await get();
    expect(cacheStatus(hit)).toBe("process-api; hit; ttl=20");
    expect(hit.headers.get("age")).toBe("10");
    expect(await hit.text()).toBe(await miss.text());
    expect(hit.headers.get("etag")).toBe(miss.headers.get("etag"));
    expect(hit.headers.get("x-request-id")).not.toBe(miss.headers.get("x-request-id"));
  });

  test.for([["GET", "HEAD"] as const, ["HEAD", "GET"] as const])("of %s serves %s", async ([first, second]) => {
    const { get, processId } = await createProcess();
    expect(await api.queriesOf(() => get({}, { method: first }))).toBe(1);
    expect(await api.queriesOf(() => get({}, { method: second }))).toBe(0);
    expect(await (await get()).json()).toMatchObject({ id: processId });
  });

  test("serves every spelling of its URL, and no other URL", async () => {
    const { get, path, list } = await createProcess();
    for (const [what, ...spellings] of [
      [path, path.replaceAll(/[0-9a-f-]{36}/g, (id) => id.toUpperCase()), `${path}?cache=bust&${randomUUID()}`],
      [list, `${list}?limit=25`, `${list}?offset=0&limit=25`, `${list}?limit=025&x=1&offset=00`],
      [`${list}?limit=5&offset=1`, `${list}?offset=1&limit=5`],
      [`${list}?limit=6&offset=1`],
    ] as [string, ...string[]][]) {
      expect([what, await api.queriesOf(() => get({}, { what }))]).toStrictEqual([what, 1]);
      for (const one of spellings) {
        expect([one, await api.queriesOf(() => get({}, { what: one }))]).toStrictEqual([one, 0]);
      }
    }
  });

  test("serves whatever headers a client sends", async () => {
    const { get } = await createProcess();
    await get();
    const headers = {
      "cache-control": "no-store",
      pragma: "no-cache",
      cookie: "a=b",
      "x-forwarded-host": randomUUID(),
      "x-http-method-override": "POST",
      "cloudflare-workers-version-key": randomUUID(),
      accept: "text/html",
      range: "bytes=0-9",
    };
    expect(await api.queriesOf(() => get(headers))).toBe(0);
  });

  test("serves only the key that it was made for", async () => {
    const { get, companyId } = await createProcess();
    await get();
    const [{ token }, stranger] = [await records.key(companyId), await records.key(await records.company())];
    expect(await api.queriesOf(() => get({}, { token }))).toBe(1);
    expect((await get({}, { token: stranger.token })).status).toBe(404);
    expect((await get({}, { token: randomToken() })).status).toBe(401);
  });

  test("is made by one query for a hundred requests at once", async () => {
    const { get, processId } = await createProcess();
    const before = api.queries();
    const responses = await Promise.all(Array.from({ length: 100 }, () => get()));
    expect(api.queries() - before).toBe(1);
    for (const response of responses) expect(await response.json()).toMatchObject({ id: processId });
  });

  test("is served stale for half a minute, while one query refreshes it", async () => {
    const { get, rename } = await createProcess();
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

  test("lives as long as the settings say", async () => {
    const { get } = await createProcess();
    await api.set({
      EDGE_FRESH_WITHOUT_FEED_SECONDS: "7",
      EDGE_STALE_WHILE_REVALIDATE_SECONDS: "0",
      EDGE_STALE_IF_ERROR_SECONDS: "0",
    });
    await get();
    expect(cacheStatus(await get())).toBe("process-api; hit; ttl=7");
    await api.advance(8);
    api.fail("500");
    expect((await get()).status).toBe(503);
  });
});

test("a request that must be fresh reads the database, passes every check, and leaves the cached response", async () => {
  const { get, rename, companyId } = await createProcess();
  const headers = { "cache-control": "max-age=0" };
  const cached = await get();
  await rename("Renamed");
  const conditional = { ...headers, "if-none-match": String(cached.headers.get("etag")) };
  const before = api.queries();
  const response = await get(conditional);
  expect(api.queries() - before).toBe(1);
  expect([response.status, cacheStatus(response)]).toStrictEqual([200, "process-api; fwd=request"]);
  expect(response.headers.has("age")).toBe(false);
  expect(await nameOf(response)).toBe("Renamed");
  conditional["if-none-match"] = String(response.headers.get("etag"));
  expect(await api.queriesOf(async () => expect((await get(conditional)).status).toBe(304))).toBe(1);
  const hit = await get();
  expect(cacheStatus(hit)).toContain("hit");
  expect(await hit.text()).toBe(await cached.text());
  const [{ token: unpermitted }, { token: stranger }] = [
    await records.key(companyId, { permissions: [] }),
    await records.key(await records.company()),
  ];
  for (const [token, status] of [[randomToken(), 401] as const, [unpermitted, 403] as const, [stranger, 404] as const])
    expect((await get(headers, { token })).status).toBe(status);
});

describe("a conditional request", () => {
  test.for(["GET", "HEAD"])("%s is a 304 with what a cache must know, without a query or a body", async (method) => {
    const { get } = await createProcess();
    const full = await get();
    const etag = String(full.headers.get("etag"));
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    const before = api.queries();
    const response = await get({ "if-none-match": etag }, { method });
    expect([response.status, await response.text(), api.queries() - before]).toStrictEqual([304, "", 0]);
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({ etag, "cache-control": "private, no-cache", vary: "Authorization" });
    for (const name of ["x-request-id", "access-control-allow-origin", "ratelimit-policy", "cache-status"]) {
      expect(headers).toHaveProperty([name]);
    }
    for (const name of ["content-type", "content-length", "last-modified"]) expect(headers).not.toHaveProperty([name]);
    expect((await get({ "if-none-match": '"other"' }, { method })).status).toBe(200);
  });

  test("that fails is no 304", async () => {
    const { get } = await createProcess();
    expect((await get({ "if-none-match": "*" }, { token: randomToken() })).status).toBe(401);
    expect((await get({ "if-none-match": "*" }, { what: "/nowhere" })).status).toBe(404);
  });

  test.for([
    ["processes", "display_name = 'Renamed'"],
    ["applications", "namespace = 'ns-2'"],
    ["process_resource_types", "cpu_millicores = 9"],
  ] as const)("sees a change to %s, by the ETag and by the date", async ([table, change]) => {
    const { get, applicationId, processId, size } = await createSizedProcess();
    const ids = { processes: processId, applications: applicationId, process_resource_types: size.id };
    const update = (name: keyof typeof ids, what: string) =>
      records.pool.query(`update ${name} set ${what} where id = $1`, [ids[name]]);
    for (const name of Object.keys(ids)) await update(name as typeof table, "updated_at = '2001-02-03T04:05:06Z'");
    const { headers } = await get();
    const [before, after] = ["Sat, 03 Feb 2001 04:05:06 GMT", "Sat, 03 Feb 2001 04:05:07 GMT"];
    expect(headers.get("last-modified")).toBe(before);
    await update(table, `${change}, updated_at = '2001-02-03T04:05:07Z'`);
    await api.purge({ applications: [applicationId] });
    expect((await get({ "if-none-match": String(headers.get("etag")) })).status).toBe(200);
    const changed = await get({ "if-modified-since": before });
    expect([changed.status, changed.headers.get("last-modified")]).toStrictEqual([200, after]);
    expect((await get({ "if-modified-since": after })).status).toBe(304);
  });
});

async function createSizedProcess() {
  const [own, size] = [await createProcess(), await records.resourceType()];
  await records.pool.query("update processes set resource_type_id = $1 where id = $2", [size.id, own.processId]);
  return { ...own, size };
}

describe("what is not found", () => {
  test("is cached for five seconds, with a new id in each response", async () => {
    const { get, list } = await createProcess();
    const what = `${list}/${randomUUID()}`;
    const miss = await errorOf(await get({}, { what }), 404);
    expect(await api.queriesOf(() => get({}, { what }))).toBe(0);
    const hit = await get({}, { what });
    expect(cacheStatus(hit)).toBe("process-api; hit; ttl=5");
    expect((await errorOf(hit, 404)).data.code).not.toBe(miss.data.code);
    await api.advance(5);
    expect(await api.queriesOf(() => get({}, { what }))).toBe(1);
  });

  test("is found at once after a purge of its id", async () => {
    const { get, applicationId, list } = await createProcess();
    const id = randomUUID();
    const statusOf = async () => (await get({}, { what: `${list}/${id}` })).status;
    expect(await statusOf()).toBe(404);
    await records.process(applicationId, { id });
    expect(await statusOf()).toBe(404);
    await api.purge({ processes: [id] });
    expect(await statusOf()).toBe(200);
  });
});

test("401 and 403 are never cached", async () => {
  const { get, companyId } = await createProcess();
  for (const token of [randomToken(), (await records.key(companyId, { permissions: [] })).token]) {
    for (const _ of [1, 2]) expect(await api.queriesOf(() => get({}, { token }))).toBe(1);
  }
});

describe("the expiry of a key or a token", () => {
  test.for(["key", "token"])("of a %s ends the reuse of its responses", async (what) => {
    const { get, companyId } = await createProcess();
    const expiresAt = new Date(Date.now() + 20_500);
    const key = await records.key(companyId, what === "key" ? { expiresAt } : {});
    const token = what === "key" ? key.token : await records.token(key.id, expiresAt);
    await get({}, { token });
    const leftMs = expiresAt.getTime() - Date.now();
    const [, ttl] = /hit; ttl=(\d+)$/.exec(String(cacheStatus(await get({}, { token })))) ?? [];
    expect(Number(ttl)).toBeLessThanOrEqual(20);
    expect(Number(ttl)).toBeGreaterThanOrEqual(Math.floor(leftMs / 1_000));
  });

  test("far away changes nothing", async () => {
    const { get, companyId } = await createProcess();
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
    const row = await queryForKey({ query } as unknown as Database, {} as Statement<Access>, {
      keyHash: "",
      trace: {},
    });
    vi.useRealTimers();
    expect(row?.secondsLeft).toBeCloseTo(20.1, 6);
  });
});

describe("POST /ops/purge", () => {
  /** By the names of the parameters of paths. */
  const FIELDS: Record<string, string> = { id: "applications", process_id: "processes" };

  test.for(privateReads)("ends the reuse of $id by all that it depends on", async ({ parameters, path, request }) => {
    const { companyId, key, ids } = await createProcess();
    const read = () => api.fetch(path(ids), request(key.token));
    await read();
    const others = ["companies", "applications", "processes", "keys", "resource_types"].map((field) => [
      field,
      [randomUUID()],
    ]);
    // A new machine size may be in the list of them.
    if (path().endsWith("types")) others.pop();
    expect((await api.purge(Object.fromEntries(others))).status).toBe(200);
    expect(await api.queriesOf(read)).toBe(0);
    const names = parameters.map((name) => [String(FIELDS[name]), (ids as Record<string, string>)[name]]);
    for (const [field, id] of [["keys", key.id], ["companies", companyId], ...names]) {
      expect((await api.purge({ [String(field)]: [String(id).toUpperCase()] })).status).toBe(200);
      expect([field, await api.queriesOf(read)]).toStrictEqual([field, 1]);
    }
  });

  test("of a process or a machine size ends the reuse of what shows it", async () => {
    const { get, processId, path, list, size } = await createSizedProcess();
    const sizes = "/v3/resources/process-resource-types";
    for (const [what, changed] of [
      [path, { resource_types: [size.id] }],
      [list, { resource_types: [size.id] }],
      [list, { processes: [processId] }],
      // One that is new.
      [sizes, { resource_types: [randomUUID()] }],
    ] as const) {
      await get({}, { what });
      // Machine sizes are fresh for longer.
      if (what === sizes) await api.advance(299);
      expect(await api.queriesOf(() => get({}, { what }))).toBe(0);
      await api.purge(changed);
      expect([what, await api.queriesOf(() => get({}, { what }))]).toStrictEqual([what, 1]);
    }
  });

  const PREVIOUS = "the-secret-of-those-who-purged-before";
  test.for([
    ["its secret", {}, [200, 401]],
    ["the secret before as well, while it is rotated", { PURGE_SECRET_PREVIOUS: PREVIOUS }, [200, 200]],
    ["nothing where no secret is set", { PURGE_SECRET: undefined }, [401, 401]],
  ] as const)("takes %s", async ([_, vars, expected]) => {
    const { key, get, processId } = await createProcess();
    await api.set(vars);
    await get();
    const statusOf = async (secret: string) => (await api.purge({ processes: [processId] }, secret)).status;
    for (const secret of ["", "x", "undefined", "null", key.token, PURGE_SECRET.slice(0, -1), `${PREVIOUS}x`]) {
      expect([secret, await statusOf(secret)]).toStrictEqual([secret, 401]);
    }
    expect((await api.fetch("/ops/purge", { method: "POST", body: "{}" })).status).toBe(401);
    expect(await api.queriesOf(get)).toBe(0);
    expect([await statusOf(PURGE_SECRET), await statusOf(PREVIOUS)]).toStrictEqual(expected);
  });

  test("takes no large body, says what is wrong with others, and passes on what the platform refuses", async () => {
    await errorOf(await api.purge({ processes: ["x".repeat(16_384)] }), 413);
    expect((await errorOf(await api.purge({ processes: ["x"] }), 400)).data.message).toBe(
      "Expected a UUID at processes.0.",
    );
    await api.refusePurge({ code: 1134, message: "Unable to purge: rate limit reached. Please wait" });
    const refused = await api.purge({ processes: [randomUUID()] });
    await api.refusePurge(null);
    expect(refused.headers.get("retry-after")).toBe("12");
    expect((await errorOf(refused, 429)).message).toContain("Nothing was purged.");
  });
});

test("the OpenAPI document may be kept by anybody, and is asked for again with its ETag", async () => {
  const { headers } = await api.fetch("/v3/openapi.json");
  expect(headers.get("cache-control")).toBe("public, max-age=300");
  const conditional = { "if-none-match": String(headers.get("etag")) };
  expect((await api.fetch("/v3/openapi.json", { headers: conditional })).status).toBe(304);
});
