// What an operator sees of a request: its data point, its Server-Timing, and its lines in the log.
import { beforeEach, describe, expect, test } from "vitest";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import { COLUMNS, columnOf, type DataPoint } from "../../src/worker/shared/analytics.ts";
import { useApi } from "../support/api.ts";
import { createOwnProcess } from "../support/own-process.ts";
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

/** The parts that Server-Timing names, each with its milliseconds. */
function timedIn(response: Response): string[] {
  const value = String(response.headers.get("server-timing"));
  expect(value).toMatch(/^\w+;dur=\d+(?:, \w+;dur=\d+)*$/);
  return [...value.matchAll(/(\w+);dur/g)].map(([, name]) => String(name));
}

// Points live for three months, and know their columns by position.
test("the columns of a data point stand where they have always stood", () => {
  const expected = {
    index: ["keyId"],
    blob: ["route", "method", "statusClass", "cacheStatus", "reason", "version", "dataCentre"],
    double: ["status", "durationMs", "queryMs", "attempts", "oldestChangeSeconds"],
  };
  const columns = Object.entries(expected).flatMap(([kind, names]) =>
    names.map((name, i) => [name, `${kind}${i + 1}`]),
  );
  expect(COLUMNS.map((name) => [name, columnOf(name)])).toStrictEqual(columns);
});

describe("a request has one data point", () => {
  async function pointOf(call: () => Promise<Response>): Promise<DataPoint> {
    await (await call()).arrayBuffer();
    const points = await api.dataPoints();
    expect(points.length).toBe(1);
    return points[0] as DataPoint;
  }

  test("with its query on a miss, and none on a hit", async () => {
    const miss = await pointOf(get);
    const read = { route: TEMPLATE, method: "GET", status: 200, statusClass: "2xx", reason: "" };
    expect(miss).toMatchObject({ ...read, cacheStatus: "miss", attempts: 1, oldestChangeSeconds: 0 });
    expect(miss.keyId).toMatch(/^[0-9a-f-]{36}$/);
    expect(miss.dataCentre).toMatch(/^[A-Z]{3}$/);
    expect(miss.queryMs).toBeLessThanOrEqual(Number(miss.durationMs));
    const hit = { keyId: miss.keyId, cacheStatus: "hit", status: 200, queryMs: 0, attempts: 0 };
    expect(await pointOf(get)).toMatchObject(hit);
    const fresh = await pointOf(() => get({ "cache-control": "no-cache" }));
    expect(fresh).toMatchObject({ cacheStatus: "none", attempts: 1 });
  });

  test("with every attempt at a query that failed, and the reason", async () => {
    api.fail("starting up");
    const failed = { route: TEMPLATE, status: 503, statusClass: "5xx", reason: "database_unavailable" };
    expect(await pointOf(get)).toMatchObject({ ...failed, attempts: expect.toSatisfy((count) => count > 1) });
  });

  test("when it writes", async () => {
    const own = await createOwnProcess(api, records);
    const point = await pointOf(() => own.get({}, { method: "DELETE" }));
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
    await api.set({ ANALYTICS: "no dataset" });
    expect((await api.fetch(PATH, bearer(web.token))).status).toBe(200);
  });
});

describe("Server-Timing", () => {
  test("tells of key, cache and query on a miss, and of no query on a hit, although the stored response cost one", async () => {
    expect(timedIn(await get())).toStrictEqual(["key", "cache", "query"]);
    expect(timedIn(await get())).toStrictEqual(["key", "cache"]);
    expect(timedIn(await get({ "if-none-match": "*" }))).toStrictEqual(["key", "cache"]);
  });

  test("tells of a query once where several requests wait for one", async () => {
    const release = api.hold();
    const before = api.queries();
    const asked = [get(), get(), get()];
    await expect.poll(() => api.queries()).toBe(before + 1);
    release();
    expect((await Promise.all(asked)).filter((response) => timedIn(response).includes("query")).length).toBe(1);
  });

  test("tells of the key alone where nothing else was asked", async () => {
    for (const path of ["/health", "/nowhere", PATH]) expect(timedIn(await api.fetch(path))).toStrictEqual(["key"]);
  });

  test("is there on a failure of the database", async () => {
    api.fail("SQL error");
    expect(timedIn(await get())).toStrictEqual(["key", "cache", "query"]);
  });

  test("is all that is told: nothing internal is", async () => {
    const { headers } = await get();
    for (const name of ["x-query", "x-trace-id", "x-key-id"]) expect(headers.has(name)).toBe(false);
  });
});

describe("traceparent", () => {
  const TRACE = "0af7651916cd43dd8448eb211c80319c";

  test.for([
    ["in every line about the request, the Api's included", "01", TRACE],
    ["in none if it is malformed", "01-svl", undefined],
  ] as const)("is %s", async ([_, end, traceId]) => {
    api.fail("SQL error");
    const response = await get({ traceparent: `00-${TRACE}-b7ad6b7169203331-${end}` });
    const lines = (await api.logs()).map((line) => JSON.parse(line));
    const own = lines.filter(({ requestId }) => requestId === response.headers.get("x-request-id"));
    expect(own.map(({ event }) => event)).toStrictEqual(["query", "request"]);
    for (const line of own) expect(line.traceId).toBe(traceId);
  });
});
