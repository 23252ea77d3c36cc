// What a server does with what is offered: at a steady rate, whether answers come or not.
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Queries } from "./database.ts";
import { type Asks, pace, saturate } from "./load.ts";
import type { Plan } from "./plan.ts";
import type { Server } from "./server.ts";
import { quantile } from "./statistics.ts";
import { memoryBytes, sampling } from "./usage.ts";

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
  /** Processes whose memory and files are counted. */
  pids: readonly number[];
  asks: Asks;
  /** How many queries have arrived so far, and how many were given up. */
  queries(): Promise<Queries>;
  stop(): Promise<void>;
}

/** The goodput of a contender, by parts of its capacity. */
export interface Curve {
  name: string;
  /** What it answers a second, asked as fast as answers come. */
  capacityPerSecond: number;
  offers: { factor: number; goodput?: Goodput; failed?: string }[];
  /** At half of the capacity, soon after the last offer. */
  after?: Goodput;
  /** Why there is no more. */
  failed?: string;
}

const SAMPLE_MS = 200;

/**
 * Measures a curve, whatever happens to who is measured.
 *
 * @param start called anew if the server has ended …
 * @param isAnew … or, if what was there before would be in the way, as a warm cache is, for each offer
 */
export async function measureCurve(
  name: string,
  start: () => Promise<Offered>,
  plan: Plan,
  say: (line: string) => void,
  isAnew = false,
): Promise<Curve> {
  const { offers, recovery } = plan.overload;
  const curve: Curve = { name, capacityPerSecond: 0, offers: [] };
  let one: Offered | undefined;
  try {
    say(`${name}, capacity`);
    one = await start();
    curve.capacityPerSecond = await measureCapacity(one, plan);
    const rate = (factor: number) => Math.max(1, Math.round(factor * curve.capacityPerSecond));
    for (const { factor, seconds } of offers) {
      say(`${name}, ${factor} × ${curve.capacityPerSecond.toFixed(0)} a second`);
      if (isAnew || one.server.process.exitCode !== null) {
        await one.stop();
        one = await start();
      }
      try {
        curve.offers.push({ factor, goodput: await measureGoodput(one, { perSecond: rate(factor), seconds }) });
      } catch (error) {
        curve.offers.push({ factor, failed: String(error) });
      }
    }
    await sleep(1_000 * recovery.waitSeconds);
    curve.after = await measureGoodput(one, { perSecond: rate(0.5), seconds: recovery.seconds });
  } catch (error) {
    curve.failed = String(error);
    say(`${name} failed: ${error}`);
  } finally {
    await one?.stop();
  }
  return curve;
}

/** How many requests a second a server answers with 200, asked as fast as answers come. */
export async function measureCapacity({ server, asks }: Offered, { connections, overload }: Plan): Promise<number> {
  const { requests, seconds } = await saturate({
    port: server.port,
    asks,
    status: 200,
    mayBeRefused: true,
    connections,
    until: overload.capacity,
  });
  return requests / seconds;
}

async function measureGoodput(
  { server, pids, asks, queries }: Offered,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Goodput> {
  const before = await queries();
  const memory: number[] = [];
  const files: number[] = [];
  const sample = () => {
    memory.push(sum(pids.map((pid) => memoryBytes(pid, "VmRSS"))));
    files.push(sum(pids.map(openFiles)));
  };
  using _ = sampling(sample, SAMPLE_MS);
  const served: number[] = [];
  const refused: number[] = [];
  let failed = 0;
  await pace(server.port, asks, { perSecond, seconds }, ({ status, ms }) => {
    if (status === 200) served.push(ms);
    else if (status === 503) refused.push(ms);
    else failed++;
  });
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

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
