import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { PURGE_SECRET, useApi } from "../support/api.ts";
import { privateReads } from "../support/operations.ts";
import { bearer, randomToken, useRecords } from "../support/records.ts";

const api = useApi();
const records = useRecords();

/** A process that no other test reads, and who may read it. */
async function fresh() {
  const companyId = await records.company();
  const size = await records.resourceType();
  const application = await records.application(companyId);
  const process = await records.process(application.id, { type: "web", resourceTypeId: size.id });
  const key = await records.key(companyId);
  const path = `/v3/applications/${application.id}/processes/${process.id}`;
  const get = (init: RequestInit = {}) =>
    api.fetch(path, { ...init, headers: { ...bearer(key.token).headers, ...init.headers } });
  const rename = (name: string) =>
    records.pool.query("update processes set display_name = $1 where id = $2", [name, process.id]);
  return { companyId, size, application, process, key, path, get, rename };
}

const cacheStatus = (response: Response) => response.headers.get("cache-status");
const nameOf = async (response: Response) => ((await response.json()) as { display_name: string }).display_name;

async function queriesOf<T>(work: () => Promise<T>): Promise<number> {
  const before = api.queries();
  await work();
  return api.queries() - before;
}

describe("a hit", () => {
  test("costs no query, and says how long it is fresh", async () => {
    const { get } = await fresh();
    const miss = await get();
    expect(cacheStatus(miss)).toBe("process-api; fwd=miss; stored");
    await api.advance(10);
    expect(await queriesOf(get)).toBe(0);
    const hit = await get();
    expect(cacheStatus(hit)).toBe("process-api; hit; ttl=20");
    expect(hit.headers.get("age")).toBe("10");
    expect(await hit.text()).toBe(await miss.text());
    expect(hit.headers.get("etag")).toBe(miss.headers.get("etag"));
    expect(hit.headers.get("x-request-id")).not.toBe(miss.headers.get("x-request-id"));
  });

  test("is of HEAD after GET, and of GET after HEAD", async () => {
    const one = await fresh();
    expect(await queriesOf(one.get)).toBe(1);
    expect(await queriesOf(() => one.get({ method: "HEAD" }))).toBe(0);
    const two = await fresh();
    expect(await queriesOf(() => two.get({ method: "HEAD" }))).toBe(1);
    const hit = await two.get();
    expect(cacheStatus(hit)).toContain("hit");
    expect(await hit.json()).toMatchObject({ id: two.process.id });
  });

  test("is one for every spelling of the URL", async () => {
    const { get, key, application, process } = await fresh();
    await get();
    const spellings = [
      `/v3/applications/${application.id.toUpperCase()}/processes/${process.id.toUpperCase()}`,
      `/v3/applications/${application.id}/processes/${process.id}?cache=bust&${randomUUID()}`,
      `/v3/applications/%${application.id.charCodeAt(0).toString(16)}${application.id.slice(1)}/processes/${process.id}`,
    ];
    for (const path of spellings) expect(await queriesOf(() => api.fetch(path, bearer(key.token)))).toBe(0);
  });

  test("of a list is one for parameters in any order, with defaults or without", async () => {
    const { key, application } = await fresh();
    const list = (query: string) =>
      api.fetch(`/v3/applications/${application.id}/processes${query}`, bearer(key.token));
    expect(await queriesOf(() => list(""))).toBe(1);
    for (const query of ["?limit=25", "?offset=0&limit=25", "?limit=025&x=1&offset=00"]) {
      expect([query, await queriesOf(() => list(query))]).toStrictEqual([query, 0]);
    }
    expect(await queriesOf(() => list("?limit=5&offset=1"))).toBe(1);
    expect(await queriesOf(() => list("?offset=1&limit=5"))).toBe(0);
    expect(await queriesOf(() => list("?offset=1&limit=6"))).toBe(1);
  });

  test("cannot be avoided by what a client sends", async () => {
    const { get } = await fresh();
    await get();
    for (const headers of [
      { "cache-control": "max-age=1, no-cached, x-max-age=0, no-store" },
      { pragma: "no-cache" },
      { cookie: "a=b" },
      { "x-forwarded-host": randomUUID() },
      { "x-http-method-override": "POST" },
      { "cloudflare-workers-version-key": randomUUID() },
      { accept: "text/html" },
      { range: "bytes=0-9" },
    ] as Record<string, string>[]) {
      expect([headers, await queriesOf(() => get({ headers }))]).toStrictEqual([headers, 0]);
    }
  });

  test("is for one key alone", async () => {
    const { get, companyId, path } = await fresh();
    await get();
    const other = await records.key(companyId);
    expect(await queriesOf(() => api.fetch(path, bearer(other.token)))).toBe(1);
    const stranger = await records.key(await records.company());
    expect((await api.fetch(path, bearer(stranger.token))).status).toBe(404);
    expect((await api.fetch(path, bearer(randomToken()))).status).toBe(401);
    expect((await api.fetch(path)).status).toBe(401);
  });
});

