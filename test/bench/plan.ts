import type { Until } from "./load.ts";
import type { Population } from "./population.ts";

/** How long and how hard a run measures. */
export interface Plan {
  population: Population;
  /** Round trips to the database, in milliseconds. */
  delaysMs: readonly number[];
  /** Every contender is measured once in each, in an order that rotates. */
  rounds: number;
  /** Open connections, one request at a time on each, when asking as fast as answers come. */
  connections: number;
  throughput: Until;
  /** Requests a second when measuring how long an answer takes; moderate for the slowest. */
  latencyRate: number;
  latencySeconds: number;
  /** Before the first round: until then V8 has optimised what it will. */
  warmUp: Until;
  /** How often a start is repeated. */
  starts: number;
  /** After which the memory of a Worker must have stopped growing. */
  memoryRequests: number;
  /** Since the run began, for all but the model and the table. */
  memoryUntilSeconds: number;
  zipf: { seconds: number; requestsPerSecond: number; updatesPerSecond: number };
  /** Simulated seconds, after as many to fill the caches. */
  modelSeconds: number;
}

/** `npm run bench`: within ten minutes on two cores. */
export const FULL: Plan = {
  population: { keys: 1_000, processes: 100_000 },
  delaysMs: [0, 40],
  rounds: 5,
  connections: 32,
  throughput: { seconds: 1.5 },
  latencyRate: 150,
  latencySeconds: 1,
  warmUp: { seconds: 1.5 },
  starts: 7,
  memoryRequests: 1_000_000,
  memoryUntilSeconds: 560,
  zipf: { seconds: 30, requestsPerSecond: 1_000, updatesPerSecond: 1 },
  modelSeconds: 60,
};

/** `--smoke`: everything once and briefly, however busy the machine is. Its numbers mean nothing. */
export const SMOKE: Plan = {
  population: { keys: 4, processes: 400 },
  delaysMs: [0, 5],
  rounds: 1,
  connections: 4,
  throughput: { requests: 40 },
  latencyRate: 50,
  latencySeconds: 0.1,
  warmUp: { requests: 20 },
  starts: 1,
  memoryRequests: 500,
  memoryUntilSeconds: 560,
  zipf: { seconds: 0.5, requestsPerSecond: 100, updatesPerSecond: 10 },
  modelSeconds: 0.1,
};
