// `npm run stats` after a known load, and its errors.
import { describe, expect, test } from "vitest";
import { findAlerts } from "../../src/cli/stats/alerts.ts";
import { formatStats } from "../../src/cli/stats/format.ts";
import type { Stats } from "../../src/cli/stats/read.ts";
import command from "../../src/cli/stats.ts";
import { Dataset, type StampedPoint } from "../../src/local/analytics/dataset.ts";
import { createAnalyticsEngine } from "../../src/local/analytics/sql-api.ts";
import { type DataPoint, FEED, KEYLESS, writeDataPoint } from "../../src/worker/shared/analytics.ts";
import { type CommandOptions, run } from "../support/command.ts";
import { checkOut, expectError, lines } from "./command.ts";

const UNTIL = Date.UTC(2026, 10, 25, 10, 10) / 1_000;
const ACCOUNT = { CLOUDFLARE_ACCOUNT_ID: "an-account", CLOUDFLARE_API_TOKEN: "the-token" };

type Fetch = typeof fetch;
const stats = (args: string, options: CommandOptions = {}) =>
  run(command, args.split(" "), { env: ACCOUNT, now: () => UNTIL * 1_000 + 999, ...options });

/** The SQL API of a dataset with these points, in batches with a sample interval each. */
function holding(...batches: [sampleInterval: number, ...points: StampedPoint[]][]): Fetch {
  const engine = createAnalyticsEngine("process_api");
  for (const [sampleInterval, ...points] of batches) engine.add(points, sampleInterval);
  return (_, init) => engine.answer(new Request("http://local", init));
}

/** A point as the Worker writes it, some seconds before the end of the period. */
function point(secondsAgo: number, named: Partial<DataPoint>): StampedPoint {
  const ANALYTICS = new Dataset();
  writeDataPoint({ ANALYTICS }, { keyId: KEYLESS, ...named });
  return { ...(ANALYTICS.take()[0] as StampedPoint), timestamp: UNTIL - secondsAgo };
}

const ROUTE = "/v3/applications/{id}/processes/{process_id}";
const COMMON = { keyId: "key-1", route: ROUTE, method: "GET", version: "v1", dataCentre: "AMS", statusClass: "2xx" };
const served = (secondsAgo: number, cacheStatus: string, durationMs: number, named: Partial<DataPoint> = {}) =>
  point(secondsAgo, { ...COMMON, status: 200, cacheStatus, durationMs, ...named });
const LOST = { route: "unmatched", version: "v2", dataCentre: "FRA" };
const refused = (status: number, reason: string) => ({ keyId: KEYLESS, statusClass: "4xx", status, reason });

