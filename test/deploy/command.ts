// Commands in processes of their own, to their end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

export interface Outcome {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  cwd: string;
  /** All of it, but PATH. undefined unsets. */
  env: Record<string, string | undefined>;
  /** Of Node, before the script. */
  nodeArgs?: readonly string[];
}

/** Starts a script of src/cli/ and leaves it to the caller. */
export const start = (script: string, args: readonly string[], { cwd, env, nodeArgs = [] }: CommandOptions) =>
  spawn(process.execPath, [...nodeArgs, `src/cli/${script}.ts`, ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });

/** Runs a script of src/cli/. */
export async function run(script: string, args: readonly string[], options: CommandOptions): Promise<Outcome> {
  const child = start(script, args, options);
  const [[exitCode], stdout, stderr] = await Promise.all([
    once(child, "close") as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { exitCode, stdout, stderr };
}
