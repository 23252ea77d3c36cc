// `npm run stats` after a known load on `npm run dev`, and where it cannot answer.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import { findAlerts, RULES } from "../../src/cli/stats/alerts.ts";
import { formatStats } from "../../src/cli/stats/format.ts";
import { readStats, type Stats } from "../../src/cli/stats/read.ts";
import type { StampedPoint } from "../../src/local/analytics/dataset.ts";
import { createAnalyticsEngine } from "../../src/local/analytics/sql-api.ts";
import { type Dev, startDev } from "../support/dev.ts";
import { checkOut, lines, listen, stats } from "./command.ts";

const [web] = SEED_PROCESSES;
const PATH = `/v3/applications/${web.applicationId}/processes/${web.processId}`;
const ROUTE = "/v3/applications/{id}/processes/{process_id}";
const KEY_ID = "00000000-0000-4000-8000-000000000201";

let dev: Dev;
let checkout: ReturnType<typeof checkOut>;
beforeAll(async () => {
  dev = await startDev();
  await dev.ready;
  checkout = checkOut({ url: `http://localhost:${dev.port}`, databaseUrl: "", purgeSecret: "" });
  await load();
});
afterAll(async () => {
  await dev.interrupt();
  checkout.remove();
});

/** Of the running `npm run dev`. */
const ofDev = (...args: string[]) => stats(args, { root: checkout.root });
const readJson = async (): Promise<Stats> => JSON.parse((await ofDev("--since", "10m", "--json")).stdout);

/** What the numbers below count. */
async function load(): Promise<void> {
  const url = `http://localhost:${dev.port}`;
  const headers = { authorization: `Bearer ${web.token}` };
  const send = async (count: number, path: string, init: RequestInit, status: number) => {
    for (let n = 0; n < count; n++) {
      const response = await fetch(url + path, init);
      await response.arrayBuffer();
      expect(response.status).toBe(status);
    }
  };
  // One miss, then hits.
  await send(20, PATH, { headers }, 200);
  await send(5, PATH, { headers: { ...headers, "if-none-match": "*" } }, 304);
  await send(3, PATH, { headers: { ...headers, "cache-control": "no-cache" } }, 200);
  await send(7, PATH, {}, 401);
  await send(4, `${PATH.slice(0, -1)}x`, { headers }, 400);
  await send(2, "/nowhere", {}, 404);
  await send(1, "/health", {}, 200);
}

describe("after a known load", () => {
  test("counts every request, hit, refusal and query", async () => {
    const result = await readJson();
    expect(result.total).toMatchObject({ requests: 42, errors: 0, refusals: 13, hit_ratio: 24 / 25 });
    expect(result.database).toMatchObject({ requests: 4, attempts: 4 });
    expect(result.routes.map(({ method, route, requests, refusals }) => [method, route, requests, refusals])).toEqual([
      ["GET", ROUTE, 39, 11],
      ["GET", "unmatched", 2, 2],
      ["GET", "/health", 1, 0],
    ]);
    expect(result.failures).toStrictEqual([
      { status: 401, reason: "missing_key", requests: 7 },
      { status: 400, reason: "invalid_parameter", requests: 4 },
      { status: 404, reason: "no_such_endpoint", requests: 2 },
    ]);
    expect(result.keys.map(({ key_id, requests }) => [key_id, requests])).toStrictEqual([[KEY_ID, 28]]);
    expect(result.versions.map(({ requests }) => requests)).toStrictEqual([42]);
    expect(result.data_centres.map(({ requests }) => requests)).toStrictEqual([42]);
    const sum = (name: "requests" | "refusals") => result.timeline.reduce((total, part) => total + part[name], 0);
    expect([sum("requests"), sum("refusals")]).toStrictEqual([42, 13]);
    for (const figures of [result.total, result.database]) {
      const { p50_ms, p95_ms, p99_ms } = figures;
      expect([p50_ms, p95_ms, p99_ms].map(Number)).toStrictEqual(
        [p50_ms, p95_ms, p99_ms].map(Number).sort((a, b) => a - b),
      );
    }
  });

  test("fits a terminal of 80 columns", async () => {
    const { exitCode, stdout } = await ofDev("--since", "10m");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("42, 0 failed (5xx), 13 refused (4xx)");
    expect(stdout).toContain("96.0 % from the cache");
    expect(stdout).toMatch(/^requests .*█.* {2}peak \d+$/m);
    expect(Math.max(...stdout.split("\n").map((line) => [...line].length))).toBeLessThanOrEqual(80);
  });

  test("finds the refusals wrong, which were many", async () => {
    const { exitCode, stdout } = await ofDev("--since", "10m", "--check");
    expect(exitCode).toBe(1);
    expect(stdout).toContain("refusals: 31.0 % of 42 requests were refused with 4xx\n");
    expect(stdout).not.toContain("errors:");
  });

  test("sees that the feed runs, and how long a change waited for it, and counts no request for that", async () => {
    await expect.poll(readJson, { interval: 5_000, timeout: 150_000 }).toMatchObject({
      total: { requests: 42 },
      feed: { oldest_change_seconds: expect.any(Number), last_run_at: expect.stringMatching(/Z$/) },
    });
  });
});

