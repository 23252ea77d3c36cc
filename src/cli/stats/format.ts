// Stats for people, in a terminal of 80 columns.
import { printable } from "../../node/errors.ts";
import { lengthOf, table } from "../support/output.ts";
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

/** The total, a chart, and a table for each thing that requests can be told apart by. */
export function formatStats({ total, database, feed, since, until, timeline, failures, ...stats }: Stats): string {
  const sections = [
    table([
      ["since", `${since} until ${until.slice(11)}`],
      ["requests", `${total.requests}, ${total.errors} failed (5xx), ${total.refusals} refused (4xx)`],
      ["responses", `${percent(total.hit_ratio, 1)} from the cache; ${latencies(total)}`],
      ["database", `asked ${database.attempts} times for ${database.requests} requests; ${latencies(database)}`],
      ["feed", describeFeed(feed)],
    ]),
    chart(timeline),
    figuresTable("ROUTE", stats.routes, (row) => `${row.method} ${row.route}`),
    figuresTable("KEY", stats.keys, (row) => row.key_id),
    figuresTable("VERSION", stats.versions, (row) => row.version),
    figuresTable("DATA CENTRE", stats.data_centres, (row) => row.data_centre),
    table([
      ...(failures.length === 0 ? [] : [["REASON", "STATUS", "REQUESTS"]]),
      ...failures.map(({ status, reason, requests }) => [reason, String(status), String(requests)]),
    ]),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function describeFeed(feed: Stats["feed"]): string {
  if (feed === null) return "no run has ended";
  const { last_run_at, oldest_change_seconds } = feed;
  return `last run ended ${last_run_at.slice(11, 19)}; a change waited ${oldest_change_seconds.toFixed(1)} s at the most`;
}

function chart(timeline: Stats["timeline"]): string {
  const rows = (["requests", "errors", "refusals"] as const).flatMap((name) => {
    const values = timeline.map((part) => part[name]);
    const peak = Math.max(...values);
    if (name !== "requests" && peak === 0) return [];
    const label = { requests: "requests", errors: "5xx", refusals: "4xx" }[name];
    // Nothing at all is a space; anything else shows.
    const block = (value: number) => (value === 0 ? " " : BLOCKS[Math.ceil((value / peak) * BLOCKS.length) - 1]);
    return [[label, `${values.map(block).join("")}  peak ${peak}`]];
  });
  return table(rows);
}

function figuresTable<Row extends Figures>(
  heading: string,
  rows: readonly Row[],
  nameOf: (row: Row) => string,
): string {
  if (rows.length === 0) return "";
  const cells = [
    ["REQUESTS", "HITS", "5XX", "P50", "P95", "P99"],
    ...rows.map(({ requests, hit_ratio, errors, p50_ms, p95_ms, p99_ms }) => [
      compact(requests),
      percent(hit_ratio, 0),
      compact(errors),
      ...[p50_ms, p95_ms, p99_ms].map(inMilliseconds),
    ]),
  ];
  const width = Math.max(...table(cells).split("\n").map(lengthOf));
  const names = rows.map((row) => shortened(nameOf(row), TERMINAL_COLUMNS - GAP - width));
  return table(cells.map((row, n) => [names[n - 1] ?? heading, ...row]));
}

const percent = (part: number | null, digits: number): string =>
  part === null ? "–" : `${(100 * part).toFixed(digits)} %`;
const inMilliseconds = (ms: number | null): string => (ms === null ? "–" : String(Math.round(ms)));
const latencies = ({ p50_ms, p95_ms, p99_ms }: Pick<Figures, "p50_ms" | "p95_ms" | "p99_ms">): string =>
  `p50 ${inMilliseconds(p50_ms)} ms, p95 ${inMilliseconds(p95_ms)}, p99 ${inMilliseconds(p99_ms)}`;
const compact = (count: number): string => (count < 1e6 ? String(count) : `${(count / 1e6).toFixed(1)} M`);

/** The end of a name tells more than its beginning. */
function shortened(name: string, length: number): string {
  const text = printable(name);
  return text.length <= length ? text : `…${text.slice(text.length - length + 1)}`;
}
