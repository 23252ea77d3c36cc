import type { Report } from "./bench.ts";
import type { ContenderName } from "./contenders.ts";
import type { Curve } from "./goodput.ts";
import { AUDIT_OF_KEY, CREATE, CREATE_IN_LARGE, GET, LIST, LIST_AT_END, LIST_OF_MANY, POLL } from "./growth.ts";
import type { Measured } from "./measure.ts";
import type { Backlog, Neighbours } from "./motion.ts";
import { type BesideMisses, USUAL_WORKER } from "./overload.ts";

/** An aim for a number, and whether it is met. Reported, not asserted. */
export interface Bar {
  name: string;
  value: number;
  bar: number;
  rule: "at least" | "at most";
  held: boolean;
}

const KIB = 1024;

/** The bars of what was measured. Ratios are of medians. */
export function barsOf({
  rows,
  bundle,
  start,
  memory,
  freshness,
  overload,
  hitsBesideMisses,
  neighbours,
  backlog,
  growth,
}: Report): Bar[] {
  return [
    ...(rows === undefined ? [] : rowBars(rows)),
    atMost(100, "bundle, KiB gzip", bundle.gzipBytes / KIB),
    ...(start === undefined
      ? []
      : [atMost(1, "start until it listens / usual Worker, CPU", start.ours.cpuMs / start.usual.cpuMs)]),
    ...(memory === undefined ? [] : [memoryBar(memory)]),
    ...(overload ?? []).filter(({ name }) => name !== USUAL_WORKER).flatMap(curveBars),
    ...(hitsBesideMisses === undefined ? [] : [besideBar(hitsBesideMisses)]),
    ...(neighbours === undefined ? [] : [neighboursBar(neighbours)]),
    ...(freshness ?? []).map(freshnessBar),
    ...(backlog === undefined ? [] : backlogBars(backlog)),
    ...(growth === undefined ? [] : growthBars(growth)),
  ];
}

function rowBars(rows: NonNullable<Report["rows"]>): Bar[] {
  const near = Math.min(...rows.map(({ delayMs }) => delayMs));
  const far = Math.max(...rows.map(({ delayMs }) => delayMs));
  const of = (name: ContenderName, what: Measured, delayMs: number) => {
    const row = rows.find((one) => one.name === name && one.delayMs === delayMs);
    return row === undefined ? Number.NaN : row.medians[what];
  };
  const ratio = (one: ContenderName, other: ContenderName, what: Measured, delayMs = near) =>
    of(one, what, delayMs) / of(other, what, delayMs);
  const cpuWithPostgres = (name: ContenderName) =>
    of(name, "cpuPerRequest", near) + of(name, "postgresCpuPerRequest", near);
  return [
    atMost(1.1, "gateway / its floor, CPU", ratio("gateway", "gateway floor", "cpuPerRequest")),
    atLeast(1, "304 / hit, requests a second", ratio("hit, 304", "hit", "requestsPerSecond")),
    atMost(1.25, "miss without cache / query floor, CPU", ratio("miss, no cache", "query floor", "cpuPerRequest")),
    atMost(0.55, "miss without cache / usual Worker, CPU", ratio("miss, no cache", "usual Worker", "cpuPerRequest")),
    atMost(1_050, "queries per 1,000 misses", of("miss", "queriesPerThousand", near)),
    atLeast(3, "hit / usual Worker, requests a second", ratio("hit", "usual Worker", "requestsPerSecond")),
    atMost(1 / 20, `hit / usual Worker, p50 at ${far} ms`, ratio("hit", "usual Worker", "p50Ms", far)),
    atMost(0.6, `miss / usual Worker, p50 at ${far} ms`, ratio("miss", "usual Worker", "p50Ms", far)),
    atLeast(
      2,
      "hit / usual server, requests a CPU second, Postgres counted",
      cpuWithPostgres("usual server") / cpuWithPostgres("hit"),
    ),
  ];
}

