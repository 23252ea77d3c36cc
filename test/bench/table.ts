// A report for people: Markdown, because the README has the last one.
import { barsOf, growthOf } from "./bars.ts";
import type { Report } from "./bench.ts";
import type { Curve, Goodput } from "./goodput.ts";
import type { Backlog, Neighbours } from "./motion.ts";
import type { BesideMisses, SlowDatabase } from "./overload.ts";

const MIB = 1024 * 1024;

/** Writes what was measured, part by part. */
export function toMarkdown(report: Report): string {
  const { machine, plan, failures } = report;
  const overloads = report.overload ?? [];
  return [
    `${report.at.slice(0, 10)}, ${machine.cores} cores (${machine.cpu}), Node ${machine.node}, \`npm run bench\`. Medians of ${plan.rounds} rounds; ± is from the least to the most.`,
    ...Object.entries(failures).map(([part, reason]) => `**${part}** failed: ${reason}`),
    ...(report.rows === undefined ? [] : [measurements(report.rows, plan)]),
    bars(report),
    oneOffs(report),
    ...(overloads.length === 0 ? [] : [overload(plan), curves(overloads)]),
    ...(report.slowDatabase === undefined ? [] : [slowDatabase(report.slowDatabase)]),
    ...(report.hitsBesideMisses === undefined ? [] : [hitsBesideMisses(report.hitsBesideMisses)]),
    ...(report.neighbours === undefined ? [] : [neighbours(report.neighbours)]),
    ...(report.freshness === undefined ? [] : [FRESHNESS, freshness(report.freshness)]),
    ...(report.backlog === undefined ? [] : [backlog(report.backlog)]),
    ...(report.writers === undefined ? [] : [WRITERS, writers(report.writers)]),
    ...(report.growth === undefined ? [] : [growing(plan), growth(report.growth)]),
    TIERS,
    tiers(report),
    ...(report.costs.length === 0 ? [] : [COSTS, costs(report)]),
  ].join("\n\n");
}

const overload = ({ overload: { holdMs } }: Report["plan"]) =>
  `**Overload.** Offered at parts of the capacity, which is what each answers as fast as answers come; an open loop that waits for nobody. The database has ten connections, each query keeps one for ${holdMs} ms more, and so the database is the bottleneck; under \`npm run dev\` it is the embedded Postgres.`;
const FRESHNESS =
  "**Freshness.** From a commit, by whoever, to the first answer that shows it, and from a key's revocation to 401; in the cache before, asked for ten times a second; the platform's limits on purges hold.";
const WRITERS =
  "**What the outbox costs writers.** One statement on `processes`, in milliseconds, with its triggers and without them.";
const growing = ({ growth: { large, runs, changes } }: Report["plan"]) =>
  `**Growth.** How long Postgres runs each statement, by its own account, in milliseconds, with so many processes, as many rows of the audit log and a tenth as many keys. The largest application has ${fixed(large, 0)} processes and the largest company as many applications, one process ${fixed(runs, 0)} runs; ${fixed(changes, 0)} changes wait. Growth is in proportion to a statement that reads no table, run by turns.`;
const TIERS =
  "**Many data centres.** A model with lower and upper tiers, 100,000 requests a second, 100,000 processes and the same Zipf's law everywhere: one key for each process, nothing evicted or changed. Fresh for 30 seconds without the feed, for an hour with it.";
const COSTS =
  "**What it costs.** In dollars for a million requests, beyond what Workers Paid includes: $0.30 for a million requests, twice, because with caching on the call from the gateway to the Api is billed too, hit or not; $0.02 for a million ms of CPU, taken as measured above; on Neon $0.106 for an hour of a CU, awake all month, at least a quarter of one and half of it idle. Traffic is even, popularity as above, one key for each process; the usual Worker's two queries count as one of ours. An uncached call is billed as two requests like any other, and so is a request for an asset. Storage and traffic are left out, and the feed's own requests: whatever the traffic, its 43,800 runs and at most 219,000 purges a month cost $0.08.";

function measurements(rows: NonNullable<Report["rows"]>, plan: Report["plan"]): string {
  const header = [
    "database at",
    "what",
    "requests/s",
    "±",
    "CPU µs",
    "Postgres µs",
    `p50 ms at ${plan.latencyRate}/s`,
    "p99 ms",
    "queries/1,000",
    "peak MiB",
  ];
  return table(
    header,
    rows.map(({ delayMs, name, medians, spreads, peakMemoryBytes, failed }) => [
      `${delayMs} ms`,
      name,
      ...(failed === undefined
        ? [
            fixed(medians.requestsPerSecond, 0),
            `${fixed(100 * spreads.requestsPerSecond, 0)} %`,
            fixed(medians.cpuPerRequest, 0),
            fixed(medians.postgresCpuPerRequest, 0),
            fixed(medians.p50Ms, 2),
            fixed(medians.p99Ms, 2),
            fixed(medians.queriesPerThousand, 1),
            fixed(peakMemoryBytes / MIB, 0),
          ]
        : [`failed: ${failed}`]),
    ]),
  );
}

