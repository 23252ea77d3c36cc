// Wrangler as a program of its own.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import "../../node/quiet.ts";
import { context, type OutputEntry, type RunWrangler } from "../../node/context.ts";
import { commitEnv } from "./commit.ts";

const BIN = new URL("../bin/wrangler.js", import.meta.resolve("wrangler")).pathname;

export const runWrangler: RunWrangler = async (args, secrets) => {
  const { env, project } = context();
  using folder = temporaryFolder();
  let child: ChildProcessByStdio<null, Readable, Readable> | undefined;
  using _ = endedBySignals(() => {
    // It passes on no other; and what goes on without us would deploy, and read what is removed now.
    child?.kill("SIGTERM");
    folder[Symbol.dispose]();
  });
  const outputFile = join(folder.path, "output.ndjson");
  child = spawn(process.execPath, [BIN, ...args, ...secretsArgs(folder.path, secrets)], {
    cwd: project,
    env: { ...env, ...commitEnv(), WRANGLER_OUTPUT_FILE_PATH: outputFile },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[exitCode], stdout, stderr] = await Promise.all([
    once(child, "close") as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { exitCode, stdout, stderr, entries: readEntries(outputFile) };
};

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
