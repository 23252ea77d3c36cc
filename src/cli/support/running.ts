// Where the commands find a running `npm run dev`.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface Running {
  /** The Worker's origin. */
  url: string;
  /** For `pg` and psql. */
  databaseUrl: string;
  /** For {@link url}`/ops/purge`. */
  purgeSecret: string;
}

const FILE = new URL("../../../.dev/running.json", import.meta.url).pathname;

export function announce(running: Running): void {
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify(running), { mode: 0o600 });
}

/** Unless another has taken its place. */
export function withdraw({ url }: Running): void {
  if (findRunning()?.url === url) rmSync(FILE, { force: true });
}

/** @returns undefined if none runs */
export function findRunning(): Running | undefined {
  try {
    return JSON.parse(readFileSync(FILE, "utf8"));
  } catch {
    return undefined;
  }
}