function bars(report: Report): string {
  return table(
    ["bar", "value", "bar", "held"],
    barsOf(report).map(({ name, value, bar, rule, held }) => [
      name,
      value.toPrecision(3),
      `${rule === "at least" ? "≥" : "≤"} ${bar}`,
      held ? "yes" : "**no**",
    ]),
  );
}

function oneOffs({ bundle, start, memory, popularity }: Report): string {
  const of = ({ cpuMs, firstAnswerMs }: NonNullable<Report["start"]>["ours"]) =>
    `${fixed(cpuMs, 0)} ms of CPU until it listens, ${fixed(firstAnswerMs, 0)} ms until the first answer`;
  const lines = [`- Bundle: ${fixed(bundle.rawBytes / 1024, 0)} KiB, ${fixed(bundle.gzipBytes / 1024, 1)} KiB gzip.`];
  if (start !== undefined) {
    lines.push(
      `- Start of the process: ours ${of(start.ours)}; the usual Worker ${of(start.usual)}; an empty one ${of(start.empty)}.`,
    );
  }
  if (memory !== undefined) {
    const tenths = memory.tenths.map((bytes) => fixed(bytes / MIB, 0)).join(", ");
    lines.push(`- Memory over ${memory.requests.toLocaleString("en")} requests, by tenths, in MiB: ${tenths}.`);
  }
  if (popularity !== undefined) {
    lines.push(
      `- Zipf run, ${popularity.requestsPerSecond} requests a second for ${popularity.seconds} s from cold: ${fixed(100 * popularity.hitRatio, 1)} % hits, ${fixed(popularity.queriesPerSecond, 0)} queries a second, ${popularity.refused} refused; ${popularity.updates} changes by SQL, ${popularity.staleAnswers} stale answers, the oldest by ${fixed(popularity.maxStalenessMs, 0)} ms.`,
    );
  }
  return lines.join("\n");
}

function curves(all: readonly Curve[]): string {
  const header = [
    "what",
    "offered",
    "a second",
    "200/s",
    "p50 ms",
    "p99 ms",
    "503/s",
    "p50 ms",
    "p99 ms",
    "failed/s",
    "queries/s",
    "given up/s",
    "peak MiB",
    "files",
  ];
  const cells = ({ served, refused, ...goodput }: Goodput) => [
    fixed(goodput.offeredPerSecond, 0),
    fixed(served.perSecond, 0),
    fixed(served.p50Ms, 0),
    fixed(served.p99Ms, 0),
    fixed(refused.perSecond, 0),
    fixed(refused.p50Ms, 0),
    fixed(refused.p99Ms, 0),
    fixed(goodput.failedPerSecond, 0),
    fixed(goodput.queriesPerSecond, 0),
    fixed(goodput.givenUpPerSecond, 0),
    fixed(goodput.peakMemoryBytes / MIB, 0),
    String(goodput.peakFiles),
  ];
  const rows = all.flatMap(({ name, offers, after, failed }) => [
    ...offers.map((offer) => [
      name,
      `${offer.factor} ×`,
      ...(offer.goodput === undefined ? [`failed: ${offer.failed}`] : cells(offer.goodput)),
    ]),
    ...(after === undefined ? [] : [[name, "0.5 ×, soon after", ...cells(after)]]),
    ...(failed === undefined ? [] : [[name, `failed: ${failed}`]]),
  ]);
  return table(header, rows);
}

function slowDatabase({
  offeredPerSecond,
  slowFrom,
  slowUntil,
  slowCapacityPerSecond,
  servedBySecond,
}: SlowDatabase): string {
  return `**A slow database.** ${fixed(offeredPerSecond, 0)} misses a second; from second ${slowFrom} to ${slowUntil} the database can do ${fixed(slowCapacityPerSecond, 0)}. Served, second by second: ${servedBySecond.map((count) => fixed(count, 0)).join(", ")}.`;
}

