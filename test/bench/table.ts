// A report for people: Markdown, because the README has the last one.
import type { Report } from "./bench.ts";

const MIB = 1024 * 1024;

export function toMarkdown(report: Report): string {
  const { machine, plan } = report;
  return [
    `${report.at.slice(0, 10)}, ${machine.cores} cores (${machine.cpu}), Node ${machine.node}, \`npm run bench\`. Medians of ${plan.rounds} rounds; ± is from the least to the most.`,
    measurements(report),
    bars(report),
    oneOffs(report),
    `**Many data centres.** A simulation with lower and upper tiers, 100,000 requests a second and the same Zipf's law everywhere: one key for each process, nothing evicted or changed, copies fresh for 30 seconds and renewed at the first request after.`,
    tiers(report),
    "**What it costs.** In dollars for a million requests, beyond what Workers Paid includes: $0.30 for a million requests, twice, because with caching on the call from the gateway to the Api is billed too, hit or not; $0.02 for a million ms of CPU, taken as measured above; on Neon $0.106 for an hour of a CU, awake all month, at least a quarter of one and half of it idle. Traffic is even, popularity as above, one key for each process; the usual Worker's two queries count as one of ours. Storage and traffic are left out.",
    costs(report),
  ].join("\n\n");
}

function measurements({ rows, plan }: Report): string {
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
    rows.map(({ delayMs, name, medians, spreads, peakMemoryBytes }) => [
      `${delayMs} ms`,
      name,
      fixed(medians.requestsPerSecond, 0),
      `${fixed(100 * spreads.requestsPerSecond, 0)} %`,
      fixed(medians.cpuPerRequest, 0),
      fixed(medians.postgresCpuPerRequest, 0),
      fixed(medians.p50Ms, 2),
      fixed(medians.p99Ms, 2),
      fixed(medians.queriesPerThousand, 1),
      fixed(peakMemoryBytes / MIB, 0),
    ]),
  );
}

function bars({ bars }: Report): string {
  return table(
    ["bar", "value", "bar", "held"],
    bars.map(({ name, value, bar, rule, held }) => [
      name,
      value.toPrecision(3),
      `${rule === "at least" ? "≥" : "≤"} ${bar}`,
      held ? "yes" : "**no**",
    ]),
  );
}

function oneOffs({ bundle, start, memory, popularity }: Report): string {
  const of = ({ cpuMs, firstAnswerMs }: Report["start"]["ours"]) =>
    `${fixed(cpuMs, 0)} ms of CPU until it listens, ${fixed(firstAnswerMs, 0)} ms until the first answer`;
  return [
    `- Bundle: ${fixed(bundle.rawBytes / 1024, 0)} KiB, ${fixed(bundle.gzipBytes / 1024, 1)} KiB gzip.`,
    `- Start of the process: ours ${of(start.ours)}; the usual Worker ${of(start.usual)}; an empty one ${of(start.empty)}.`,
    `- Memory over ${memory.requests.toLocaleString("en")} requests, by tenths, in MiB: ${memory.tenths.map((bytes) => fixed(bytes / MIB, 0)).join(", ")}.`,
    `- Zipf run, ${popularity.requestsPerSecond} requests a second for ${popularity.seconds} s from cold: ${fixed(100 * popularity.hitRatio, 1)} % hits, ${fixed(popularity.queriesPerSecond, 0)} queries a second; ${popularity.updates} changes purged, ${popularity.staleAnswers} stale answers, the oldest by ${fixed(popularity.maxStalenessMs, 0)} ms.`,
  ].join("\n");
}

function tiers({ tiers }: Report): string {
  const header = [
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
    costs.map(({ monthlyRequests, queryRatio, ours, usual }) => [
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