describe("a request that must be fresh", () => {
  test.for(["no-cache", "max-age=0", "No-Cache", "no-transform, max-age=00", "max-age=5,no-cache"])(
    "with Cache-Control: %s is answered from the database, and says so",
    async (cacheControl) => {
      const { get, rename } = await fresh();
      await get();
      await rename("Renamed");
      const before = api.queries();
      const response = await get({ headers: { "cache-control": cacheControl } });
      expect(api.queries() - before).toBe(1);
      expect(cacheStatus(response)).toBe("process-api; fwd=request");
      expect(response.headers.has("age")).toBe(false);
      expect(await nameOf(response)).toBe("Renamed");
    },
  );

  test("is 304 if the client has what the database has", async () => {
    const { get, rename } = await fresh();
    const headers = { "cache-control": "max-age=0" };
    const etag = String((await get()).headers.get("etag"));
    await rename("Renamed");
    expect((await get({ headers: { ...headers, "if-none-match": etag } })).status).toBe(200);
    const current = String((await get({ headers })).headers.get("etag"));
    expect(await queriesOf(() => get({ headers: { ...headers, "if-none-match": current } }))).toBe(1);
    expect((await get({ headers: { ...headers, "if-none-match": current } })).status).toBe(304);
  });

  test("is not one to which fetch() has added no-cache, because of a condition", async () => {
    const { get, path, key } = await fresh();
    const etag = String((await get()).headers.get("etag"));
    const conditional = new Request(api.url.origin + path, {
      headers: { ...bearer(key.token).headers, "if-none-match": etag },
    });
    expect(await queriesOf(() => fetch(conditional))).toBe(0);
    // By itself, the word is the client's own.
    const headers = { ...bearer(key.token).headers, "if-none-match": etag, "cache-control": "no-cache" };
    expect(await queriesOf(() => getPlainly(api.url.origin + path, headers))).toBe(1);
  });

  test("leaves the copy of everybody else as it is", async () => {
    const { get, rename } = await fresh();
    const copy = await nameOf(await get());
    await rename("Renamed");
    await get({ headers: { "cache-control": "no-cache" } });
    const hit = await get();
    expect(cacheStatus(hit)).toContain("hit");
    expect(await nameOf(hit)).toBe(copy);
  });

  test("passes every check", async () => {
    const { path, companyId } = await fresh();
    const headers = { "cache-control": "no-cache" };
    const stranger = await records.key(await records.company());
    const unpermitted = await records.key(companyId, { permissions: [] });
    const statusOf = async (token: string) =>
      (await api.fetch(path, { headers: { ...headers, ...bearer(token).headers } })).status;
    expect((await api.fetch(path, { headers })).status).toBe(401);
    expect(await statusOf(randomToken())).toBe(401);
    expect(await statusOf(stranger.token)).toBe(404);
    expect(await statusOf(unpermitted.token)).toBe(403);
  });
});

/** Without what fetch() adds. */
async function getPlainly(url: string, headers: Record<string, string>): Promise<void> {
  const [response] = (await once(request(url, { headers }).end(), "response")) as [IncomingMessage];
  await text(response);
}

