// Measures what is served when more is asked than can be served, at a steady rate, whether answers come or not.
import { readdirSync } from "node:fs";
import { sessionOf, startDev } from "../support/dev.ts";
import type { Children } from "./children.ts";
import { askFor, startOurs, walk } from "./contenders.ts";
import { type Bench, nearestOf } from "./context.ts";
import { type DatabaseSide, MAX_CONNECTIONS, type Queries } from "./database.ts";
import { type Asks, pace, saturate } from "./load.ts";
import type { OverloadPlan, Plan } from "./plan.ts";
import { PROCESSES_PER_APPLICATION, populate, targetOf } from "./population.ts";
import type { Server } from "./server.ts";
import { quantile } from "./statistics.ts";
import { memoryBytes } from "./usage.ts";
import { startWorker } from "./workerd.ts";
import { createZipf } from "./zipf.ts";

/** Answers of one kind. */
interface Answered {
  perSecond: number;
  /** 0 if there are none. */
  p50Ms: number;
  p99Ms: number;
}

export interface Goodput {
  offeredPerSecond: number;
  seconds: number;
  served: Answered;
  /** With 503. */
  refused: Answered;
  /** Neither served nor refused: another status, or no answer at all. */
  failedPerSecond: number;
  /** Queries that reached the database, and those among them that nobody waited for to the end. */
  queriesPerSecond: number;
  givenUpPerSecond: number;
  peakMemoryBytes: number;
  peakFiles: number;
}

/** A server, its requests, and what the database sees of them. */
interface Offered {
  server: Server;
  /** Processes whose memory and files are counted. */
  pids: readonly number[];
  asks: Asks;
  /** How many queries have arrived so far, and how many were given up. */
  queries(): Promise<Queries>;
  stop(): Promise<void>;
}

const SAMPLE_MS = 200;

/** How many requests a second a server answers, asked as fast as answers come. */
async function measureCapacity({ server, asks }: Offered, connections: number, seconds: number) {
  const { requests, seconds: taken } = await saturate({
    port: server.port,
    asks,
    status: 200,
    connections,
    until: { seconds },
  });
  return requests / taken;
}

