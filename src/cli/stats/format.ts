// Stats for people, in a terminal of 80 columns.
import { printable } from "../../node/errors.ts";
import { list, table } from "../support/output.ts";
import type { Figures, Stats } from "./read.ts";

/** The chart's width, and so the number of parts of its timeline. */
export const CHART_COLUMNS = 55;

/** Documented in `--help`; a program may rely on it. */
export const JSON_SHAPE = `In JSON, "figures" are:
  requests, errors (5xx), refusals (4xx), hit_ratio, p50_ms, p95_ms, p99_ms
                the last four null where there is nothing to tell from
and the whole is:
  since, until  ISO 8601 in UTC
  total         figures
  routes        [{ method, route, …figures }], the busiest first, ten at most,
                like all that follow
  keys          [{ key_id, …figures }], those that are known
  versions      [{ version, …figures }]
  data_centres  [{ data_centre, …figures }]
  failures      [{ status, reason, requests }]
  database      { requests, attempts, p50_ms, p95_ms, p99_ms }: requests that
                asked it, and how often and how long it was asked
  feed          { last_run_at, oldest_change_seconds }, or null
  timeline      [{ at, requests, errors, refusals }], the oldest first`;

const BLOCKS = "▁▂▃▄▅▆▇█";
const TERMINAL_COLUMNS = 80;
/** Between two columns of a table. */
const GAP = 2;
const FIGURES = ["REQUESTS", "HITS", "5XX", "P50", "P95", "P99"];

/** The total, a chart, and a table for each thing that requests can be told apart by. */
export function formatStats(stats: Stats): string {
  const { total, database, feed, since, until } = stats;
  const sections = [
    list([
      ["since", `${since} until ${until.slice(11)}`],
      ["requests", `${total.requests}, ${total.errors} failed (5xx), ${total.refusals} refused (4xx)`],
      ["answers", `${percent(total.hit_ratio)} from the cache; ${latencies(total)}`],
      ["database", `asked ${database.attempts} times for ${database.requests} requests; ${latencies(database)}`],
      ["feed", describeFeed(feed)],
    ]),
    chart(stats.timeline),
    figuresTable("ROUTE", stats.routes, ({ method, route }) => `${method} ${route}`),
    figuresTable("KEY", stats.keys, ({ key_id }) => key_id),
    figuresTable("VERSION", stats.versions, ({ version }) => version),
    figuresTable("DATA CENTRE", stats.data_centres, ({ data_centre }) => data_centre),
    stats.failures.length === 0
      ? ""
      : table(
          ["REASON", "STATUS", "REQUESTS"],
          stats.failures.map(({ status, reason, requests }) => [printable(reason), String(status), String(requests)]),
        ),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function describeFeed(feed: Stats["feed"]): string {
  if (feed === null) return "no run has ended";
  const { last_run_at, oldest_change_seconds } = feed;
  return `last run ended ${last_run_at.slice(11, 19)}; a change waited ${oldest_change_seconds.toFixed(1)} s at the most`;
}

function chart(timeline: Stats["timeline"]): string {
  const line = (label: string, values: readonly number[]): [string, string] => {
    const peak = Math.max(...values);
    return [label, `${values.map((value) => block(value, peak)).join("")}  peak ${peak}`];
  };
  const lines = [
    line(
      "requests",
      timeline.map(({ requests }) => requests),
    ),
  ];
  if (timeline.some(({ errors }) => errors > 0))
    lines.push(
      line(
        "5xx",
        timeline.map(({ errors }) => errors),
      ),
    );
  if (timeline.some(({ refusals }) => refusals > 0))
    lines.push(
      line(
        "4xx",
        timeline.map(({ refusals }) => refusals),
      ),
    );
  return list(lines);
}

/** Nothing at all is a space; anything else shows. */
const block = (value: number, peak: number): string =>
  value === 0 ? " " : String(BLOCKS[Math.ceil((value / peak) * BLOCKS.length) - 1]);

function figuresTable<Row extends Figures>(
  heading: string,
  rows: readonly Row[],
  nameOf: (row: Row) => string,
): string {
  if (rows.length === 0) return "";
  const cells = rows.map((row) => [
    compact(row.requests),
    row.hit_ratio === null ? "–" : `${Math.round(100 * row.hit_ratio)} %`,
    compact(row.errors),
    ...[row.p50_ms, row.p95_ms, row.p99_ms].map(inMilliseconds),
  ]);
  const widths = FIGURES.map((name, i) => Math.max(name.length, ...cells.map((row) => String(row[i]).length)));
  const left = TERMINAL_COLUMNS - widths.reduce((sum, width) => sum + GAP + width, 0);
  return table(
    [heading, ...FIGURES],
    rows.map((row, i) => [shortened(printable(nameOf(row)), left), ...(cells[i] ?? [])]),
  );
}

const percent = (part: number | null): string => (part === null ? "–" : `${(100 * part).toFixed(1)} %`);
const inMilliseconds = (ms: number | null): string => (ms === null ? "–" : String(Math.round(ms)));
const latencies = ({ p50_ms, p95_ms, p99_ms }: Pick<Figures, "p50_ms" | "p95_ms" | "p99_ms">): string =>
  `p50 ${inMilliseconds(p50_ms)} ms, p95 ${inMilliseconds(p95_ms)}, p99 ${inMilliseconds(p99_ms)}`;

const MILLION = 1_000_000;
const compact = (count: number): string => (count < MILLION ? String(count) : `${(count / MILLION).toFixed(1)} M`);

/** The end of a name tells more than its beginning. */
const shortened = (name: string, length: number): string =>
  name.length <= length ? name : `…${name.slice(name.length - length + 1)}`;
