import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

/** How a command ended, and all that it said. */
export interface Outcome {
  /** null if a signal ended it. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export async function outcomeOf(child: ChildProcess & { stdout: Readable; stderr: Readable }): Promise<Outcome> {
  const [[exitCode], stdout, stderr] = await Promise.all([
    once(child, "close") as Promise<[number | null]>,
    child.stdout.destroyed ? "" : text(child.stdout),
    text(child.stderr),
  ]);
  return { exitCode, stdout, stderr };
}