async function measureGoodput(
  { server, pids, asks, queries }: Offered,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Goodput> {
  const before = await queries();
  const memory: number[] = [];
  const files: number[] = [];
  const sample = () => {
    try {
      memory.push(sum(pids.map((pid) => memoryBytes(pid, "VmRSS"))));
      files.push(sum(pids.map(openFiles)));
    } catch {
      // A process has ended: the answers say so.
    }
  };
  sample();
  const sampling = setInterval(sample, SAMPLE_MS);
  const served: number[] = [];
  const refused: number[] = [];
  let failed = 0;
  try {
    await pace(server.port, asks, { perSecond, seconds }, ({ status, ms }) => {
      if (status === 200) served.push(ms);
      else if (status === 503) refused.push(ms);
      else failed++;
    });
  } finally {
    clearInterval(sampling);
  }
  const { arrived, givenUp } = await queries();
  const summarize = (times: number[]): Answered => ({
    perSecond: times.length / seconds,
    p50Ms: times.length === 0 ? 0 : quantile(times, 0.5),
    p99Ms: times.length === 0 ? 0 : quantile(times, 0.99),
  });
  return {
    offeredPerSecond: perSecond,
    seconds,
    served: summarize(served),
    refused: summarize(refused),
    failedPerSecond: failed / seconds,
    queriesPerSecond: (arrived - before.arrived) / seconds,
    givenUpPerSecond: (givenUp - before.givenUp) / seconds,
    peakMemoryBytes: Math.max(0, ...memory),
    peakFiles: Math.max(0, ...files),
  };
}

/** The goodput of a contender, by parts of its capacity. */
export interface Curve {
  name: string;
  capacityPerSecond: number;
  offers: { factor: number; goodput?: Goodput; failed?: string }[];
  /** At half of the capacity, soon after the last offer. */
  after: Goodput;
}

export interface Overload {
  curves: Curve[];
  /** While the database is slow, … */
  fault: Fault;
  /** … and what misses at four times the capacity do to hits: p99 in milliseconds. */
  hits: { aloneP99Ms: number; besideMissesP99Ms: number };
}

export interface Fault {
  offeredPerSecond: number;
  /** How many were served each second, from the first to the last. */
  servedBySecond: number[];
  /** When the database became slow, and when it recovered, in seconds. */
  slowFrom: number;
  slowUntil: number;
  /** The capacity of a database that slow. */
  slowCapacityPerSecond: number;
}

/** Answers are stored for a second: what is asked again later is a miss again. */
const MISSES_ONLY = {
  EDGE_FRESH_WITHOUT_FEED_SECONDS: "1",
  EDGE_STALE_WHILE_REVALIDATE_SECONDS: "0",
  EDGE_STALE_IF_ERROR_SECONDS: "0",
};
const SLOWER = 10;
const FAULT_LOAD = 0.8;

export async function measureOverload({ plan, bundles, database, children, say }: Bench): Promise<Overload> {
  const { population, overload, connections } = plan;
  const nearest = nearestOf(database);
  const queries = async () => (await database.queries())[0] as Queries;
  const draw = createZipf(population.processes);
  const zipf = () => askFor(targetOf(population, draw()));
  const misses = walk(population);

  const offered = (server: Server, asks: Asks, more: Partial<Offered> = {}): Offered => ({
    server,
    pids: [server.pid],
    asks,
    queries,
    stop: () => children.stop(server.process),
    ...more,
  });
  const ours = async (asks: Asks, settings = {}) =>
    offered(await startOurs(children, bundles.ours, nearest, settings), asks);
  const usualWorker = () =>
    startWorker(children, {
      bundle: bundles.usual.path,
      bindings: { DATABASE_URL: nearest.neonConnectionString },
    });
  /** @param start called anew for each offer if what was there before would be in the way, as a warm cache is */
  async function measureCurve(name: string, start: () => Promise<Offered>, isAnew = false): Promise<Curve> {
    say(`${name}, capacity`);
    let one = await start();
    const capacityPerSecond = await measureCapacity(one, connections, overload.capacitySeconds);
    const rate = (factor: number) => Math.max(1, Math.round(factor * capacityPerSecond));
    const offers: Curve["offers"] = [];
    for (const { factor, seconds } of overload.offers) {
      say(`${name}, ${factor} × ${capacityPerSecond.toFixed(0)} a second`);
      if (isAnew || one.server.process.exitCode !== null) {
        await one.stop();
        one = await start();
      }
      try {
        offers.push({ factor, goodput: await measureGoodput(one, { perSecond: rate(factor), seconds }) });
      } catch (error) {
        offers.push({ factor, failed: String(error) });
      }
    }
    await sleep(1_000 * overload.recoverySeconds);
    const after = await measureGoodput(one, { perSecond: rate(0.5), seconds: overload.capacitySeconds });
    await one.stop();
    return { name, capacityPerSecond, offers, after };
  }

  await database.slowDown(overload.holdMs);
  const curves = [
    await measureCurve("misses", () => ours(misses, MISSES_ONLY)),
    await measureCurve("Zipf mix", () => ours(zipf), true),
    await measureCurve("npm run dev, misses", () => startDevWith(children, plan)),
    await measureCurve("usual Worker", async () => offered(await usualWorker(), misses)),
  ];
  const capacity = curves[0]?.capacityPerSecond as number;
  say("a slow database");
  const slow = await ours(misses, MISSES_ONLY);
  const fault = await measureFault(slow, capacity, overload, database);
  await slow.stop();
  say("hits beside misses");
  // With the usual times: a copy that has just ended would wait for the database.
  const beside = await ours(misses);
  const hits = await measureHitsBesideMisses(beside.server, misses, capacity, plan);
  await beside.stop();
  await database.slowDown(0);
  return { curves, fault, hits };
}

/** `npm run dev` with a population of its own, asked past the cache: its feed would keep answers for an hour. */
async function startDevWith(children: Children, { population: { keys } }: Plan): Promise<Offered> {
  const { child, port, ready, interrupt, output } = await startDev();
  children.adopt(child);
  await ready;
  const population = { keys, processes: keys * PROCESSES_PER_APPLICATION };
  await populate(String(/postgres:\/\/\S+/.exec(output())?.[0]), population);
  const next = walk(population);
  const pids = sessionOf(child).flatMap(({ pid, command }) => (command.includes("workerd") ? [pid] : []));
  return {
    server: { process: child, pid: child.pid as number, port },
    pids,
    asks: () => {
      const ask = next();
      // From an address of its own: the budgets of addresses are not what is measured.
      const address = Array.from({ length: 4 }, () => Math.floor(Math.random() * 256)).join(".");
      return { ...ask, headers: { ...ask.headers, "cache-control": "no-cache", "cf-connecting-ip": address } };
    },
    // Its endpoint counts nothing.
    queries: async () => ({ arrived: 0, givenUp: 0 }),
    stop: async () => void (await interrupt()),
  };
}

/** A steady load, while the database takes ten times as long for a while. */
async function measureFault(
  { server, asks }: Offered,
  capacityPerSecond: number,
  { holdMs, faultSeconds: { before, slow, after } }: OverloadPlan,
  database: DatabaseSide,
): Promise<Fault> {
  const perSecond = Math.max(1, Math.round(FAULT_LOAD * capacityPerSecond));
  const seconds = before + slow + after;
  const servedBySecond: number[] = Array(seconds).fill(0);
  const startedAt = performance.now();
  const begins = setTimeout(() => void database.slowDown(SLOWER * holdMs), 1_000 * before);
  const ends = setTimeout(() => void database.slowDown(holdMs), 1_000 * (before + slow));
  try {
    await pace(server.port, asks, { perSecond, seconds }, ({ status, sentAt, ms }) => {
      const second = Math.floor((sentAt + ms - startedAt) / 1_000);
      if (status === 200 && second < seconds) servedBySecond[second] = (servedBySecond[second] ?? 0) + 1;
    });
  } finally {
    clearTimeout(begins);
    clearTimeout(ends);
    await database.slowDown(holdMs);
  }
  return {
    offeredPerSecond: perSecond,
    servedBySecond,
    slowFrom: before,
    slowUntil: before + slow,
    slowCapacityPerSecond: (1_000 * MAX_CONNECTIONS) / (SLOWER * holdMs),
  };
}

async function measureHitsBesideMisses(server: Server, misses: Asks, capacityPerSecond: number, plan: Plan) {
  const { offers, hitsPerSecond } = plan.overload;
  const worst = offers.at(-1) as OverloadPlan["offers"][number];
  const seconds = offers[0]?.seconds as number;
  const warm = [askFor(targetOf(plan.population, 0))];
  const p99 = async () => {
    const times: number[] = [];
    await pace(server.port, warm, { perSecond: hitsPerSecond, seconds }, ({ headers, ms }) => {
      if (String(headers["cache-status"]).includes("; hit")) times.push(ms);
    });
    return quantile(times, 0.99);
  };
  const aloneP99Ms = await p99();
  const load = pace(server.port, misses, { perSecond: worst.factor * capacityPerSecond, seconds }, () => {});
  const besideMissesP99Ms = await p99();
  await load;
  return { aloneP99Ms, besideMissesP99Ms };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
