// What the data points say about a while.
import { type Column, columnOf, FEED, KEYLESS } from "../../worker/shared/analytics.ts";
import type { SqlApi } from "./sql-api.ts";
import { query } from "./sql-api.ts";

/** Requests that have something in common. */
export interface Figures {
  requests: number;
  /** Answered with 5xx. */
  errors: number;
  /** Answered with 4xx. */
  refusals: number;
  /** Answers from the cache, as a part of those that it was asked for and may keep; null if there were none. */
  hit_ratio: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface Stats {
  since: string;
  until: string;
  total: Figures;
  routes: ({ method: string; route: string } & Figures)[];
  /** The busiest. */
  keys: ({ key_id: string } & Figures)[];
  versions: ({ version: string } & Figures)[];
  data_centres: ({ data_centre: string } & Figures)[];
  /** Answers from 400 up, by reason. */
  failures: { status: number; reason: string; requests: number }[];
  /** Requests that the database was asked for, how often it was asked, and how long it took. */
  database: {
    requests: number;
    attempts: number;
    p50_ms: number | null;
    p95_ms: number | null;
    p99_ms: number | null;
  };
  /** null if no run of the feed ended in this while. */
  feed: { last_run_at: string; oldest_change_seconds: number } | null;
  /** The while in equal parts, the oldest first. */
  timeline: { at: string; requests: number; errors: number; refusals: number }[];
}

interface Question {
  api: SqlApi;
  dataset: string;
  /** Unix time in seconds. */
  since: number;
  until: number;
  /** How many parts the timeline has. */
  parts: number;
}

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
/** `revalidated`: the database was asked, and the copy was still right. */
const FIGURES = `SUM(${WEIGHT}) AS requests,
  ${countIf(`${statusClass} = '5xx'`)} AS errors,
  ${countIf(`${statusClass} = '4xx'`)} AS refusals,
  ${countIf(`${cacheStatus} IN ('hit', 'updating', 'stale')`)} AS hits,
  ${countIf(`${cacheStatus} IN ('miss', 'expired', 'revalidated')`)} AS misses,
  ${quantiles(columnOf("durationMs"))}`;

/** What one version has answered since a moment, in Unix time. */
export async function readErrors(
  api: SqlApi,
  dataset: string,
  version: string,
  since: number,
): Promise<Pick<Figures, "requests" | "errors">> {
  const [row = {}] = await query(
    api,
    `SELECT SUM(${WEIGHT}) AS requests, ${countIf(`${statusClass} = '5xx'`)} AS errors FROM ${dataset}
      WHERE timestamp >= toDateTime(${since}) AND ${columnOf("version")} = '${version}'`,
  );
  return { requests: count(row.requests), errors: count(row.errors) };
}

/** Asks nine questions, which is nine read queries of the month's million. */
export async function readStats({ api, dataset, since, until, parts }: Question): Promise<Stats> {
  const select = async (columns: string, where: string, rest = ""): Promise<Row[]> =>
    query(
      api,
      `SELECT ${columns} FROM ${dataset}
        WHERE timestamp >= toDateTime(${since}) AND timestamp <= toDateTime(${until}) AND ${where} ${rest}`,
    );
  const ofRequests = `index1 <> '${FEED}'`;
  const by = (...columns: Column[]): Promise<Row[]> => {
    const names = columns.map((name) => `${columnOf(name)} AS ${name}`).join(", ");
    const grouping = `GROUP BY ${columns.join(", ")} ORDER BY requests DESC LIMIT ${MAX_ROWS}`;
    return select(`${names}, ${FIGURES}`, ofRequests, grouping);
  };
  const seconds = Math.max(1, Math.ceil((until - since) / parts));
  const [totals, routes, keys, versions, dataCentres, failures, database, feed, timeline] = await Promise.all([
    select(FIGURES, ofRequests),
    by("method", "route"),
    by("keyId"),
    by("version"),
    by("dataCentre"),
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
      `intDiv(toUInt32(timestamp) - ${since}, ${seconds}) AS part, ${statusClass} AS statusClass, SUM(${WEIGHT}) AS requests`,
      ofRequests,
      "GROUP BY part, statusClass",
    ),
  ]);
  const [asked = {}] = database;
  return {
    since: iso(since),
    until: iso(until),
    total: figuresOf(totals[0] ?? {}),
    routes: routes.map((row) => ({ method: String(row.method), route: String(row.route), ...figuresOf(row) })),
    keys: keys.filter((row) => row.keyId !== KEYLESS).map((row) => ({ key_id: String(row.keyId), ...figuresOf(row) })),
    versions: versions.map((row) => ({ version: String(row.version), ...figuresOf(row) })),
    data_centres: dataCentres.map((row) => ({ data_centre: String(row.dataCentre), ...figuresOf(row) })),
    failures: failures.map((row) => ({
      status: count(row.status),
      reason: String(row.reason),
      requests: count(row.requests),
    })),
    database: { requests: count(asked.requests), attempts: count(asked.attempts), ...quantilesOf(asked) },
    feed: feedOf(feed[0]),
    timeline: Array.from({ length: Math.floor((until - since) / seconds) + 1 }, (_, part) => {
      const here = timeline.filter((row) => count(row.part) === part);
      const sum = (wanted: string) =>
        here.reduce((total, row) => total + (wanted === "" || row.statusClass === wanted ? count(row.requests) : 0), 0);
      return { at: iso(since + part * seconds), requests: sum(""), errors: sum("5xx"), refusals: sum("4xx") };
    }),
  };
}

function figuresOf(row: Row): Figures {
  const asked = count(row.hits) + count(row.misses);
  return {
    requests: count(row.requests),
    errors: count(row.errors),
    refusals: count(row.refusals),
    hit_ratio: asked === 0 ? null : count(row.hits) / asked,
    ...quantilesOf(row),
  };
}

const quantilesOf = ({ p50_ms, p95_ms, p99_ms }: Row) => ({
  p50_ms: milliseconds(p50_ms),
  p95_ms: milliseconds(p95_ms),
  p99_ms: milliseconds(p99_ms),
});

function feedOf(row: Row | undefined): Stats["feed"] {
  if (row === undefined || count(row.runs) === 0) return null;
  return { last_run_at: iso(count(row.lastRun)), oldest_change_seconds: count(row.oldest) };
}

/** 64-bit integers come as strings; sums over nothing are null. */
const count = (value: unknown): number => Number(value ?? 0);
/** Quantiles of nothing are NaN, which JSON has as null. */
const milliseconds = (value: unknown): number | null => (typeof value === "number" ? value : null);
const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString();
