import type { GrowthPlan } from "./growth.ts";
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
  /** A machine too slow to be done by then leaves out the last tenths. */
  memorySeconds: number;
  zipf: { seconds: number; requestsPerSecond: number; updatesPerSecond: number };
  overload: OverloadPlan;
  /** How many writes of one key wait for a lock, beside a steady rate of reads. */
  neighbours: { writes: number; perSecond: number; seconds: number };
  freshness: FreshnessPlan;
  /** How many changes wait for the feed at once. */
  backlog: { changes: number };
  /** How many rows are written at once when the triggers are measured, and how often. */
  writers: { rows: readonly number[]; times: number };
  growth: GrowthPlan;
}

export interface OverloadPlan {
  /** How long each query keeps one of the database's connections: the database is to be the bottleneck, not this machine. */
  holdMs: number;
  /** While capacity is measured, as fast as answers come. */
  capacity: Until;
  /** Parts of the capacity that are offered, and for how long each. */
  offers: readonly { factor: number; seconds: number }[];
  /** So soon after the last offer everything must be as before, which is then measured for a while. */
  recovery: { waitSeconds: number; seconds: number };
  /** The same while the database is well, and the seconds before and after it is slow, and while it is. */
  fault: { holdMs: number; before: number; slow: number; after: number };
  /**
   * The rate of hits alone and beside misses, in turn. The database is slower still, so that requests are few: V8 stops
   * for its garbage some 30 µs for each request of whatever kind, which beyond 300 requests a second more than a
   * hundredth of all hits would notice.
   */
  hits: { holdMs: number; perSecond: number; rounds: number; seconds: number };
}

export interface FreshnessPlan {
  /** Changes of the first `afterSeconds` are not measured: they spend the platform's bucket of purges. */
  rates: readonly { changesPerMinute: number; seconds: number; afterSeconds?: number }[];
  /** How often a client asks whether it sees the change, in milliseconds. */
  pollMs: number;
}

/** `npm run bench`: twenty minutes on two cores, the feed's parts sixteen minutes more, and `growth` a quarter of an hour. */
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
  memorySeconds: 200,
  zipf: { seconds: 30, requestsPerSecond: 400, updatesPerSecond: 1 },
  overload: {
    holdMs: 100,
    capacity: { seconds: 5 },
    offers: [
      { factor: 0.5, seconds: 10 },
      { factor: 1, seconds: 10 },
      { factor: 2, seconds: 10 },
      { factor: 4, seconds: 60 },
    ],
    recovery: { waitSeconds: 5, seconds: 5 },
    fault: { holdMs: 33, before: 10, slow: 20, after: 20 },
    hits: { holdMs: 1_000, perSecond: 100, rounds: 6, seconds: 8 },
  },
  neighbours: { writes: 30, perSecond: 20, seconds: 5 },
  backlog: { changes: 1_000_000 },
  freshness: {
    rates: [
      { changesPerMinute: 1, seconds: 180 },
      { changesPerMinute: 60, seconds: 120 },
      { changesPerMinute: 60, seconds: 120, afterSeconds: 240 },
      { changesPerMinute: 1_000, seconds: 180 },
    ],
    pollMs: 100,
  },
  writers: { rows: [1, 1_000, 100_000], times: 9 },
  growth: { rows: [100_000, 1_000_000, 10_000_000], times: 51, large: 50_000, runs: 43_200, changes: 200_000 },
};

/** `--smoke`: everything once and briefly, however busy the machine is. Its numbers mean nothing. */
export const SMOKE: Plan = {
  population: { keys: 4, processes: 400 },
  delaysMs: [5],
  rounds: 1,
  connections: 4,
  throughput: { requests: 40 },
  latencyRate: 50,
  latencySeconds: 0.1,
  warmUp: { requests: 20 },
  starts: 1,
  memoryRequests: 500,
  memorySeconds: 200,
  zipf: { seconds: 0.5, requestsPerSecond: 100, updatesPerSecond: 10 },
  overload: {
    holdMs: 5,
    capacity: { requests: 40 },
    offers: [{ factor: 1, seconds: 0.2 }],
    recovery: { waitSeconds: 0, seconds: 0.2 },
    fault: { holdMs: 5, before: 1, slow: 1, after: 1 },
    hits: { holdMs: 5, perSecond: 50, rounds: 1, seconds: 0.2 },
  },
  neighbours: { writes: 3, perSecond: 10, seconds: 0.5 },
  backlog: { changes: 6_000 },
  freshness: { rates: [{ changesPerMinute: 600, seconds: 0.5 }], pollMs: 100 },
  writers: { rows: [1, 10], times: 1 },
  growth: { rows: [1_000, 2_000], times: 1, large: 100, runs: 100, changes: 10 },
};