test("a hundred requests at once for one cold process are one query", async () => {
  const { get, process } = await fresh();
  const before = api.queries();
  const answers = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const response = await get();
      return `${response.status} ${((await response.json()) as { id: string }).id}`;
    }),
  );
  expect(new Set(answers)).toStrictEqual(new Set([`200 ${process.id}`]));
  expect(api.queries() - before).toBe(1);
});

describe("a copy that is stale", () => {
  test("is served at once while one query refreshes it", async () => {
    const { get, rename } = await fresh();
    await get();
    await rename("Renamed");
    await api.advance(31);
    const before = api.queries();
    const release = api.hold();
    const stale = await Promise.all([get(), get(), get()]);
    for (const response of stale) {
      expect(cacheStatus(response)).toBe("process-api; hit; ttl=-1");
      expect(await nameOf(response)).not.toBe("Renamed");
    }
    release();
    await expect.poll(async () => nameOf(await get())).toBe("Renamed");
    expect(api.queries() - before).toBe(1);
  });

  test("for longer than a minute is not served while the database answers", async () => {
    const { get, rename } = await fresh();
    await get();
    await rename("Renamed");
    await api.advance(61);
    const response = await get();
    expect(cacheStatus(response)).toBe("process-api; fwd=stale; stored");
    expect(await nameOf(response)).toBe("Renamed");
  });
});

