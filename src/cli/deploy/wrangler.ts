// Wrangler as a program of its own, told apart by what it writes for programs, not by what it says to people.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import "../support/quiet.ts";
import { CommandError } from "../support/errors.ts";
import { note } from "../support/output.ts";
import { commitEnv } from "./commit.ts";

/** A line of the file that WRANGLER_OUTPUT_FILE_PATH names. */
export interface OutputEntry {
  type: string;
  [field: string]: unknown;
}

/** How a run of wrangler ended that did not fail. */
export interface WranglerResult {
  stdout: string;
  entries: OutputEntry[];
}

/** Wrangler failed, and has said why on stderr. */
export class WranglerError extends CommandError {
  /**
   * The code of Cloudflare's API, such as 10007 for a Worker that does not exist; undefined if it was not the API
   * that refused.
   */
  readonly code: number | undefined;

  constructor(command: string, code: number | undefined) {
    super(
      `wrangler ${command} failed${code === undefined ? "" : ` with the API's code ${code}`}; what it said stands above.`,
    );
    this.code = code;
  }
}

export interface WranglerOptions {
  /** By name. Wrangler reads them from a file that only this user may read and that is gone when it has ended. */
  secrets?: Record<string, string>;
  /** Codes of the API that the caller knows what to do with: nothing is shown, then. */
  expects?: readonly number[];
  /** Whether the output is for the caller alone. */
  isQuiet?: boolean;
}

const ROOT = new URL("../../..", import.meta.url).pathname;
const BIN = new URL("../bin/wrangler.js", import.meta.resolve("wrangler")).pathname;

/**
 * Runs wrangler in the project's folder, with its credentials from the environment or from `wrangler login`. It shows
 * what it says on stderr.
 *
 * @param args a command and its options; never a secret: every user of the machine can read them
 * @throws WranglerError
 */
export async function wrangler(args: readonly string[], options: WranglerOptions = {}): Promise<WranglerResult> {
  using folder = temporaryFolder();
  let child: ChildProcessByStdio<null, Readable, Readable> | undefined;
  using _ = endedBySignals(() => {
    // It passes on no other; and what goes on without us would deploy, and read what is removed now.
    child?.kill("SIGTERM");
    folder[Symbol.dispose]();
  });
  const outputFile = join(folder.path, "output.ndjson");
  child = spawn(process.execPath, [BIN, ...args, ...secretsArgs(folder.path, options.secrets)], {
    cwd: ROOT,
    env: { ...process.env, ...commitEnv(), WRANGLER_OUTPUT_FILE_PATH: outputFile },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[exitCode], stdout, stderr] = await Promise.all([
    once(child, "close") as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  const entries = readEntries(outputFile);
  const code = codeOf(entries);
  const isExpected = exitCode === 0 ? options.isQuiet : code !== undefined && options.expects?.includes(code);
  if (!isExpected) note(`$ wrangler ${args.join(" ")}\n${`${stdout}${stderr}`.trim()}\n`);
  if (exitCode !== 0) throw new WranglerError(commandOf(args), code);
  return { stdout, entries };
}

/** `versions upload`, without the options. */
function commandOf(args: readonly string[]): string {
  const options = args.findIndex((arg) => arg.startsWith("-"));
  return (options < 0 ? args : args.slice(0, options)).join(" ");
}

/** A folder for this user alone. */
function temporaryFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "process-api-wrangler-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Tidies up before a signal ends this process. */
function endedBySignals(tidyUp: () => void): Disposable {
  const end = (signal: NodeJS.Signals) => {
    tidyUp();
    // Once more, as if nobody had listened.
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.once(signal, end);
  return {
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, end);
    },
  };
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** JSON, because wrangler would expand `$` in the other format. */
function secretsArgs(folder: string, secrets: Record<string, string> | undefined): string[] {
  if (secrets === undefined) return [];
  const file = join(folder, "secrets.json");
  writeFileSync(file, JSON.stringify(secrets), { mode: 0o600, flag: "wx" });
  return ["--secrets-file", file];
}

function readEntries(file: string): OutputEntry[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

function codeOf(entries: readonly OutputEntry[]): number | undefined {
  const code = entries.find(({ type }) => type === "command-failed")?.code;
  return typeof code === "number" ? code : undefined;
}

/** The entry of a type that a command writes if it succeeds. */
export function entryOf({ entries }: WranglerResult, type: string): OutputEntry {
  const entry = entries.find((candidate) => candidate.type === type);
  if (entry === undefined) throw new CommandError(`Wrangler has not told what became of it: no entry "${type}".`);
  return entry;
}
