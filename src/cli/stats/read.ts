// What the data points say about a while.
import { type Column, columnOf, FEED, KEYLESS } from "../../worker/shared/analytics.ts";
import { query } from "./sql-api.ts";

/** As `--json` prints it. */
export type Stats = Awaited<ReturnType<typeof readStats>>;
/** Of requests that have something in common. */
export type Figures = ReturnType<typeof figuresOf>;
type Row = Record<string, unknown>;

const MAX_ROWS = 10;
/** A point stands for so many: the platform samples. */
const WEIGHT = "_sample_interval";
const statusClass = columnOf("statusClass");
const cacheStatus = columnOf("cacheStatus");
const reason = columnOf("reason");
const countIf = (condition: string): string => `SUM(if(${condition}, ${WEIGHT}, 0))`;
const quantiles = (column: string): string =>
  [50, 95, 99].map((n) => `quantileWeighted(${n / 100}, ${column}, ${WEIGHT}) AS p${n}_ms`).join(", ");
const COUNTS = `SUM(${WEIGHT}) AS requests, ${countIf(`${statusClass} = '5xx'`)} AS errors`;
/** `revalidated`: the database was asked, and the cached response was still right. */
const FIGURES = `${COUNTS}, ${countIf(`${statusClass} = '4xx'`)} AS refusals,
  ${countIf(`${cacheStatus} IN ('hit', 'updating', 'stale')`)} AS hits,
  ${countIf(`${cacheStatus} IN ('miss', 'expired', 'revalidated')`)} AS misses,
  ${quantiles(columnOf("durationMs"))}`;

/** What one version has responded since a moment, in Unix time. */
export async function readErrors(dataset: string, version: string, since: number) {
  const where = `timestamp >= toDateTime(${since}) AND ${columnOf("version")} = '${version}'`;
  const [row = {}] = await query(`SELECT ${COUNTS} FROM ${dataset} WHERE ${where}`);
  return { requests: count(row.requests), errors: count(row.errors) };
}

/**
 * Asks nine questions, which is nine read queries of the month's million.
 *
 * @param since Unix time in seconds, as is `until`
 * @param parts of the timeline
 */
export async function readStats(dataset: string, since: number, until: number, parts: number) {
  const select = (columns: string, where: string, rest = ""): Promise<Row[]> =>
    query(
      `SELECT ${columns} FROM ${dataset}
        WHERE timestamp >= toDateTime(${since}) AND timestamp <= toDateTime(${until}) AND ${where} ${rest}`,
    );
  const ofRequests = `index1 <> '${FEED}'`;
  /** The busiest, by columns that have another name in JSON. */
  const by = async <Name extends string>(columns: Record<Name, Column>) => {
    const names = Object.keys(columns) as Name[];
    const selected = names.map((name) => `${columnOf(columns[name])} AS ${name}`).join(", ");
    const grouping = `GROUP BY ${names.join(", ")} ORDER BY requests DESC LIMIT ${MAX_ROWS}`;
    const rows = await select(`${selected}, ${FIGURES}`, ofRequests, grouping);
    return rows.map((row) => {
      const named = Object.fromEntries(names.map((name) => [name, String(row[name])])) as Record<Name, string>;
      return { ...named, ...figuresOf(row) };
    });
  };
  const seconds = Math.max(1, Math.ceil((until - since) / parts));
  const [[total = {}], routes, keys, versions, data_centres, failures, [asked = {}], [feed = {}], timeline] =
    await Promise.all([
      select(FIGURES, ofRequests),
      by({ method: "method", route: "route" }),
      by({ key_id: "keyId" }),
      by({ version: "version" }),
      by({ data_centre: "dataCentre" }),
      select(
        `${columnOf("status")} AS status, ${reason} AS reason, SUM(${WEIGHT}) AS requests`,
        `${reason} <> ''`,
        `GROUP BY status, reason ORDER BY requests DESC LIMIT ${MAX_ROWS}`,
      ),
      select(
        `SUM(${WEIGHT}) AS requests, SUM(${columnOf("attempts")} * ${WEIGHT}) AS attempts, ${quantiles(columnOf("queryMs"))}`,
        `${columnOf("attempts")} > 0`,
      ),
      select(
        `SUM(${WEIGHT}) AS runs, max(toUnixTimestamp(timestamp)) AS lastRun, max(${columnOf("oldestChangeSeconds")}) AS oldest`,
        `index1 = '${FEED}'`,
      ),
      select(
        `intDiv(toUInt32(timestamp) - ${since}, ${seconds}) AS part, ${COUNTS}, ${countIf(`${statusClass} = '4xx'`)} AS refusals`,
        ofRequests,
        "GROUP BY part",
      ),
    ]);
  return {
    since: iso(since),
    until: iso(until),
    total: figuresOf(total),
    routes,
    keys: keys.filter(({ key_id }) => key_id !== KEYLESS),
    versions,
    data_centres,
    failures: failures.map(({ status, reason, requests }) => ({
      status: count(status),
      reason: String(reason),
      requests: count(requests),
    })),
    database: { requests: count(asked.requests), attempts: count(asked.attempts), ...quantilesOf(asked) },
    feed:
      count(feed.runs) === 0
        ? null
        : { last_run_at: iso(count(feed.lastRun)), oldest_change_seconds: count(feed.oldest) },
    timeline: Array.from({ length: Math.floor((until - since) / seconds) + 1 }, (_, part) => {
      const { requests, errors, refusals } = timeline.find((row) => count(row.part) === part) ?? {};
      const at = iso(since + part * seconds);
      return { at, requests: count(requests), errors: count(errors), refusals: count(refusals) };
    }),
  };
}

function figuresOf({ requests, errors, refusals, hits, misses, ...row }: Row) {
  const asked = count(hits) + count(misses);
  return {
    requests: count(requests),
    errors: count(errors),
    refusals: count(refusals),
    hit_ratio: asked === 0 ? null : count(hits) / asked,
    ...quantilesOf(row),
  };
}

const quantilesOf = ({ p50_ms, p95_ms, p99_ms }: Row) => ({
  p50_ms: milliseconds(p50_ms),
  p95_ms: milliseconds(p95_ms),
  p99_ms: milliseconds(p99_ms),
});

/** 64-bit integers come as strings; sums over nothing are null. */
const count = (value: unknown): number => Number(value ?? 0);
/** Quantiles of nothing are NaN, which JSON has as null. */
const milliseconds = (value: unknown): number | null => (typeof value === "number" ? value : null);
const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString();
