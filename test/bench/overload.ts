// Measures what is served when more is asked than can be served, at a steady rate, whether answers come or not.
import { readdirSync } from "node:fs";
import { askFor, startOurs, startUsualServer, walk } from "./contenders.ts";
import { type Bench, nearestOf } from "./context.ts";
import { type DatabaseSide, MAX_CONNECTIONS, type Queries } from "./database.ts";
import { type Asks, pace, saturate } from "./load.ts";
import type { OverloadPlan, Plan } from "./plan.ts";
import { targetOf } from "./population.ts";
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
export interface Offered {
  server: Server;
  asks: Asks;
  /** How many queries have arrived so far, and how many were given up. */
  queries(): Promise<Queries>;
}

const SAMPLE_MS = 200;

/** How many requests a second a server answers, asked as fast as answers come. */
export async function measureCapacity({ server, asks }: Offered, connections: number, seconds: number) {
  const { requests, seconds: taken } = await saturate({
    port: server.port,
    asks,
    status: 200,
    connections,
    until: { seconds },
  });
  return requests / taken;
}

export async function measureGoodput(
  { server, asks, queries }: Offered,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Goodput> {
  const before = await queries();
  const memory = [memoryBytes(server.pid, "VmRSS")];
  const files = [openFiles(server.pid)];
  const sampling = setInterval(() => {
    memory.push(memoryBytes(server.pid, "VmRSS"));
    files.push(openFiles(server.pid));
  }, SAMPLE_MS);
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
    peakMemoryBytes: Math.max(...memory),
    peakFiles: Math.max(...files),
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
/** After an overload everything must be as before. */
const RECOVERY_MS = 5_000;

export async function measureOverload({ plan, bundles, database, children, say }: Bench): Promise<Overload> {
  const { population, overload, connections } = plan;
  const nearest = nearestOf(database);
  const queries = async () => (await database.queries())[0] as Queries;
  const draw = createZipf(population.processes);
  const zipf = () => askFor(targetOf(population, draw()));
  const misses = walk(population);
  const ours = () => startOurs(children, bundles.ours, nearest, MISSES_ONLY);

  /** @param start called anew for each offer if what was there before would be in the way, as a warm cache is */
  async function measureCurve(name: string, asks: Asks, start: () => Promise<Omit<Offered, "asks">>, isAnew: boolean) {
    say(`${name}, capacity`);
    let offered = { ...(await start()), asks };
    const restart = async () => {
      if (!isAnew && offered.server.process.exitCode === null) return;
      await children.stop(offered.server.process);
      offered = { ...(await start()), asks };
    };
    const capacityPerSecond = await measureCapacity(offered, connections, overload.capacitySeconds);
    const offers: Curve["offers"] = [];
    for (const { factor, seconds } of overload.offers) {
      say(`${name}, ${factor} × ${capacityPerSecond.toFixed(0)} a second`);
      await restart();
      const rhythm = { perSecond: Math.max(1, Math.round(factor * capacityPerSecond)), seconds };
      try {
        offers.push({ factor, goodput: await measureGoodput(offered, rhythm) });
      } catch (error) {
        offers.push({ factor, failed: String(error) });
      }
    }
    await sleep(RECOVERY_MS);
    const calm = { perSecond: Math.max(1, Math.round(capacityPerSecond / 2)), seconds: overload.capacitySeconds };
    const after = await measureGoodput(offered, calm);
    await children.stop(offered.server.process);
    return { name, capacityPerSecond, offers, after };
  }

  const curves = [
    await measureCurve("misses", misses, async () => ({ server: await ours(), queries }), false),
    await measureCurve(
      "Zipf mix",
      zipf,
      async () => ({ server: await startOurs(children, bundles.ours, nearest), queries }),
      true,
    ),
    await measureCurve(
      "usual Worker",
      misses,
      async () => ({
        server: await startWorker(children, {
          bundle: bundles.usual.path,
          bindings: { DATABASE_URL: nearest.neonConnectionString },
        }),
        queries,
      }),
      false,
    ),
    await measureCurve(
      "usual server",
      misses,
      async () => {
        const usual = await startUsualServer(children, nearest, database.isEmbedded);
        return { server: usual.server, queries: async () => ({ arrived: await usual.queries(), givenUp: 0 }) };
      },
      false,
    ),
  ];
  const capacity = curves[0]?.capacityPerSecond as number;
  say("a slow database");
  const slow = await ours();
  const fault = await measureFault({ server: slow, asks: misses, queries }, capacity, overload.faultSeconds, database);
  await children.stop(slow.process);
  say("hits beside misses");
  const beside = await ours();
  const hits = await measureHitsBesideMisses(beside, misses, capacity, plan);
  await children.stop(beside.process);
  return { curves, fault, hits };
}

/** A steady load, while the database takes ten times as long for a while. */
async function measureFault(
  { server, asks }: Offered,
  capacityPerSecond: number,
  { before, slow, after }: OverloadPlan["faultSeconds"],
  database: DatabaseSide,
): Promise<Fault> {
  const slowCapacityPerSecond = capacityPerSecond / SLOWER;
  const perSecond = Math.max(1, Math.round(FAULT_LOAD * capacityPerSecond));
  const seconds = before + slow + after;
  const servedBySecond: number[] = Array(seconds).fill(0);
  const startedAt = performance.now();
  const begins = setTimeout(
    () => void database.slowDown((1_000 * MAX_CONNECTIONS) / slowCapacityPerSecond),
    1_000 * before,
  );
  const ends = setTimeout(() => void database.slowDown(0), 1_000 * (before + slow));
  try {
    await pace(server.port, asks, { perSecond, seconds }, ({ status, sentAt, ms }) => {
      const second = Math.floor((sentAt + ms - startedAt) / 1_000);
      if (status === 200 && second < seconds) servedBySecond[second] = (servedBySecond[second] ?? 0) + 1;
    });
  } finally {
    clearTimeout(begins);
    clearTimeout(ends);
    await database.slowDown(0);
  }
  return {
    offeredPerSecond: perSecond,
    servedBySecond,
    slowFrom: before,
    slowUntil: before + slow,
    slowCapacityPerSecond,
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

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