describe("a conditional request", () => {
  test("is answered 304 with what a cache must know, and no body", async () => {
    const { get } = await fresh();
    const full = await get();
    const etag = String(full.headers.get("etag"));
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    const response = await get({ headers: { "if-none-match": etag } });
    expect(response.status).toBe(304);
    expect(await response.text()).toBe("");
    for (const name of ["etag", "cache-control", "vary"]) {
      expect(response.headers.get(name)).toBe(full.headers.get(name));
    }
    expect(full.headers.get("cache-control")).toBe("private, no-cache");
    expect(full.headers.get("vary")).toBe("Authorization");
    for (const name of ["x-request-id", "access-control-allow-origin", "ratelimit-policy", "cache-status"]) {
      expect([name, response.headers.has(name)]).toStrictEqual([name, true]);
    }
    for (const name of ["content-type", "content-length", "last-modified"]) {
      expect([name, response.headers.has(name)]).toStrictEqual([name, false]);
    }
  });

  test("of HEAD is too", async () => {
    const { get } = await fresh();
    const etag = String((await get()).headers.get("etag"));
    expect((await get({ method: "HEAD", headers: { "if-none-match": etag } })).status).toBe(304);
    expect((await get({ method: "HEAD", headers: { "if-none-match": '"other"' } })).status).toBe(200);
  });

  test("costs no query on a hit", async () => {
    const { get } = await fresh();
    const etag = String((await get()).headers.get("etag"));
    expect(await queriesOf(() => get({ headers: { "if-none-match": etag } }))).toBe(0);
  });

  test("compares weakly, in lists, and knows the star", async () => {
    const { get } = await fresh();
    const etag = String((await get()).headers.get("etag"));
    const opaque = etag.slice(1, -1);
    const cases: [string, number][] = [
      [`W/${etag}`, 304],
      [`"a", ${etag}`, 304],
      [`"a",W/${etag} , "b"`, 304],
      [`"a,b", ${etag}`, 304],
      ["*", 304],
      [" * ", 304],
      ['"a"', 200],
      ['W/"a", "b"', 200],
      [opaque, 200],
      [`"${opaque}`, 200],
      [`"x${opaque}"`, 200],
      [`"${opaque.toUpperCase()}"`, opaque === opaque.toUpperCase() ? 304 : 200],
      [`"*"`, 200],
      ["", 200],
    ];
    for (const [value, status] of cases) {
      const response = await get({ headers: { "if-none-match": value } });
      expect([value, response.status]).toStrictEqual([value, status]);
    }
  });

  test("by date is answered, in the three forms of an HTTP-date", async () => {
    const { get, process } = await fresh();
    await records.pool.query("update processes set updated_at = '2094-11-06T08:49:37.500Z' where id = $1", [
      process.id,
    ]);
    const cases: [string, number][] = [
      ["Sat, 06 Nov 2094 08:49:37 GMT", 304],
      ["Sat, 06 Nov 2094 08:49:38 GMT", 304],
      ["Sat, 06 Nov 2094 08:49:36 GMT", 200],
      ["Sat Nov  6 08:49:37 2094", 304],
      ["Sat Nov  6 08:49:36 2094", 200],
      // More than 50 years ahead: 1994.
      ["Sunday, 06-Nov-94 08:49:37 GMT", 200],
      ["Sat, 06 Nov 2094 08:49:37 +0000", 200],
      ["Sat, 31 Feb 2095 08:49:37 GMT", 200],
      ["2095-01-01T00:00:00Z", 200],
      ["tomorrow", 200],
    ];
    expect((await get()).headers.get("last-modified")).toBe("Sat, 06 Nov 2094 08:49:37 GMT");
    for (const [value, status] of cases) {
      const response = await get({ headers: { "if-modified-since": value } });
      expect([value, response.status]).toStrictEqual([value, status]);
    }
  });

  test("goes by If-None-Match when both are there", async () => {
    const { get } = await fresh();
    const full = await get();
    const date = String(full.headers.get("last-modified"));
    const etag = String(full.headers.get("etag"));
    expect((await get({ headers: { "if-none-match": '"other"', "if-modified-since": date } })).status).toBe(200);
    const past = "Thu, 01 Jan 1970 00:00:00 GMT";
    expect((await get({ headers: { "if-none-match": etag, "if-modified-since": past } })).status).toBe(304);
  });

  test("does not turn a failure into a 304", async () => {
    const { path } = await fresh();
    const headers = { "if-none-match": "*" };
    expect((await api.fetch(path, { headers })).status).toBe(401);
    expect((await api.fetch("/nowhere", { headers })).status).toBe(404);
  });

  test.for([
    ["processes", "display_name = 'Renamed'"],
    ["applications", "namespace = 'ns-2'"],
    ["process_resource_types", "cpu_millicores = 9"],
  ] as const)("sees a change to %s, by the ETag and by the date", async ([table, change]) => {
    const { get, application, process, size } = await fresh();
    const id = { processes: process.id, applications: application.id, process_resource_types: size.id };
    for (const one of Object.keys(id) as (typeof table)[]) {
      await records.pool.query(`update ${one} set updated_at = '2001-02-03T04:05:06Z' where id = $1`, [id[one]]);
    }
    const { headers } = await get();
    expect(headers.get("last-modified")).toBe("Sat, 03 Feb 2001 04:05:06 GMT");
    await records.pool.query(`update ${table} set ${change}, updated_at = '2001-02-03T04:05:07Z' where id = $1`, [
      id[table],
    ]);
    await api.purge({ applications: [application.id] });
    expect((await get({ headers: { "if-none-match": String(headers.get("etag")) } })).status).toBe(200);
    const changed = await get({ headers: { "if-modified-since": "Sat, 03 Feb 2001 04:05:06 GMT" } });
    expect(changed.status).toBe(200);
    expect(changed.headers.get("last-modified")).toBe("Sat, 03 Feb 2001 04:05:07 GMT");
    expect((await get({ headers: { "if-modified-since": "Sat, 03 Feb 2001 04:05:07 GMT" } })).status).toBe(304);
  });

  test("of a list goes by the ETag alone: a deletion leaves no later date", async () => {
    const { key, application, process } = await fresh();
    const path = `/v3/applications/${application.id}/processes`;
    const full = await api.fetch(path, bearer(key.token));
    expect(full.headers.has("last-modified")).toBe(false);
    await records.pool.query("delete from processes where id = $1", [process.id]);
    await api.purge({ processes: [process.id] });
    const headers = {
      ...bearer(key.token).headers,
      "if-none-match": String(full.headers.get("etag")),
    };
    expect((await api.fetch(path, { headers })).status).toBe(200);
  });
});

