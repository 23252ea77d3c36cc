import type { Report } from "./bench.ts";
import type { ContenderName } from "./contenders.ts";
import type { Measured } from "./measure.ts";

/** What a number ought to be, and whether it is. Reported, not asserted. */
export interface Bar {
  name: string;
  value: number;
  bar: number;
  rule: "at least" | "at most";
  held: boolean;
}

const KIB = 1024;

/** The bars of a run. Ratios are of medians. */
export function barsOf({ rows, bundle, start, memory }: Omit<Report, "bars">): Bar[] {
  const near = 0;
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
    atLeast(0.85, "hit / gateway floor, requests a second", ratio("hit", "gateway floor", "requestsPerSecond")),
    atLeast(1, "304 / hit, requests a second", ratio("hit, 304", "hit", "requestsPerSecond")),
    atLeast(0.8, "miss / query floor, requests a second", ratio("miss", "query floor", "requestsPerSecond")),
    atLeast(3, "hit / usual Worker, requests a second", ratio("hit", "usual Worker", "requestsPerSecond")),
    atMost(1 / 20, `hit / usual Worker, p50 at ${far} ms`, ratio("hit", "usual Worker", "p50Ms", far)),
    atMost(0.6, `miss / usual Worker, p50 at ${far} ms`, ratio("miss", "usual Worker", "p50Ms", far)),
    atLeast(1, "hit / usual server, requests a CPU second", ratio("usual server", "hit", "cpuPerRequest")),
    atLeast(1, "the same, Postgres's CPU counted", cpuWithPostgres("usual server") / cpuWithPostgres("hit")),
    atMost(150, "bundle, KiB gzip", bundle.gzipBytes / KIB),
    atMost(50, "start-up CPU, ms", start.ours.cpuMs - start.empty.cpuMs),
    atMost(
      0.1,
      `memory over ${memory.requests.toLocaleString("en")} requests, last tenth against second, deviation`,
      Math.abs((memory.tenths.at(-1) ?? Number.NaN) / (memory.tenths[1] ?? Number.NaN) - 1),
    ),
  ];
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