function hitsBesideMisses({
  hitsPerSecond,
  offeredPerSecond,
  capacityPerSecond,
  alone,
  besideMisses,
  besideHits,
}: BesideMisses): string {
  const times = ({ p50Ms, p99Ms }: typeof alone) => `p50 ${fixed(p50Ms, 1)} ms, p99 ${fixed(p99Ms, 1)} ms`;
  return `**Hits beside misses.** ${fixed(hitsPerSecond, 0)} hits a second alone: ${times(alone)}; beside ${fixed(offeredPerSecond, 0)} misses a second, of which the database can do ${fixed(capacityPerSecond, 0)}: ${times(besideMisses)}; beside as many other hits: ${times(besideHits)}.`;
}

function neighbours({ waitingWrites, reads, refused, failed, p50Ms, p99Ms }: Neighbours): string {
  return `**Neighbours.** Reads of other keys, all of them misses, while ${waitingWrites} writes of one key wait for a lock.\n\n${table(
    ["reads", "503", "failed", "p50 ms", "p99 ms"],
    [[reads, refused, failed, p50Ms, p99Ms].map((value) => fixed(value, 0))],
  )}`;
}

function backlog({ changes, revokedMs, drainedMs, pollMs }: Backlog): string {
  return `**Backlog.** So many changes of one application at once, and a key revoked right behind them; a poll by Postgres's own account, the longest.\n\n${table(
    ["changes", "revoked s", "drained s", "poll ms"],
    [[fixed(changes, 0), fixed(revokedMs / 1_000, 1), fixed(drainedMs / 1_000, 1), fixed(pollMs, 1)]],
  )}`;
}

function freshness(rates: NonNullable<Report["freshness"]>): string {
  const header = [
    "changes a minute",
    "from",
    "for",
    "p50 s",
    "p99 s",
    "max s",
    "revoked: p50 s",
    "p99 s",
    "max s",
    "purge calls",
  ];
  return table(
    header,
    rates.map(({ changesPerMinute, afterSeconds, seconds, changes, revocations, purges }) => [
      fixed(changesPerMinute, 0),
      `${afterSeconds} s`,
      `${seconds} s`,
      ...[changes, revocations].flatMap(({ p50Ms, p99Ms, maxMs }) =>
        [p50Ms, p99Ms, maxMs].map((ms) => fixed(ms / 1_000, 1)),
      ),
      String(purges),
    ]),
  );
}

function writers(costs: NonNullable<Report["writers"]>): string {
  return table(
    ["statement", "rows", "without", "with", "ratio"],
    costs.map(({ what, rows, withMs, withoutMs }) => [
      what,
      fixed(rows, 0),
      fixed(withoutMs, 2),
      fixed(withMs, 2),
      fixed(withMs / withoutMs, 2),
    ]),
  );
}

function growth(all: NonNullable<Report["growth"]>): string {
  return table(
    ["statement", ...all.map(({ rows }) => fixed(rows, 0)), "growth"],
    Object.keys(all[0]?.times ?? {}).map((what) => [
      what,
      ...all.map(({ times }) => fixed(times[what]?.ms as number, 2)),
      fixed(growthOf(what, all), 2),
    ]),
  );
}

function tiers({ tiers }: Report): string {
  const header = [
    "fresh for",
    "data centres",
    "answered at once",
    "to the upper tier",
    "to Postgres",
    "queries/s",
    "queries/s without upper tier",
  ];
  return table(
    header,
    tiers.map((one) => [
      `${fixed(one.freshSeconds, 0)} s`,
      String(one.dataCentres),
      `${fixed(100 * one.lowerHitRatio, 1)} %`,
      `${fixed(100 * one.upperRatio, 1)} %`,
      `${fixed(100 * one.queryRatio, 2)} %`,
      fixed(one.queriesPerSecond, 0),
      fixed(one.queriesPerSecondWithoutUpper, 0),
    ]),
  );
}

function costs({ costs }: Report): string {
  const header = [
    "fresh for",
    "requests a month",
    "to Postgres",
    "requests",
    "CPU",
    "Neon",
    "$ per million",
    "the usual Worker: Neon",
    "$ per million",
  ];
  return table(
    header,
    costs.map(({ freshSeconds, monthlyRequests, queryRatio, ours, usual }) => [
      `${fixed(freshSeconds, 0)} s`,
      `${(monthlyRequests / 1e6).toLocaleString("en")} million`,
      `${fixed(100 * queryRatio, 1)} %`,
      fixed(ours.requests, 2),
      fixed(ours.cpu, 3),
      fixed(ours.database, 3),
      fixed(ours.total, 2),
      fixed(usual.database, 3),
      fixed(usual.total, 2),
    ]),
  );
}

function table(header: readonly string[], rows: readonly string[][]): string {
  const widths = header.map((title, i) =>
    Math.max(...[title, ...rows.map((row) => row[i] ?? "")].map((cell) => cell.length)),
  );
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [line(header), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}

const fixed = (value: number, digits: number): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