test("nothing of it is in the numbers of another dataset", async () => {
  const { exitCode, stderr } = await ofDev("--dataset", "process_api_previews");
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: The SQL API answered 422: /);
});

const ACCOUNT = { CLOUDFLARE_ACCOUNT_ID: "an-account", CLOUDFLARE_API_TOKEN: "the-token" };

test.for([
  ["no token", { CLOUDFLARE_ACCOUNT_ID: "an-account" }, []],
  ["a time that is none", ACCOUNT, ["--since", "yesterday"]],
  ["a time before all points", ACCOUNT, ["--since", "91d"]],
  ["a dataset that would be SQL", ACCOUNT, ["--dataset", "a; b"]],
  ["an API without TLS", { ...ACCOUNT, CLOUDFLARE_API_BASE_URL: "http://api.example.com" }, []],
  ["no account where no dev runs", {}, []],
] as const)("it is a mistake in use to give %s", async ([_, env, args]) => {
  const elsewhere = checkOut();
  onTestFinished(elsewhere.remove);
  const { exitCode, stderr } = await stats([...args], { root: elsewhere.root, env });
  expect(lines(stderr).length).toBe(1);
  expect(exitCode).toBe(2);
});

describe("the account of the environment", () => {
  /** The API of an account, which gives one answer. */
  async function startAccount(status: number, body: string) {
    const asked: { url: string | undefined; authorization: string | undefined; sql: string }[] = [];
    const server = createServer(async (request, response) => {
      const { url, headers } = request;
      asked.push({ url, authorization: headers.authorization, sql: await text(request) });
      response.writeHead(status).end(body);
    });
    onTestFinished(() => void server.close());
    const env = { ...ACCOUNT, CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${await listen(server)}/client/v4` };
    return { asked, env };
  }

  test("is asked as documented, before any dev", async () => {
    const { asked, env } = await startAccount(200, JSON.stringify({ meta: [], data: [], rows: 0 }));
    const { exitCode, stdout } = await stats(["--json"], { root: checkout.root, env });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).total).toMatchObject({ requests: 0, hit_ratio: null, p50_ms: null });
    expect(asked.length).toBe(9);
    for (const { url, authorization, sql } of asked) {
      expect(url).toBe("/client/v4/accounts/an-account/analytics_engine/sql");
      expect(authorization).toBe("Bearer the-token");
      expect(sql).toMatch(/^SELECT [\s\S]* FROM process_api\s+WHERE timestamp >= toDateTime\(\d+\)/);
    }
  });

  test("is quoted where it refuses, without the token", async () => {
    const { env } = await startAccount(403, "Authentication\u001b error");
    const { exitCode, stderr } = await stats([], { env });
    expect(exitCode).toBe(1);
    expect(stderr).toBe("error: The SQL API answered 403: Authentication\\u{001b} error\n");
  });
});

test("a point that the platform has sampled counts for all that it stands for", async () => {
  const engine = createAnalyticsEngine("process_api");
  const server = createServer(async (request, response) => {
    const headers = { authorization: String(request.headers.authorization) };
    const answered = await engine.answer(
      new Request("http://local", { method: "POST", headers, body: await text(request) }),
    );
    response.writeHead(answered.status).end(await answered.text());
  });
  onTestFinished(() => void server.close());
  const api = { url: `http://127.0.0.1:${await listen(server)}`, token: "any" };
  const point = (status: number, ms: number, reason: string, timestamp = 1_000): StampedPoint => {
    const blobs = [
      "/v3/applications",
      "GET",
      `${status / 100}xx`,
      status === 200 ? "miss" : "none",
      reason,
      "v1",
      "AMS",
    ];
    return { timestamp, index: "a-key", blobs, doubles: [status, ms, ms, status === 200 ? 2 : 0] };
  };
  engine.add([point(200, 10, "")], 10);
  engine.add([point(400, 1, "invalid_parameter")], 4);
  engine.add([point(500, 90, "database_failed"), point(500, 90, "database_failed", 1)]);
  const result = await readStats({ api, dataset: "process_api", since: 900, until: 1_100, parts: 10 });
  const figures = { requests: 15, errors: 1, refusals: 4, hit_ratio: 0, p50_ms: 10, p95_ms: 90, p99_ms: 90 };
  expect(result).toMatchObject({
    total: figures,
    routes: [{ method: "GET", route: "/v3/applications", ...figures }],
    keys: [{ key_id: "a-key", ...figures }],
    failures: [
      { status: 400, reason: "invalid_parameter", requests: 4 },
      { status: 500, reason: "database_failed", requests: 1 },
    ],
    database: { requests: 10, attempts: 20, p50_ms: 10 },
  });
  expect(result.timeline[5]).toMatchObject({ requests: 15, errors: 1, refusals: 4 });
});

const SOUND: Stats = {
  since: "2026-11-25T10:00:00.000Z",
  until: "2026-11-25T10:10:00.000Z",
  total: { requests: 1_000, errors: 0, refusals: 10, hit_ratio: 0.9, p50_ms: 5, p95_ms: 60, p99_ms: 90 },
  routes: [],
  keys: [],
  versions: [],
  data_centres: [],
  failures: [],
  database: { requests: 100, attempts: 100, p50_ms: 50, p95_ms: 60, p99_ms: 90 },
  feed: { last_run_at: "2026-11-25T10:09:30.000Z", oldest_change_seconds: 3 },
  timeline: [{ at: "2026-11-25T10:00:00.000Z", requests: 0, errors: 0, refusals: 0 }],
};

describe("an alert", () => {
  test("is none while all is well", () => {
    expect(findAlerts(SOUND)).toStrictEqual([]);
  });

  test.for<[string, Partial<Stats>]>([
    ["errors", { total: { ...SOUND.total, errors: 11 } }],
    ["slow", { total: { ...SOUND.total, p95_ms: 1_001 } }],
    ["retries", { database: { ...SOUND.database, attempts: 111 } }],
    ["refusals", { total: { ...SOUND.total, refusals: 201 } }],
    ["feed late", { feed: { last_run_at: "2026-11-25T10:09:30.000Z", oldest_change_seconds: 61 } }],
    ["feed silent", { feed: { last_run_at: "2026-11-25T10:06:59.000Z", oldest_change_seconds: 0 } }],
    ["feed silent", { feed: null }],
  ])("is raised by %s alone", ([name, wrong]) => {
    expect(findAlerts({ ...SOUND, ...wrong }).map((alert) => alert.split(":")[0])).toStrictEqual([name]);
  });

  test("is not raised by a handful of requests", () => {
    const total = {
      requests: 19,
      errors: 19,
      refusals: 19,
      hit_ratio: null,
      p50_ms: 9_000,
      p95_ms: 9_000,
      p99_ms: 9_000,
    };
    expect(findAlerts({ ...SOUND, total, database: { ...SOUND.database, requests: 19, attempts: 57 } })).toStrictEqual(
      [],
    );
  });

  test("has a name of its own", () => {
    expect(new Set(RULES.map(({ name }) => name)).size).toBe(RULES.length);
  });
});

test("a quiet while is shown, too, and the longest names fit", () => {
  const figures = {
    requests: 123_456_789,
    errors: 123_456,
    refusals: 0,
    hit_ratio: 1,
    p50_ms: 25_000,
    p95_ms: 25_000,
    p99_ms: 25_000,
  };
  const route = "/v3/applications/{id}/processes/{process_id}/trigger/and/a/longer/one";
  const shown = formatStats({
    ...SOUND,
    feed: null,
    routes: [{ method: "OPTIONS", route, ...figures }],
    failures: [{ status: 503, reason: "database_unavailable", requests: 123_456_789 }],
  });
  expect(Math.max(...shown.split("\n").map((line) => [...line].length))).toBeLessThanOrEqual(80);
  expect(shown).toContain("no run has ended");
});
