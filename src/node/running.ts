// Where the commands find a running `npm run dev`.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { context } from "./context.ts";

export interface Running {
  /** The Worker's origin. */
  url: string;
  /** For `pg` and psql. */
  databaseUrl: string;
  /** For {@link url}`/ops/purge`. */
  purgeSecret: string;
}

/** Holds a file for each, named by the number of its process: several may run, and none touches another's. */
const folder = (): URL => new URL(".dev/running/", context().project);

const fileOf = (pid: number): URL => new URL(`${pid}.json`, folder());

/** Tells the commands of this process, until it calls {@link withdraw} or ends. */
export function announce(running: Running): void {
  mkdirSync(folder(), { recursive: true });
  for (const pid of announced()) if (!isAlive(pid)) rmSync(fileOf(pid), { force: true });
  // In nanoseconds, on the clock that all processes of a machine share.
  const startedAt = Number(process.hrtime.bigint());
  writeFileSync(fileOf(process.pid), JSON.stringify({ ...running, startedAt }), { mode: 0o600 });
}

export function withdraw(): void {
  rmSync(fileOf(process.pid), { force: true });
}

/** @returns the one that was started last and still runs; undefined if none runs */
export function findRunning(): Running | undefined {
  const all = announced().filter(isAlive).flatMap(read);
  return all.sort((one, other) => one.startedAt - other.startedAt).at(-1);
}

/** The processes that have not withdrawn. */
function announced(): number[] {
  try {
    return readdirSync(folder()).map((name) => Number.parseInt(name, 10));
  } catch {
    return [];
  }
}

/** One that was killed could not withdraw. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function read(pid: number): (Running & { startedAt: number })[] {
  try {
    return [JSON.parse(readFileSync(fileOf(pid), "utf8"))];
  } catch {
    // It withdraws just now, or announces itself.
    return [];
  }
}