describe("after a known load", () => {
  const failed = { keyId: "key-2", statusClass: "5xx", status: 503, reason: "database_unavailable" };
  const fetch = holding(
    [
      1,
      ...[served(600, "miss", 40, { queryMs: 30, attempts: 1 }), served(300, "updating", 4), served(300, "stale", 4)],
      served(300, "expired", 50, { queryMs: 45, attempts: 2 }),
      served(0, "miss", 900, { ...failed, queryMs: 800, attempts: 3 }),
      point(130, { keyId: FEED, route: FEED, version: "v1", oldestChangeSeconds: 3.25 }),
      point(70, { keyId: FEED, route: FEED, version: "v1", oldestChangeSeconds: 1 }),
      // Outside of the period.
      ...[served(601, "hit", 2), served(-1, "hit", 2)],
    ],
    // A sampled point counts as often as its interval says.
    [13, served(400, "hit", 2)],
    [2, served(300, "revalidated", 60, { queryMs: 20, attempts: 1 })],
    [4, served(200, "none", 1, refused(401, "missing_key"))],
    [2, served(200, "none", 1, { ...refused(404, "no_such_endpoint"), ...LOST })],
  );

  test("shows requests, hits, refusals and queries in 80 columns", async () => {
    const { exitCode, stdout } = await stats("--since 10m", { fetch });
    expect(exitCode).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "since      2026-11-25T10:00:00.000Z until 10:10:00.000Z
      requests   26, 1 failed (5xx), 6 refused (4xx)
      responses  75.0 % from the cache; p50 2 ms, p95 60, p99 900
      database   asked 8 times for 5 requests; p50 30 ms, p95 800, p99 800
      feed       last run ended 10:08:50; a change waited 3.3 s at the most

      requests  ▁                 █        ▄        ▄                 ▁  peak 13
      5xx                                                             █  peak 1
      4xx                                           █                    peak 6

      ROUTE                                         REQUESTS  HITS  5XX  P50  P95  P99
      …v3/applications/{id}/processes/{process_id}  24        75 %  1    2    60   900
      GET unmatched                                 2         –     0    1    1    1

      KEY    REQUESTS  HITS  5XX  P50  P95  P99
      key-1  19        79 %  0    2    60   60
      key-2  1         0 %   1    900  900  900

      VERSION  REQUESTS  HITS  5XX  P50  P95  P99
      v1       24        75 %  1    2    60   900
      v2       2         –     0    1    1    1

      DATA CENTRE  REQUESTS  HITS  5XX  P50  P95  P99
      AMS          24        75 %  1    2    60   900
      FRA          2         –     0    1    1    1

      REASON                STATUS  REQUESTS
      missing_key           401     4
      no_such_endpoint      404     2
      database_unavailable  503     1
      "
    `);
  });

  test("--json prints the same as an object", async () => {
    const result: Stats = JSON.parse((await stats("--since 10m --json", { fetch })).stdout);
    expect(`${formatStats(result)}\n`).toBe((await stats("--since 10m", { fetch })).stdout);
    const most = { requests: 24, errors: 1, refusals: 4, hit_ratio: 0.75, p50_ms: 2, p95_ms: 60, p99_ms: 900 };
    expect(result.total).toStrictEqual({ ...most, requests: 26, refusals: 6 });
    expect(result.routes[0]).toStrictEqual({ method: "GET", route: ROUTE, ...most });
    expect(result.feed).toStrictEqual({ last_run_at: "2026-11-25T10:08:50.000Z", oldest_change_seconds: 3.25 });
    const parts = result.timeline.map(({ at, ...counts }) => `${at.slice(14, 19)} ${Object.values(counts).join(" ")}`);
    expect(parts).toHaveLength(55);
    const busy = parts.filter((part) => !part.endsWith(" 0 0 0"));
    expect(busy).toStrictEqual(["00:00 1 0 0", "03:18 13 0 0", "04:57 5 0 0", "06:36 6 0 6", "09:54 1 1 0"]);
  });

  test("--check prints the alerts and fails, or prints nothing", async () => {
    const { exitCode, stdout, stderr } = await stats("--since 10m --check", { fetch });
    const alerts = ["3.8 % of 26 requests failed with 5xx", "23.1 % of 26 requests were refused with 4xx"];
    expect([exitCode, stderr]).toStrictEqual([1, "error: 2 alerts.\n"]);
    expect(stdout).toBe(`errors: ${alerts[0]}\nrefusals: ${alerts[1]}\n`);
    expect(await stats("--since 1m --check", { fetch })).toStrictEqual({ exitCode: 0, stdout: "", stderr: "" });
    const silent = "feed silent: no run of the feed ended for 600 s\n";
    expect((await stats("--since 10m --check", { fetch: holding() })).stdout).toBe(silent);
    expect((await stats("--since 10m --check --no-feed", { fetch: holding() })).exitCode).toBe(0);
  });
});

test("shows a period without requests, and fits the longest names into 80 columns", async () => {
  const { stdout: quiet } = await stats("--since 10m", { fetch: holding() });
  for (const words of ["0, 0 failed", "– from the cache; p50 – ms", "no run has ended"]) expect(quiet).toContain(words);
  const long = served(1, "hit", 25_000, { route: `${ROUTE}/trigger/and/a/longer/one`, method: "OPTIONS" });
  const { stdout } = await stats("--since 10m", { fetch: holding([12_345_678, long]) });
  expect(Math.max(...lines(stdout).map((line) => [...line].length))).toBe(80);
  expect(stdout).toMatch(/^…\S+\/and\/a\/longer\/one {2}12\.3 M {4}100 % {2}0 {4}25000 {2}25000 {2}25000$/m);
});

const CLOUDFLARE = "https://api.cloudflare.com/client/v4/accounts/an-account";
const AT_LOCALHOST = { ...ACCOUNT, CLOUDFLARE_API_BASE_URL: "http://localhost:1/v4/" };
test.for([
  ["of the account, before any dev,", ACCOUNT, CLOUDFLARE, "the-token"],
  ["at another URL", AT_LOCALHOST, "http://localhost:1/v4/accounts/an-account", "the-token"],
  ["of `npm run dev`", {}, "http://localhost:2/client/v4/accounts/local", "local"],
] as const)("the SQL API %s is called as documented", async ([_, env, account, token]) => {
  const asked: unknown[] = [];
  const fetch: Fetch = async (url, { signal: _, ...init } = {}) => {
    asked.push({ url, ...init });
    return Response.json({ data: [] });
  };
  await stats("--dataset a_1", { env, root: checkOut({ url: "http://localhost:2" }), fetch });
  const body = expect.stringContaining(`FROM a_1\n        WHERE timestamp >= toDateTime(${UNTIL - 3_600}) AND`);
  const request = { method: "POST", headers: { authorization: `Bearer ${token}` }, redirect: "manual", body };
  expect(asked).toStrictEqual(Array(9).fill({ url: `${account}/analytics_engine/sql`, ...request }));
});

/** Words of the platform's SQL. SQLite, which stands in for it here, would take others. */
const DIALECT = `select as from where and in group by order desc limit sum max if intDiv toUInt32 toDateTime toUnixTimestamp
  quantileWeighted timestamp _sample_interval a_1`;
test("asks in words that the platform knows", async () => {
  let asked = "";
  const fetch: Fetch = async (_, { body } = {}) => {
    asked += String(body).replaceAll(/'[^']*'/g, "");
    return Response.json({ data: [] });
  };
  await stats("--dataset a_1", { fetch });
  const aliases = [...asked.matchAll(/\bas (\w+)/gi)].map(([, alias]) => alias);
  const known = new Set([DIALECT.split(/\s+/), aliases].flat().map((word) => word?.toLowerCase()));
  const words = new Set(asked.toLowerCase().match(/\b[a-z_]\w*/g));
  expect([...words.difference(known)].filter((word) => !/^(index1|(blob|double)\d+)$/.test(word))).toStrictEqual([]);
});

const SQL_API = "POST /client/v4/accounts/an-account/analytics_engine/sql";
const failing = () => Promise.reject(Object.assign(new TypeError(), { cause: { code: "ECONNREFUSED" } }));
test.for<[what: string, fetch: Fetch, words: string]>([
  [
    "refuses",
    async () => new Response("No\u001b", { status: 403 }),
    `https://api.cloudflare.com refused ${SQL_API} (403): No\\u{001b}`,
  ],
  [
    "does not respond with JSON",
    async () => new Response("<html>"),
    `https://api.cloudflare.com responded to ${SQL_API} (200) with something else than expected.`,
  ],
  [
    "has another dataset",
    holding(),
    `https://api.cloudflare.com refused ${SQL_API} (422): no such table: process_api_previews`,
  ],
  ["cannot be reached", failing, "https://api.cloudflare.com cannot be reached: ECONNREFUSED."],
])("an error is reported without the token if the SQL API %s", async ([_, fetch, words]) => {
  expectError(await stats("--dataset process_api_previews", { fetch }), 1, `error: ${words}\n`);
});

const PLAIN = { ...ACCOUNT, CLOUDFLARE_API_BASE_URL: "http://api.example.com" };
test.for([
  ["--json", { CLOUDFLARE_ACCOUNT_ID: "an-account" }, "CLOUDFLARE_API_TOKEN is not set"],
  ["--json", PLAIN, "CLOUDFLARE_API_BASE_URL is no https:// URL."],
  ["--json", {}, "Nothing to ask: set CLOUDFLARE_ACCOUNT_ID"],
  ["--since yesterday", ACCOUNT, "Expected 0 or a duration"],
  ["--since 0", ACCOUNT, "Expected 1m to 90d."],
  ["--since 91d", ACCOUNT, "Expected 1m to 90d."],
  ["--dataset a;b", ACCOUNT, "Expected letters, digits and underscores."],
] as const)("%s with %j exits with 2", async ([args, env, words]) => {
  expectError(await stats(args, { env, root: checkOut(), fetch: () => expect.unreachable() }), 2, words);
});

describe("an alert", () => {
  const LATENCIES = { p50_ms: 5, p95_ms: 1_000, p99_ms: 2_000 };
  const total = { requests: 1_000, errors: 10, refusals: 200, hit_ratio: 0.9, ...LATENCIES };
  const database = { requests: 100, attempts: 110, ...LATENCIES };
  const feed = { last_run_at: "2026-11-25T10:07:00.000Z", oldest_change_seconds: 60 };
  /** At the limit of every rule. */
  const SOUND: Stats = {
    ...{ since: "2026-11-25T10:00:00.000Z", until: "2026-11-25T10:10:00.000Z", total, database, feed },
    ...{ routes: [], keys: [], versions: [], data_centres: [], failures: [], timeline: [] },
  };

  test.for<[alert: string, Partial<Stats>]>([
    ["errors: 1.1 % of 1000 requests failed with 5xx", { total: { ...total, errors: 11 } }],
    ["slow: one in twenty took 1001 ms", { total: { ...total, p95_ms: 1_001 } }],
    ["retries: the database was asked 111 times for 100 requests", { database: { ...database, attempts: 111 } }],
    ["refusals: 20.1 % of 1000 requests were refused with 4xx", { total: { ...total, refusals: 201 } }],
    ["feed late: a change waited 61 s for its purge", { feed: { ...feed, oldest_change_seconds: 61 } }],
    ["feed silent: no run of the feed ended for 181 s", { feed: { ...feed, last_run_at: "2026-11-25T10:06:59Z" } }],
    ["feed silent: no run of the feed ended for 600 s", { feed: null }],
  ])("is raised: %s", ([alert, wrong]) => {
    expect(findAlerts({ ...SOUND, ...wrong })).toStrictEqual([alert]);
  });

  test("is not raised at the limits or for fewer than 20 requests", () => {
    expect(findAlerts(SOUND)).toStrictEqual([]);
    const few = { ...total, requests: 19, errors: 19, refusals: 19, p95_ms: 9_000 };
    expect(findAlerts({ ...SOUND, total: few, database: { ...database, requests: 19 } })).toStrictEqual([]);
  });
});
