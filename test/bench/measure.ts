import type { Contender, ContenderName } from "./contenders.ts";
import { pace, saturate } from "./load.ts";
import type { Plan } from "./plan.ts";
import { median, quantile, spread } from "./statistics.ts";
import { cpuMs, memoryBytes } from "./usage.ts";

/** One contender in one round. */
interface Sample {
  requestsPerSecond: number;
  /** The CPU time of the server's process, in microseconds. */
  cpuPerRequest: number;
  /** The CPU time of Postgres, likewise. */
  postgresCpuPerRequest: number;
  queriesPerThousand: number;
  p50Ms: number;
  p99Ms: number;
}

export type Measured = keyof Sample;

/** A contender at one distance over all rounds. */
export interface Row {
  name: ContenderName;
  delayMs: number;
  medians: Sample;
  /** From the least to the most, as parts of the medians. */
  spreads: Sample;
  /** In all that it has done. */
  peakMemoryBytes: number;
  /** Why it was measured no further. */
  failed?: string;
}

/** Measures everybody once in each round, each time beginning with the next. */
export async function measureAll(
  contenders: readonly Contender[],
  plan: Plan,
  say: (line: string) => void,
): Promise<Row[]> {
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
  const failures = new Map<Contender, string>();
  /** A contender that fails once is left out from then on. */
  async function attempt(contender: Contender, work: () => Promise<void>): Promise<void> {
    if (failures.has(contender)) return;
    await work().catch((error: Error) => {
      failures.set(contender, error.message);
      say(`${contender.name} failed: ${error.message}`);
    });
  }
  for (const contender of contenders) await attempt(contender, () => warmUp(contender, plan));
  for (let round = 0; round < plan.rounds; round++) {
    say(`round ${round + 1} of ${plan.rounds}`);
    const start = (round * STEP) % contenders.length;
    for (const contender of [...contenders.slice(start), ...contenders.slice(0, start)]) {
      await attempt(contender, async () => void samples.get(contender)?.push(await measure(contender, plan)));
    }
  }
  return contenders.map((contender) => {
    const failed = failures.get(contender);
    const row = summarize(contender, samples.get(contender) ?? []);
    return failed === undefined ? row : { ...row, failed };
  });
}

/** No divisor of the number of contenders: each gets another neighbour to begin with. */
const STEP = 5;

async function warmUp({ server, asks, status }: Contender, { connections, warmUp: until }: Plan): Promise<void> {
  await saturate({ port: server.port, asks, status, connections, until });
}

async function measure(contender: Contender, plan: Plan): Promise<Sample> {
  const { server, asks, status } = contender;
  const queriesBefore = await contender.queries();
  const postgresBefore = contender.postgresCpuMs();
  const cpuBefore = cpuMs(server.pid);
  const { requests, seconds } = await saturate({
    port: server.port,
    asks,
    status,
    connections: plan.connections,
    until: plan.throughput,
  });
  const cpu = cpuMs(server.pid) - cpuBefore;
  const postgresCpu = contender.postgresCpuMs() - postgresBefore;
  const queries = (await contender.queries()) - queriesBefore;

  const times: number[] = [];
  const rhythm = { perSecond: plan.latencyRate, seconds: plan.latencySeconds };
  await pace(server.port, asks, rhythm, (answer) => {
    if (answer.status !== status) throw new Error(`${answer.status} ${answer.body}`);
    times.push(answer.ms);
  });
  return {
    requestsPerSecond: requests / seconds,
    cpuPerRequest: (1_000 * cpu) / requests,
    postgresCpuPerRequest: (1_000 * postgresCpu) / requests,
    queriesPerThousand: (1_000 * queries) / requests,
    p50Ms: median(times),
    p99Ms: quantile(times, 0.99),
  };
}

function summarize({ name, delayMs, server }: Contender, samples: readonly Sample[]): Row {
  const over = (calculate: (values: readonly number[]) => number): Sample => {
    const of = (what: Measured) => calculate(samples.map((sample) => sample[what]));
    return {
      requestsPerSecond: of("requestsPerSecond"),
      cpuPerRequest: of("cpuPerRequest"),
      postgresCpuPerRequest: of("postgresCpuPerRequest"),
      queriesPerThousand: of("queriesPerThousand"),
      p50Ms: of("p50Ms"),
      p99Ms: of("p99Ms"),
    };
  };
  return {
    name,
    delayMs,
    medians: over(median),
    spreads: over(spread),
    peakMemoryBytes: server.process.exitCode === null ? memoryBytes(server.pid, "VmHWM") : 0,
  };
}
