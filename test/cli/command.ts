// The commands as operators run them: in processes of their own.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import type { Running } from "../../src/cli/support/running.ts";
import { type Outcome, outcomeOf } from "../support/outcome.ts";

export interface CommandOptions {
  /** Beside PATH, and instead of the run's database; undefined unsets. */
  env?: Record<string, string | undefined>;
  stdin?: string;
  /** The project's directory; by default this one. */
  root?: string;
  /** Nobody reads stdout. */
  closeStdout?: boolean;
}

const NODE = [process.execPath, "--import", import.meta.resolve("../support/quick-imports.ts")];

export const keys = (args: string[], options?: CommandOptions): Promise<Outcome> => run("keys.ts", args, options);
export const audit = (args: string[], options?: CommandOptions): Promise<Outcome> => run("audit.ts", args, options);
export const purge = (args: string[], options?: CommandOptions): Promise<Outcome> => run("purge.ts", args, options);
export const stats = (args: string[], options?: CommandOptions): Promise<Outcome> => run("stats.ts", args, options);

function run(script: string, args: string[], options: CommandOptions = {}): Promise<Outcome> {
  const root = options.root ?? process.cwd();
  return collect([...NODE, join(root, "src/cli", script), ...args], options);
}

/**
 * On a terminal of its own, whose every line comes out of stdout: `script` of util-linux makes one.
 *
 * @param answer typed when the question is there
 */
export function keysOnTerminal(args: string[], answer: string): Promise<Outcome> {
  const command = [...NODE, join(process.cwd(), "src/cli/keys.ts"), ...args];
  const child = start(["script", "-qec", command.map((word) => `'${word}'`).join(" "), "/dev/null"]);
  let seen = "";
  child.stdout.on("data", (chunk) => {
    const isAsked = seen.includes(QUESTION);
    seen += chunk;
    if (!isAsked && seen.includes(QUESTION)) child.stdin.write(answer);
  });
  return outcomeOf(child);
}

const QUESTION = "[y/N] ";

async function collect(command: string[], options: CommandOptions): Promise<Outcome> {
  const child = start(command, options.env);
  if (options.closeStdout) child.stdout.destroy();
  child.stdin.end(options.stdin ?? "");
  return outcomeOf(child);
}

function start([file = "", ...args]: string[], env: CommandOptions["env"] = {}): ChildProcessWithoutNullStreams {
  const child = spawn(file, args, {
    env: { PATH: process.env.PATH, DATABASE_URL: inject("connectionString"), ...env },
  });
  // A command that ends without reading it closes the pipe.
  child.stdin.on("error", () => {});
  return child;
}

/** Text without its last line break. */
export const lines = (output: string): string[] => output.trimEnd().split("\n");

/** Another checkout of the project, in which `npm run dev` seems to run, or does not. */
export function checkOut(running?: Running): { root: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), "process-api-cli-"));
  cpSync("src", join(root, "src"), { recursive: true });
  cpSync("package.json", join(root, "package.json"));
  symlinkSync(join(process.cwd(), "node_modules"), join(root, "node_modules"));
  if (running !== undefined) {
    announceIn(root, running);
  }
  return { root, remove: () => rmSync(root, { recursive: true }) };
}

/** Makes this process seem to be a `npm run dev` in another checkout. */
export function announceIn(root: string, running: Partial<Running>): void {
  mkdirSync(join(root, ".dev/running"), { recursive: true });
  writeFileSync(join(root, `.dev/running/${process.pid}.json`), JSON.stringify(running));
}

/** A way to the database on which the connection is lost where a client says `words`; they do not arrive. */
export async function losingConnectionAt(words: string) {
  const url = new URL(inject("connectionString"));
  const { hostname, port } = url;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    client.on("data", (chunk) => {
      if (!chunk.includes(words)) return upstream.write(chunk);
      client.destroy();
      return upstream.destroy();
    });
    upstream.on("data", (chunk) => client.write(chunk));
    endTogether(client, upstream);
  });
  url.host = `127.0.0.1:${await listen(server)}`;
  return { connectionString: url.href, close: () => server.close() };
}

/** @returns the port, on 127.0.0.1 */
export async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return address.port;
}

function endTogether(one: Socket, other: Socket): void {
  for (const socket of [one, other]) {
    socket.on("error", () => {});
    socket.on("close", () => {
      one.destroy();
      other.destroy();
    });
  }
}
