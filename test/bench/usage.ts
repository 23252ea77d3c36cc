// The kernel's account of a process: https://www.kernel.org/doc/html/latest/filesystems/proc.html
import { readdirSync, readFileSync } from "node:fs";

/** Time on a processor by all threads, in milliseconds. Of `schedstat`, because `stat` counts in steps of 10 ms. */
export function cpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ", 1)[0]);
  }
  return nanoseconds / 1e6;
}

/** The same of all that a process has started, whether it still runs or not. */
export function childrenCpuMs(pid: number): number {
  let sum = endedChildrenCpuMs(pid);
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (parentOf(Number(name)) === pid) sum += cpuMs(Number(name));
    } catch {
      // It has ended in the meantime.
    }
  }
  return sum;
}

/** The process that started this one. */
export const parentOf = (pid: number): number => Number(statOf(pid)[1]);

/** A hundredth of a second: `USER_HZ`, on every machine that Node runs on. */
const TICK_MS = 10;

function endedChildrenCpuMs(pid: number): number {
  const stat = statOf(pid);
  return TICK_MS * (Number(stat[13]) + Number(stat[14]));
}

/** The fields of `stat` from the state on; the name of the command before it, in parentheses, may hold anything. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Samples now and again and again, until it is disposed of. Where a process has ended there is no sample. */
export function sampling(sample: () => void, everyMs: number): Disposable {
  const attempt = () => {
    try {
      sample();
    } catch {
      // Whoever asks the process is told that it has ended.
    }
  };
  attempt();
  const timer = setInterval(attempt, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * Memory in RAM now (`VmRSS`) or at its most (`VmHWM`), in bytes.
 *
 * @throws Error if the process has ended, whether or not somebody has taken notice
 */
export function memoryBytes(pid: number, what: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = new RegExp(`^${what}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`Process ${pid} has ended`);
  return 1024 * Number(kilobytes);
}
