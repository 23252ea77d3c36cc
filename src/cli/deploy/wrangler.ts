// Wrangler as a program of its own, told apart by what it writes for programs, not by what it says to people.
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import "../../node/quiet.ts";
import { context, type OutputEntry, type RunWrangler, type WranglerRun } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { note } from "../support/output.ts";

/** Wrangler failed, and has said why on stderr. */
export class WranglerError extends CommandError {
  /**
   * The code of Cloudflare's API, such as 10007 for a Worker that does not exist; undefined if it was not the API
   * that refused.
   */
  readonly code: number | undefined;

  constructor(args: readonly string[], code: number | undefined) {
    const words = args.findIndex((arg) => arg.startsWith("-"));
    const name = args.slice(0, words < 0 ? args.length : words).join(" ");
    const reason = code === undefined ? "" : ` with the API's code ${code}`;
    super(`wrangler ${name} failed${reason}; what it said stands above.`);
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

/**
 * Runs wrangler in the project's folder, with its credentials from the environment or from `wrangler login`. It shows
 * what it says on stderr.
 *
 * @param args a command and its options; never a secret: every user of the machine can read them
 * @throws WranglerError
 */
export async function wrangler(args: readonly string[], options: WranglerOptions = {}): Promise<WranglerRun> {
  const result = await (context().wrangler ?? runWrangler)(args, options.secrets);
  const { exitCode, stdout, stderr, entries } = result;
  const failure = entries.find(({ type }) => type === "command-failed")?.code;
  const code = typeof failure === "number" ? failure : undefined;
  const isExpected = exitCode === 0 ? options.isQuiet : code !== undefined && options.expects?.includes(code);
  if (!isExpected) note(`$ wrangler ${args.join(" ")}\n${`${stdout}${stderr}`.trim()}\n`);
  if (exitCode !== 0) throw new WranglerError(args, code);
  return result;
}

/** The entry of a type that a command writes if it succeeds. */
export function entryOf({ entries }: WranglerRun, type: string): OutputEntry {
  const entry = entries.find((candidate) => candidate.type === type);
  if (entry === undefined) throw new CommandError(`Wrangler has not told what became of it: no entry "${type}".`);
  return entry;
}

/**
 * Options that tell a version by its commit. Without them, wrangler sends the whole message on CI, of which Cloudflare keeps
 * 100 characters (https://developers.cloudflare.com/workers/previews/api/), and none elsewhere.
 *
 * @returns none where there is no commit to be had
 */
export function commitArgs(): string[] {
  try {
    const args = ["log", "-1", "--abbrev=10", "--format=%h%n%s"];
    const { project: cwd } = context();
    const output = execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const [sha, subject = ""] = output.split("\n");
    // As one argument each: a subject may begin with a hyphen.
    return [`--tag=${sha}`, `--message=${[...subject].slice(0, 100).join("")}`];
  } catch {
    return [];
  }
}

const BIN = new URL("../bin/wrangler.js", import.meta.resolve("wrangler")).pathname;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export const runWrangler: RunWrangler = async (args, secrets) => {
  const { env, project } = context();
  const folder = mkdtempSync(join(tmpdir(), "process-api-wrangler-"));
  const [secretsFile, outputFile] = [join(folder, "secrets.json"), join(folder, "output.ndjson")];
  const tidyUp = () => rmSync(folder, { recursive: true, force: true });
  let child: ChildProcessByStdio<null, Readable, Readable> | undefined;
  const end = (signal: NodeJS.Signals) => {
    // It passes on no other; and what goes on without us would deploy, and read what is removed now.
    child?.kill("SIGTERM");
    tidyUp();
    // Once more, as if nobody had listened.
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.once(signal, end);
  try {
    // JSON, because wrangler would expand `$` in the other format.
    if (secrets !== undefined) writeFileSync(secretsFile, JSON.stringify(secrets), { mode: 0o600 });
    child = spawn(process.execPath, [BIN, ...args, ...(secrets === undefined ? [] : ["--secrets-file", secretsFile])], {
      cwd: project,
      env: { ...env, WRANGLER_OUTPUT_FILE_PATH: outputFile },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(child, "close") as Promise<[number | null]>;
    const [[exitCode], stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    const lines = existsSync(outputFile) ? readFileSync(outputFile, "utf8").split("\n") : [];
    return { exitCode, stdout, stderr, entries: lines.filter(Boolean).map((line) => JSON.parse(line)) };
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
    tidyUp();
  }
};
