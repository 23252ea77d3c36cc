// `npm run dev` in a session of its own, as a terminal gives it one.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { freePort } from "./free-port.ts";

export interface Dev {
  child: ChildProcess;
  port: number;
  /** All that it has printed so far. */
  output(): string;
  /** Rejects with what it printed if it ends before. */
  ready: Promise<void>;
  exited: Promise<number | null>;
  /** Ctrl-C. */
  interrupt(): Promise<void>;
}

/**
 * Its pid names the session and the foreground group.
 *
 * @param cwd the project's directory; by default this one
 */
export async function startDev(env: Record<string, string> = {}, args: string[] = [], cwd?: string): Promise<Dev> {
  const port = await freePort("localhost");
  const child = spawn("npm", ["run", "dev", "--", ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    cwd,
  });
  let output = "";
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
        if (output.includes("Ready.")) resolve();
      });
    }
    exited.then(() => reject(new Error(output)));
  });
  ready.catch(() => {});
  const interrupt = async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-Number(child.pid), "SIGINT");
    await exited;
  };
  return { child, port, ready, exited, interrupt, output: () => output };
}

/** All processes in the session that `pid` leads, zombies apart (proc(5)). */
export function sessionOf({ pid }: ChildProcess): { pid: number; command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        const [state, , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        if (Number(session) !== pid || state === "Z") return [];
        return [{ pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, "utf8") }];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}