describe("what is not found", () => {
  test("is remembered for five seconds, and told with a new id each time", async () => {
    const { application, key } = await fresh();
    const path = `/v3/applications/${application.id}/processes/${randomUUID()}`;
    const get = () => api.fetch(path, bearer(key.token));
    const miss = await get();
    expect(await queriesOf(get)).toBe(0);
    const hit = await get();
    expect(hit.status).toBe(404);
    expect(cacheStatus(hit)).toBe("process-api; hit; ttl=5");
    expect(hit.headers.get("cache-control")).toBe("no-store");
    const idOf = async (response: Response) => ((await response.json()) as { data: { code: string } }).data.code;
    expect(await idOf(hit)).not.toBe(await idOf(miss));
    await api.advance(5);
    expect(await queriesOf(get)).toBe(1);
  });

  test("is found at once after a purge of its id", async () => {
    const { application, key } = await fresh();
    const id = randomUUID();
    const get = () => api.fetch(`/v3/applications/${application.id}/processes/${id}`, bearer(key.token));
    expect((await get()).status).toBe(404);
    await records.process(application.id, { id });
    expect((await get()).status).toBe(404);
    await api.purge({ processes: [id] });
    expect((await get()).status).toBe(200);
  });
});

describe("never stored", () => {
  test("are 401 and 403", async () => {
    const { path, companyId } = await fresh();
    for (const token of [randomToken(), (await records.key(companyId, { permissions: [] })).token]) {
      for (const _ of [1, 2]) expect(await queriesOf(() => api.fetch(path, bearer(token)))).toBe(1);
    }
  });

  test("a key that is granted the permission has it at once", async () => {
    const { path, companyId } = await fresh();
    const key = await records.key(companyId, { permissions: [] });
    expect((await api.fetch(path, bearer(key.token))).status).toBe(403);
    await records.pool.query(
      "insert into api_key_capabilities (api_key_id, company_id, permission) values ($1, $2, 'APP:READ')",
      [key.id, companyId],
    );
    expect((await api.fetch(path, bearer(key.token))).status).toBe(200);
  });
});

describe("the expiry of a key or a token", () => {
  test.for(["key", "token"])("of a %s bounds the life of every copy", async (what) => {
    const { path, companyId } = await fresh();
    const expiresAt = new Date(Date.now() + 20_500);
    const key = await records.key(companyId, what === "key" ? { expiresAt } : {});
    const token = what === "key" ? key.token : await records.token(key.id, expiresAt);
    const get = () => api.fetch(path, bearer(token));
    expect((await get()).status).toBe(200);
    const leftMs = expiresAt.getTime() - Date.now();
    const hit = await get();
    const ttl = Number(/hit; ttl=(\d+)$/.exec(String(cacheStatus(hit)))?.[1]);
    expect(ttl).toBeLessThanOrEqual(20);
    expect(ttl).toBeGreaterThanOrEqual(Math.floor(leftMs / 1_000));
    // The database agrees that its time has come.
    await records.pool.query("update api_keys set expires_at = now() where id = $1", [key.id]);
    await api.advance(ttl - 1);
    expect((await get()).status).toBe(200);
    await api.advance(1);
    // Neither stale-if-error nor stale-while-revalidate reach beyond it.
    api.fail("500");
    expect((await get()).status).toBe(503);
    api.fail(undefined);
    expect((await get()).status).toBe(401);
  });

  test("far away changes nothing", async () => {
    const { path, companyId } = await fresh();
    const { token } = await records.key(companyId, { expiresAt: new Date("9999-12-31T00:00:00Z") });
    await api.fetch(path, bearer(token));
    expect(cacheStatus(await api.fetch(path, bearer(token)))).toBe("process-api; hit; ttl=30");
  });

  test("in less than a second stores nothing", async () => {
    const { path, companyId } = await fresh();
    const { token } = await records.key(companyId, { expiresAt: new Date(Date.now() + 900) });
    const response = await api.fetch(path, bearer(token));
    // The request may be too late, but never a copy.
    expect(["200 process-api; fwd=bypass; detail=BYPASS", "401 process-api; fwd=bypass; detail=BYPASS"]).toContain(
      `${response.status} ${cacheStatus(response)}`,
    );
  });
});

