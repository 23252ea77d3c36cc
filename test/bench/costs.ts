// The price of a million requests by the price lists: on paper, from what the run has measured and the model of the
// tiers.
import type { Row } from "./measure.ts";
import { renewalsPerSecond } from "./tiers.ts";

/** https://developers.cloudflare.com/workers/platform/pricing/, beyond what the plan of $5 a month includes. */
const DOLLARS_PER_MILLION_REQUESTS = 0.3;
const DOLLARS_PER_MILLION_CPU_MS = 0.02;
/** Caching bills calls through `ctx.exports`, hits too: https://developers.cloudflare.com/workers/cache/#pricing */
const REQUESTS_BILLED = { ours: 2, usual: 1 };
/** The price of the plan Launch: https://neon.com/docs/introduction/plans */
const DOLLARS_PER_CU_HOUR = 0.106;
/** The least that Neon runs, and its step: https://neon.com/docs/manage/computes */
const CU_STEP = 0.25;
/** A CU taken for one core, which ought to have as much to spare. */
const CU_UTILISATION = 0.5;
const HOURS_PER_MONTH = 730;
const MONTHLY_REQUESTS = [10e6, 100e6, 1e9, 10e9];

interface CostOptions {
  rows: readonly Row[];
  processes: number;
  freshSeconds: number;
  /** The time that Postgres takes for our statement. */
  statementMs: number;
}

/** In dollars for a million requests. */
export interface Cost {
  requests: number;
  cpu: number;
  database: number;
  total: number;
}

export interface MonthlyCost {
  freshSeconds: number;
  monthlyRequests: number;
  /** Part of the requests to ours. */
  queryRatio: number;
  ours: Cost;
  /** The usual Worker, its two queries taken to be as dear as our one. */
  usual: Cost;
}

export function costsOf({ rows, processes, freshSeconds, statementMs }: CostOptions): MonthlyCost[] {
  // The nearest is the first.
  const cpuMs = (name: Row["name"]) =>
    (rows.find((row) => row.name === name)?.medians.cpuPerRequest ?? Number.NaN) / 1_000;
  return MONTHLY_REQUESTS.map((monthlyRequests) => {
    const perSecond = monthlyRequests / (HOURS_PER_MONTH * 3_600);
    const queriesPerSecond = renewalsPerSecond(processes, perSecond, freshSeconds);
    const queryRatio = queriesPerSecond / perSecond;
    const cost = (requestsBilled: number, cpuMsPerRequest: number, statementsPerSecond: number): Cost => {
      const requests = requestsBilled * DOLLARS_PER_MILLION_REQUESTS;
      const cpu = cpuMsPerRequest * DOLLARS_PER_MILLION_CPU_MS;
      const cores = (statementsPerSecond * statementMs) / 1_000 / CU_UTILISATION;
      const units = CU_STEP * Math.max(1, Math.ceil(cores / CU_STEP));
      const database = (units * DOLLARS_PER_CU_HOUR * HOURS_PER_MONTH) / (monthlyRequests / 1e6);
      return { requests, cpu, database, total: requests + cpu + database };
    };
    const ourCpuMs = (1 - queryRatio) * cpuMs("hit") + queryRatio * cpuMs("miss, no cache");
    return {
      freshSeconds,
      monthlyRequests,
      queryRatio,
      ours: cost(REQUESTS_BILLED.ours, ourCpuMs, queriesPerSecond),
      usual: cost(REQUESTS_BILLED.usual, cpuMs("usual Worker"), perSecond),
    };
  });
}
