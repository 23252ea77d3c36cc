// Where the commands find a running `npm run dev`.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { context } from "./context.ts";
import { orElse } from "./errors.ts";

export interface Running {
  /** The Worker's origin. */
  url: string;
  /** For `pg` and psql. */
  databaseUrl: string;
  /** For {@link url}`/ops/purge`. */
  purgeSecret: string;
}

/** Each has a file of its own, named by the number of its process: several may run, and none touches another's. */
const fileOf = (pid: number): URL => new URL(`.dev/running/${pid}.json`, context().project);

/** Tells the commands of this process, until it calls {@link withdraw} or ends. */
export function announce(running: Running): void {
  mkdirSync(new URL(".", fileOf(0)), { recursive: true });
  for (const pid of announced()) if (!isAlive(pid)) rmSync(fileOf(pid), { force: true });
  // In nanoseconds, on the clock that all processes of a machine share.
  const startedAt = Number(process.hrtime.bigint());
  writeFileSync(fileOf(process.pid), JSON.stringify({ ...running, startedAt }), { mode: 0o600 });
}

export const withdraw = (): void => rmSync(fileOf(process.pid), { force: true });

/** @returns the one that was started last and still runs; undefined if none runs */
export function findRunning(): Running | undefined {
  // Some withdraw just now, or announce themselves.
  const read = (pid: number) => orElse([], () => [JSON.parse(readFileSync(fileOf(pid), "utf8"))]);
  const all: (Running & { startedAt: number })[] = announced().filter(isAlive).flatMap(read);
  return all.sort((one, other) => one.startedAt - other.startedAt).at(-1);
}

/** The processes that have not withdrawn. */
const announced = (): number[] =>
  orElse([], () => readdirSync(new URL(".", fileOf(0))).map((name) => Number.parseInt(name, 10)));

/** One that was killed could not withdraw. */
const isAlive = (pid: number): boolean => orElse(false, () => process.kill(pid, 0));