describe("a revoked key", () => {
  test("is served for a minute at most, and not at all after a purge", async () => {
    const { get, key } = await fresh();
    await get();
    await records.pool.query("update api_keys set is_enabled = false where id = $1", [key.id]);
    await api.advance(59);
    expect((await get()).status).toBe(200);
    await api.advance(2);
    expect((await get()).status).toBe(401);

    const other = await fresh();
    await other.get();
    await records.pool.query("delete from api_keys where id = $1", [other.key.id]);
    await api.purge({ keys: [other.key.id] });
    expect((await other.get()).status).toBe(401);
  });
});

describe("POST /ops/purge", () => {
  test.for(["companies", "applications", "processes", "keys", "resource_types"] as const)(
    "of %s ends the reuse of what depends on them, and of nothing else",
    async (field) => {
      const [mine, other] = [await fresh(), await fresh()];
      await mine.get();
      await other.get();
      const id = {
        companies: mine.companyId,
        applications: mine.application.id,
        processes: mine.process.id,
        keys: mine.key.id,
        resource_types: mine.size.id,
      }[field];
      const response = await api.purge({ [field]: [id.toUpperCase()] });
      expect(response.status).toBe(200);
      expect(((await response.json()) as { purged: string[] }).purged[0]).toContain(id);
      expect(await queriesOf(mine.get)).toBe(1);
      expect(await queriesOf(other.get)).toBe(0);
    },
  );

  /** By what they name: the asker's key and company, and what the parameters of paths do. */
  const FIELDS: Record<string, string> = {
    key: "keys",
    company: "companies",
    id: "applications",
    process_id: "processes",
  };

  test.for(
    privateReads.flatMap(({ id, parameters, path, request }) =>
      ["key", "company", ...parameters].map((name) => ({ id, path, request, name, field: FIELDS[name] })),
    ),
  )("of $field ends the reuse of $id", async ({ path, request, name, field }) => {
    const companyId = await records.company();
    const key = await records.key(companyId);
    const ids: Record<string, string> = await records.pathIds(companyId);
    const ask = () => api.fetch(path(ids), request(key.token));
    await ask();
    expect(await queriesOf(ask)).toBe(0);
    const named = { ...ids, key: key.id, company: companyId }[name];
    expect((await api.purge({ [String(field)]: [named] })).status).toBe(200);
    expect(await queriesOf(ask)).toBe(1);
  });

  test("of a process ends lists that hold it, of an application all its lists", async () => {
    const { key, application, process } = await fresh();
    const list = () => api.fetch(`/v3/applications/${application.id}/processes`, bearer(key.token));
    await list();
    expect(await queriesOf(list)).toBe(0);
    await api.purge({ processes: [process.id] });
    expect(await queriesOf(list)).toBe(1);
    await api.purge({ applications: [application.id] });
    expect(await queriesOf(list)).toBe(1);
  });

  test("of a new machine size ends the list of them all", async () => {
    const { key } = await fresh();
    const list = () => api.fetch("/v3/resources/process-resource-types", bearer(key.token));
    await list();
    await api.advance(299);
    expect(await queriesOf(list)).toBe(0);
    await api.purge({ resource_types: [randomUUID()] });
    expect(await queriesOf(list)).toBe(1);
  });

  test("takes many ids in one call", async () => {
    const ids = Array.from({ length: 100 }, () => randomUUID());
    expect((await api.purge({ processes: ids })).status).toBe(200);
    expect((await api.purge({ processes: [...ids, ...ids] })).status).toBe(200);
  });

  test.for([
    [{}, "at least one id"],
    [{ processes: [] }, "at least one id"],
    [{ processes: ["x"] }, "a UUID at processes.0"],
    [{ processes: "x" }, "a list of ids at processes"],
    [[], "an object of lists of ids: companies, applications, processes, keys, resource_types"],
    [{ tags: ["x"] }, "an object of lists of ids: companies, applications, processes, keys, resource_types"],
    [{ processes: Array.from({ length: 101 }, () => randomUUID()) }, "at most 100 different ids"],
  ] as const)("refuses %j", async ([body, expected]) => {
    const response = await api.purge(body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { data: { message: string } }).data.message).toContain(expected);
  });

  test("refuses what is no JSON, and what is too much", async () => {
    const send = (body: string) =>
      api.fetch("/ops/purge", {
        method: "POST",
        headers: { authorization: "Bearer the-secret-of-those-who-purge-in-tests" },
        body,
      });
    expect((await send("{")).status).toBe(400);
    expect((await send(" ".repeat(16_385))).status).toBe(413);
  });

  test("refuses whoever does not know the secret, API keys too", async () => {
    const { key, get, process } = await fresh();
    await get();
    for (const secret of ["", "x", key.token, "the-secret-of-those-who-purge-in-test"]) {
      const response = await api.purge({ processes: [process.id] }, secret);
      expect([secret, response.status]).toStrictEqual([secret, 401]);
    }
    expect((await api.fetch("/ops/purge", { method: "POST", body: "{}" })).status).toBe(401);
    expect(await queriesOf(get)).toBe(0);
  });

  test("is for POST alone", async () => {
    const response = await api.fetch("/ops/purge");
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });

  test.for([
    [{ code: 1134, message: "Unable to purge: rate limit reached. Please wait" }, 429, "12"],
    [{ code: 429, message: "Too many" }, 429, "12"],
    [{ code: 10_000, message: "Something else" }, 503, "5"],
  ] as const)("passes a refusal of the platform on: %j", async ([error, status, retryAfter]) => {
    await api.refusePurge(error);
    try {
      const response = await api.purge({ processes: [randomUUID()] });
      expect(response.status).toBe(status);
      expect(response.headers.get("retry-after")).toBe(retryAfter);
      expect(((await response.json()) as { message: string }).message).toContain("Nothing was purged.");
    } finally {
      await api.refusePurge(null);
    }
  });

  test("takes the secret before as well while it is rotated, and still no other", async () => {
    const PURGE_SECRET_PREVIOUS = "the-secret-of-those-who-purged-before";
    await api.set({ PURGE_SECRET_PREVIOUS });
    const statuses: number[] = [];
    for (const secret of [PURGE_SECRET, PURGE_SECRET_PREVIOUS, `${PURGE_SECRET_PREVIOUS}x`, ""]) {
      statuses.push((await api.purge({ processes: [randomUUID()] }, secret)).status);
    }
    expect(statuses).toStrictEqual([200, 200, 401, 401]);
    await api.set({});
    expect((await api.purge({ processes: [randomUUID()] }, PURGE_SECRET_PREVIOUS)).status).toBe(401);
  });

  test("is closed to all where no secret is set", async () => {
    await api.set({ PURGE_SECRET: undefined });
    for (const secret of ["", "undefined", "null", randomUUID()]) {
      expect((await api.purge({ processes: [randomUUID()] }, secret)).status).toBe(401);
    }
  });
});

