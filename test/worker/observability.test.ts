// What an operator sees of a request: its data point, its Server-Timing, and its lines in the log.
import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import { COLUMNS, columnOf, type DataPoint } from "../../src/worker/shared/analytics.ts";
import { useApi } from "../support/api.ts";
import { bearer, useRecords } from "../support/records.ts";

const [web] = SEED_PROCESSES;
const PATH = `/v3/applications/${web.applicationId}/processes/${web.processId}`;
const TEMPLATE = "/v3/applications/{id}/processes/{process_id}";

const api = useApi();
const records = useRecords();
beforeEach(async () => {
  api.fail(undefined);
  await api.purge({ processes: [web.processId] });
  await api.dataPoints();
});

const get = (headers: Record<string, string> = {}) =>
  api.fetch(PATH, { headers: { ...bearer(web.token).headers, ...headers } });

/** The milliseconds of each part. */
function timingOf(response: Response): Record<string, number> {
  const value = String(response.headers.get("server-timing"));
  expect(value).toMatch(/^\w+;dur=\d+(?:, \w+;dur=\d+)*$/);
  return Object.fromEntries([...value.matchAll(/(\w+);dur=(\d+)/g)].map(([, name, ms]) => [name, Number(ms)]));
}

describe("the columns of a data point", () => {
  // Points live for three months, and know their columns by position.
  test("stand where they have always stood", () => {
    expect(Object.fromEntries(COLUMNS.map((name) => [name, columnOf(name)]))).toStrictEqual({
      keyId: "index1",
      route: "blob1",
      method: "blob2",
      statusClass: "blob3",
      cacheStatus: "blob4",
      reason: "blob5",
      version: "blob6",
      dataCentre: "blob7",
      status: "double1",
      durationMs: "double2",
      queryMs: "double3",
      attempts: "double4",
      oldestChangeSeconds: "double5",
    });
  });
});

describe("a request has one data point", () => {
  async function pointOf(call: () => Promise<Response>): Promise<DataPoint> {
    const response = await call();
    await response.arrayBuffer();
    const points = await api.dataPoints();
    expect(points.length).toBe(1);
    return points[0] as DataPoint;
  }

  test("with its query on a miss, and none on a hit", async () => {
    const miss = await pointOf(() => get());
    expect(miss).toMatchObject({
      keyId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      route: TEMPLATE,
      method: "GET",
      statusClass: "2xx",
      cacheStatus: "miss",
      reason: "",
      dataCentre: expect.stringMatching(/^[A-Z]{3}$/),
      status: 200,
      attempts: 1,
      oldestChangeSeconds: 0,
    });
    expect(miss.queryMs).toBeLessThanOrEqual(Number(miss.durationMs));
    expect(await pointOf(() => get())).toMatchObject({
      keyId: miss.keyId,
      cacheStatus: "hit",
      status: 200,
      queryMs: 0,
      attempts: 0,
    });
    expect(await pointOf(() => get({ "cache-control": "no-cache" }))).toMatchObject({
      cacheStatus: "none",
      attempts: 1,
    });
  });

  test("with every attempt at a query that failed, and the reason", async () => {
    api.fail("starting up");
    expect(await pointOf(() => get())).toMatchObject({
      route: TEMPLATE,
      statusClass: "5xx",
      status: 503,
      reason: "database_unavailable",
      attempts: expect.toSatisfy((attempts) => attempts > 1),
    });
  });

  test("when it writes", async () => {
    const companyId = await records.company();
    const { id } = await records.application(companyId);
    const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
    const { id: processId } = await records.process(id, { type: "worker" });
    const point = await pointOf(() =>
      api.fetch(`/v3/applications/${id}/processes/${processId}`, { method: "DELETE", ...bearer(token) }),
    );
    expect(point).toMatchObject({ method: "DELETE", route: TEMPLATE, status: 200, cacheStatus: "none", attempts: 1 });
  });

  test.for([
    ["/health", {}, { route: "/health", status: 200, statusClass: "2xx" }],
    ["/", {}, { route: "/", status: 303, statusClass: "3xx" }],
    ["/ops/purge", {}, { route: "/ops/purge", status: 405, reason: "method_not_allowed" }],
    [`/${"secret".repeat(9)}`, {}, { route: "unmatched", status: 404, reason: "no_such_endpoint" }],
    [`/v3/${"secret".repeat(9)}`, {}, { route: "unmatched", status: 404, reason: "no_such_endpoint" }],
    [PATH, {}, { route: TEMPLATE, status: 401, reason: "missing_key" }],
    [PATH, { method: "PUT" }, { route: TEMPLATE, method: "PUT", status: 405, reason: "method_not_allowed" }],
    [PATH, { method: "OPTIONS" }, { route: TEMPLATE, method: "OPTIONS", status: 204 }],
  ] as const)("for %s %j, which needs no key", async ([path, init, expected]) => {
    const point = await pointOf(() => api.fetch(path, { redirect: "manual", ...init }));
    expect(point).toMatchObject({ keyId: "none", cacheStatus: "none", queryMs: 0, attempts: 0, ...expected });
    expect(JSON.stringify(point)).not.toContain("secret");
  });

  test("and is answered where none can be written", async () => {
    // A variable of that name is no dataset.
    const vars = { ANALYTICS: "no dataset" };
    await api.set(vars);
    expect((await api.fetch(PATH, bearer(web.token))).status).toBe(200);
  });
});

