// What the kernel says that a process has used: https://www.kernel.org/doc/html/latest/filesystems/proc.html
import { readdirSync, readFileSync } from "node:fs";

/** Time on a processor by all threads, in milliseconds. Of `schedstat`, because `stat` counts in steps of 10 ms. */
export function cpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ", 1)[0]);
  }
  return nanoseconds / 1e6;
}

/** The same of all that a process has started and that still runs. */
export function childrenCpuMs(pid: number): number {
  let sum = 0;
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
export function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name of the command, in parentheses, may hold anything.
  return Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]);
}

/** Memory in RAM now (`VmRSS`) or at its most (`VmHWM`), in bytes. */
export function memoryBytes(pid: number, what: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(new RegExp(`^${what}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
}
