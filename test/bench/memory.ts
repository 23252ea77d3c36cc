import { type Ask, saturate } from "./load.ts";
import type { Server } from "./server.ts";
import { mean } from "./statistics.ts";
import { memoryBytes, sampling } from "./usage.ts";

const TENTHS = 10;
/** However slow the machine is: the last is compared with the second. */
const MIN_TENTHS = 3;
const SAMPLE_MS = 50;

export interface Memory {
  /** Answered in all. */
  requests: number;
  /** The mean of each tenth of the requests, in bytes. */
  tenths: number[];
}

interface MemoryOptions {
  requests: number;
  connections: number;
  /** As of `performance.now()`. A machine too slow to be done by then leaves out the last tenths. */
  deadline: number;
}

/** The memory of a server while it answers many requests. */
export async function measureMemory(
  { pid, port }: Server,
  asks: readonly Ask[],
  { requests, connections, deadline }: MemoryOptions,
): Promise<Memory> {
  const tenths: number[] = [];
  const startedAt = performance.now();
  const isTimeFor = (tenth: number) => {
    const now = performance.now();
    return tenth < MIN_TENTHS || now + (now - startedAt) / tenth <= deadline;
  };
  for (let tenth = 0; tenth < TENTHS && isTimeFor(tenth); tenth++) {
    const samples: number[] = [];
    using _ = sampling(() => samples.push(memoryBytes(pid, "VmRSS")), SAMPLE_MS);
    await saturate({
      port,
      asks,
      status: 200,
      mayBeRefused: true,
      connections,
      until: { requests: requests / TENTHS },
    });
    tenths.push(mean(samples));
  }
  return { requests: (requests / TENTHS) * tenths.length, tenths };
}