describe("the settings", () => {
  test("say how long", async () => {
    const { path, key } = await fresh();
    await api.set({
      EDGE_FRESH_WITHOUT_FEED_SECONDS: "7",
      EDGE_STALE_WHILE_REVALIDATE_SECONDS: "0",
      EDGE_STALE_IF_ERROR_SECONDS: "0",
    });
    const get = () => api.fetch(path, bearer(key.token));
    await get();
    expect(cacheStatus(await get())).toBe("process-api; hit; ttl=7");
    await api.advance(8);
    api.fail("500");
    expect((await get()).status).toBe(503);
  });

  test("may say not at all", async () => {
    const { path, key } = await fresh();
    await api.set({ EDGE_FRESH_WITHOUT_FEED_SECONDS: "0" });
    for (const queries of [1, 2]) {
      const response = await api.fetch(path, bearer(key.token));
      expect(cacheStatus(response)).toBe("process-api; fwd=bypass; detail=BYPASS");
      expect(api.queries()).toBe(queries);
    }
  });
});

describe("the OpenAPI document", () => {
  test("may be kept by anybody, and is asked for again with its ETag", async () => {
    const full = await api.fetch("/v3/openapi.json");
    expect(full.headers.get("cache-control")).toBe("public, max-age=300");
    const etag = String(full.headers.get("etag"));
    expect((await api.fetch("/v3/openapi.json", { headers: { "if-none-match": etag } })).status).toBe(304);
  });
});
