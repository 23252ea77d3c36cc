// What a command is given besides its arguments: environment, streams, clock, and the services it calls. A command reads
// none of these from the process itself, so a test runs it as a function.
import { AsyncLocalStorage } from "node:async_hooks";
import type { Readable, Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";

/** A line of the file that WRANGLER_OUTPUT_FILE_PATH names. */
export interface OutputEntry {
  type: string;
  [field: string]: unknown;
}

export interface WranglerRun {
  /** Null if a signal ended it. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
  entries: OutputEntry[];
}

/**
 * Runs wrangler to its end.
 *
 * @param secrets by name: in a file that only this user may read and that is gone when it has ended
 */
export type RunWrangler = (
  args: readonly string[],
  secrets: Readonly<Record<string, string>> | undefined,
) => Promise<WranglerRun>;

export interface Context {
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable;
  stderr: Writable & { isTTY?: boolean };
  /** The project's folder: wrangler.toml and what a running `npm run dev` leaves there. Ends with a slash. */
  project: URL;
  fetch: typeof fetch;
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(ms: number): Promise<unknown>;
  /** Runs wrangler; undefined: the installed one, as a process of its own. */
  wrangler?: RunWrangler;
}

const ofProcess: Context = {
  env: process.env,
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  project: new URL("../../", import.meta.url),
  fetch: (...args) => fetch(...args),
  now: () => Date.now(),
  sleep: setTimeout,
};

const storage = new AsyncLocalStorage<Context>();

/** That of the command that is running; outside a test it is the process's. */
export const context = (): Context => storage.getStore() ?? ofProcess;

/** Runs `work`, and whatever it starts, in another context. */
export const withContext = <T>(given: Context, work: () => T): T => storage.run(given, work);
