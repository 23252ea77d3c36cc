// What is served when more is asked than can be served, when the database is slow, and when only some of it must wait.
import { once } from "node:events";
import type { Children } from "./children.ts";
import { askFor, startOurs, walk } from "./contenders.ts";
import { type Bench, nearestOf } from "./context.ts";
import { MAX_CONNECTIONS, type Queries } from "./database.ts";
import { type Curve, measureCapacity, measureCurve, type Offered } from "./goodput.ts";
import { type Asks, isHit, pace } from "./load.ts";
import type { Load } from "./load-process.ts";
import type { OverloadPlan } from "./plan.ts";
import { targetOf } from "./population.ts";
import type { Server } from "./server.ts";
import { quantile } from "./statistics.ts";
import { startWorker } from "./workerd.ts";
import { createZipf } from "./zipf.ts";

/** A steady load, while the database is slow for some time. */
export interface SlowDatabase {
  offeredPerSecond: number;
  /** How many were served each second, from the first to the last. */
  servedBySecond: number[];
  /** When the database became slow, and when it recovered, in seconds. */
  slowFrom: number;
  slowUntil: number;
  /** The capacity of a database that slow. */
  slowCapacityPerSecond: number;
}

/** How long a hit takes, in milliseconds. */
interface HitTimes {
  p50Ms: number;
  p99Ms: number;
}

/** Hits alone, beside more misses than the database can do, and beside as many other hits. */
export interface BesideMisses {
  /** Of misses. */
  capacityPerSecond: number;
  offeredPerSecond: number;
  hitsPerSecond: number;
  alone: HitTimes;
  besideMisses: HitTimes;
  besideHits: HitTimes;
}

/** Answers are stored for a second: what is asked again later is a miss again. */
const MISSES_ONLY = {
  EDGE_FRESH_WITHOUT_FEED_SECONDS: "1",
  EDGE_STALE_WHILE_REVALIDATE_SECONDS: "0",
  EDGE_STALE_IF_ERROR_SECONDS: "0",
};
const SLOWER = 10;
const STEADY_LOAD = 0.8;

export const USUAL_WORKER = "usual Worker";

/** Offers parts of the capacity, with the database as the bottleneck. */
export async function measureOverload(bench: Bench): Promise<Curve[]> {
  const { plan, bundles, database, children, say } = bench;
  const draw = createZipf(plan.population.processes);
  const zipf = () => askFor(targetOf(plan.population, draw()));
  const misses = walk(plan.population);
  const startUsual = async () => {
    const bindings = { DATABASE_URL: nearestOf(database).neonConnectionString };
    return offer(bench, await startWorker(children, { bundle: bundles.usual.path, bindings }), misses);
  };
  return withSlowDatabase(bench, plan.overload.holdMs, async () => [
    await measureCurve("misses", () => startOffered(bench, misses, MISSES_ONLY), plan, say),
    await measureCurve("Zipf mix", () => startOffered(bench, zipf), plan, say, true),
    await measureCurve(USUAL_WORKER, startUsual, plan, say),
  ]);
}

/** A steady load, while the database takes ten times as long for a while. */
export async function measureSlowDatabase(bench: Bench): Promise<SlowDatabase> {
  const { plan, database, say } = bench;
  const { holdMs, before, slow, after } = plan.overload.fault;
  return withSlowDatabase(bench, holdMs, async () => {
    const one = await startOffered(bench, walk(plan.population), MISSES_ONLY);
    const capacityPerSecond = await measureCapacity(one, plan);
    const perSecond = Math.max(1, Math.round(STEADY_LOAD * capacityPerSecond));
    say(`${perSecond} a second`);
    const seconds = before + slow + after;
    const servedBySecond: number[] = Array(seconds).fill(0);
    const startedAt = performance.now();
    const begins = setTimeout(() => void database.slowDown(SLOWER * holdMs), 1_000 * before);
    const ends = setTimeout(() => void database.slowDown(holdMs), 1_000 * (before + slow));
    try {
      await pace(one.server.port, one.asks, { perSecond, seconds }, ({ status, sentAt, ms }) => {
        const second = Math.floor((sentAt + ms - startedAt) / 1_000);
        if (status === 200 && second < seconds) servedBySecond[second] = (servedBySecond[second] ?? 0) + 1;
      });
    } finally {
      clearTimeout(begins);
      clearTimeout(ends);
      await one.stop();
    }
    return {
      offeredPerSecond: perSecond,
      servedBySecond,
      slowFrom: before,
      slowUntil: before + slow,
      slowCapacityPerSecond: (1_000 * MAX_CONNECTIONS) / (SLOWER * holdMs),
    };
  });
}

/** Measures the three in turn: what else the machine does is the same for all. */
export async function measureHitsBesideMisses(bench: Bench): Promise<BesideMisses> {
  const { plan, children } = bench;
  const { offers, hits } = plan.overload;
  const { factor } = offers.at(-1) as OverloadPlan["offers"][number];
  const { perSecond, seconds } = hits;
  const warm = [askFor(targetOf(plan.population, 0))];
  const nextMiss = walk(plan.population);
  return withSlowDatabase(bench, hits.holdMs, async () => {
    // With the usual times: a copy that has just ended would wait for the database.
    const one = await startOffered(bench, nextMiss);
    const { port } = one.server;
    try {
      const capacityPerSecond = await measureCapacity(one, plan);
      const offeredPerSecond = factor * capacityPerSecond;
      const misses = () => Array.from({ length: Math.ceil(offeredPerSecond * seconds) }, nextMiss);
      const times = { alone: [] as number[], besideMisses: [] as number[], besideHits: [] as number[] };
      for (let round = 0; round < hits.rounds; round++) {
        for (const [name, beside] of [["alone"], ["besideMisses", misses()], ["besideHits", warm]] as const) {
          await Promise.all([
            pace(port, warm, { perSecond, seconds }, (answer) => {
              if (isHit(answer)) times[name].push(answer.ms);
            }),
            beside && load(children, { port, asks: beside, perSecond: offeredPerSecond, seconds }),
          ]);
        }
      }
      const summarize = (all: number[]): HitTimes => ({ p50Ms: quantile(all, 0.5), p99Ms: quantile(all, 0.99) });
      return {
        capacityPerSecond,
        offeredPerSecond,
        hitsPerSecond: perSecond,
        alone: summarize(times.alone),
        besideMisses: summarize(times.besideMisses),
        besideHits: summarize(times.besideHits),
      };
    } finally {
      await one.stop();
    }
  });
}

/** Asks from another process, to the end. */
async function load(children: Children, what: Load): Promise<void> {
  const child = children.start(process.execPath, [new URL("load-process.ts", import.meta.url).pathname], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.send(what);
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`The load ended with ${code}`);
}

async function startOffered(bench: Bench, asks: Asks, settings: Record<string, string> = {}): Promise<Offered> {
  const { children, bundles, database } = bench;
  return offer(bench, await startOurs(children, bundles.ours, nearestOf(database), settings), asks);
}

const offer = ({ database, children }: Bench, server: Server, asks: Asks): Offered => ({
  server,
  pids: [server.pid],
  asks,
  queries: async () => (await database.queries())[0] as Queries,
  stop: () => children.stop(server.process),
});

async function withSlowDatabase<T>({ database }: Bench, holdMs: number, work: () => Promise<T>): Promise<T> {
  await database.slowDown(holdMs);
  try {
    return await work();
  } finally {
    await database.slowDown(0);
  }
}