function memoryBar({ requests, tenths }: NonNullable<Report["memory"]>): Bar {
  const [, second = Number.NaN, ...later] = tenths;
  return atMost(
    0.1,
    `memory over ${requests.toLocaleString("en")} requests, last tenth against second, deviation`,
    Math.abs((later.at(-1) ?? Number.NaN) / second - 1),
  );
}

function curveBars({ name, offers }: Curve): Bar[] {
  const { factor, goodput } = offers.at(-1) ?? {};
  if (goodput === undefined) return [];
  const peak = Math.max(...offers.map((offer) => offer.goodput?.served.perSecond ?? 0));
  return [
    atLeast(0.9, `${name}: goodput at ${factor} × capacity / its peak`, goodput.served.perSecond / peak),
    atMost(50, `${name}: refusals at ${factor} × capacity, p50 ms`, goodput.refused.p50Ms),
  ];
}

function besideBar({ capacityPerSecond, offeredPerSecond, alone, besideMisses }: BesideMisses): Bar {
  const factor = (offeredPerSecond / capacityPerSecond).toFixed(0);
  return atMost(2, `hits, p99 beside misses at ${factor} × capacity / alone`, besideMisses.p99Ms / alone.p99Ms);
}

const neighboursBar = ({ waitingWrites, reads, refused, failed }: Neighbours): Bar =>
  atMost(0, `reads not served beside ${waitingWrites} waiting writes / all`, (refused + failed) / reads);

function backlogBars({ changes, revokedMs, drainedMs, pollMs }: Backlog): Bar[] {
  const behind = `behind ${changes.toLocaleString("en")} changes`;
  return [
    atMost(5, `revocation ${behind}, s`, revokedMs / 1_000),
    atMost(60, `drained ${behind}, s`, drainedMs / 1_000),
    atMost(20, `a poll ${behind}, ms of Postgres`, pollMs),
  ];
}

function growthBars(all: NonNullable<Report["growth"]>): Bar[] {
  const [first, last] = [all[0], all.at(-1)];
  const of = (what: string) => last?.times[what]?.ms as number;
  const rows = `from ${first?.rows.toLocaleString("en")} to ${last?.rows.toLocaleString("en")} rows`;
  return [
    ...[GET, LIST].map((what) => atMost(1.5, `${what}, ${rows}`, growthOf(what, all))),
    atMost(3, `${LIST_OF_MANY} / of a small one`, of(LIST_OF_MANY) / of(LIST)),
    atMost(10, `${LIST_AT_END} / 25 of a small one`, of(LIST_AT_END) / of(LIST)),
    atMost(3, `${CREATE_IN_LARGE} / in a small one`, of(CREATE_IN_LARGE) / of(CREATE)),
    atMost(1, `${AUDIT_OF_KEY}, ms`, of(AUDIT_OF_KEY)),
    atMost(5, `${POLL}, ms`, of(POLL)),
  ];
}

/** How much longer a statement takes with the most rows than with the fewest. */
export const growthOf = (what: string, all: NonNullable<Report["growth"]>): number =>
  (all.at(-1)?.times[what]?.relative as number) / (all[0]?.times[what]?.relative as number);

function freshnessBar({ changesPerMinute, afterSeconds, changes }: NonNullable<Report["freshness"]>[number]): Bar {
  const isBucketSpent = changesPerMinute > 60 || afterSeconds > 0;
  return atMost(
    isBucketSpent ? 12.5 : 5,
    `commit to fresh at ${changesPerMinute} a minute${afterSeconds > 0 ? `, after ${afterSeconds} s` : ""}, p99 s`,
    changes.p99Ms / 1_000,
  );
}

const atLeast = (bar: number, name: string, value: number): Bar => ({
  name,
  value,
  bar,
  rule: "at least",
  held: value >= bar,
});
const atMost = (bar: number, name: string, value: number): Bar => ({
  name,
  value,
  bar,
  rule: "at most",
  held: value <= bar,
});
