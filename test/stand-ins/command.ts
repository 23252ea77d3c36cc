// Commands in processes of their own, to their end.
import { spawn } from "node:child_process";
import { type Outcome, outcomeOf } from "../support/outcome.ts";

export interface CommandOptions {
  cwd: string;
  /** All of it, but PATH. undefined unsets. */
  env: Record<string, string | undefined>;
  /** Node's own arguments, before the script. */
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
export const run = (...args: Parameters<typeof start>): Promise<Outcome> => outcomeOf(start(...args));