describe("Server-Timing", () => {
  test("tells of key, cache and query on a miss", async () => {
    expect(Object.keys(timingOf(await get()))).toStrictEqual(["key", "cache", "query"]);
  });

  test("tells of no query on a hit, although the stored answer has cost one", async () => {
    expect(Object.keys(timingOf(await get()))).toContain("query");
    expect(Object.keys(timingOf(await get()))).toStrictEqual(["key", "cache"]);
    expect(Object.keys(timingOf(await get({ "if-none-match": "*" })))).toStrictEqual(["key", "cache"]);
  });

  test("tells of a query once where several requests wait for one", async () => {
    const release = api.hold();
    const before = api.queries();
    const asked = [get(), get(), get()];
    await expect.poll(() => api.queries()).toBe(before + 1);
    release();
    const told = (await Promise.all(asked)).map(timingOf).filter(({ query }) => query !== undefined);
    expect(told.length).toBe(1);
  });

  test("tells of the key alone where nothing else was asked", async () => {
    for (const path of ["/health", "/nowhere"]) {
      expect(Object.keys(timingOf(await api.fetch(path)))).toStrictEqual(["key"]);
    }
    expect(Object.keys(timingOf(await api.fetch(PATH)))).toStrictEqual(["key"]);
  });

  test("is there on a failure of the database", async () => {
    api.fail("SQL error");
    expect(Object.keys(timingOf(await get()))).toStrictEqual(["key", "cache", "query"]);
  });

  test("can be read by a page, and nothing internal can", async () => {
    const { headers } = await get();
    expect(headers.get("access-control-expose-headers")).toContain("server-timing");
    for (const name of ["x-query", "x-trace-id", "x-key-id"]) expect(headers.has(name)).toBe(false);
  });
});

describe("traceparent", () => {
  const TRACE = "0af7651916cd43dd8448eb211c80319c";

  /** The lines about a request that the database fails. */
  async function linesOf(traceparent: string): Promise<Record<string, unknown>[]> {
    api.fail("SQL error");
    const requestId = (await get({ traceparent })).headers.get("x-request-id");
    return api
      .logs()
      .map((line) => JSON.parse(line))
      .filter((line) => line.requestId === requestId);
  }

  test("is in every line about the request, the Api's included", async () => {
    const lines = await linesOf(`00-${TRACE}-b7ad6b7169203331-01`);
    expect(lines.map(({ event, traceId }) => [event, traceId])).toStrictEqual([
      ["query", TRACE],
      ["request", TRACE],
    ]);
  });

  test("is in none if it is malformed", async () => {
    const lines = await linesOf(`00-${TRACE}-b7ad6b7169203331-01-svl`);
    expect(lines.length).toBe(2);
    for (const line of lines) expect(line).not.toHaveProperty("traceId");
  });

  test("is no part of the cache's key, and may be sent by a page", async () => {
    const before = api.queries();
    for (const parent of [randomUUID(), randomUUID()].map((id) => id.replaceAll("-", "").slice(0, 16))) {
      await get({ traceparent: `00-${TRACE}-${parent}-01` });
    }
    expect(api.queries() - before).toBe(1);
    const preflight = await api.fetch(PATH, { method: "OPTIONS" });
    expect(preflight.headers.get("access-control-allow-headers")).toContain("traceparent");
  });
});
