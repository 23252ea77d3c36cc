// What the tests of commands share.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import keysCommand from "../../src/cli/keys.ts";
import type { Command } from "../../src/cli/support/program.ts";
import type { Running } from "../../src/node/running.ts";
import { type CommandOptions, run } from "../support/command.ts";
import { connectionString } from "../support/database.ts";
import type { Outcome } from "../support/outcome.ts";

/** The database of the test run. */
export const databaseUrl = (): string => connectionString;

/**
 * Runs a command on the database of the test run, unless `env` names another one or unsets it with undefined. The arguments
 * are a list, or a line in which spaces separate them.
 */
export const onDatabase =
  (command: Command) =>
  (args: string | readonly string[], { env, ...options }: CommandOptions = {}): Promise<Outcome> =>
    run(command, typeof args === "string" ? args.split(" ") : args, {
      ...options,
      env: { DATABASE_URL: databaseUrl(), ...env },
    });

export const keys = onDatabase(keysCommand);
export const keysJson = async (args: string) => JSON.parse((await keys(`${args} --json`)).stdout);

/** Text without its last line break. */
export const lines = (output: string): string[] => output.trimEnd().split("\n");

export const masked = (token: string): string => `${token.slice(0, 6)}…${token.slice(-4)}`;

/** Expects that a command failed, printed nothing on stdout, and said why in one line that contains `words`. */
export function expectError({ exitCode, stdout, stderr }: Outcome, code: number, words: string): void {
  expect({ exitCode, stdout, lines: lines(stderr).length }).toStrictEqual({ exitCode: code, stdout: "", lines: 1 });
  expect(stderr).toMatch(/^error: .*\n$/);
  expect(stderr).toContain(words);
}

/** Makes the folder of another checkout, in which `npm run dev` may seem to run. It is deleted when the test ends. */
export function checkOut(running?: Partial<Running>): string {
  const root = mkdtempSync(join(tmpdir(), "process-api-cli-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  if (running !== undefined) announceIn(root, running);
  return root;
}

/** Makes a process, by default this one, look like `npm run dev` of another checkout. */
export function announceIn(root: string, running: Partial<Running> & { startedAt?: number }, pid = process.pid): void {
  mkdirSync(join(root, ".dev/running"), { recursive: true });
  writeFileSync(join(root, `.dev/running/${pid}.json`), JSON.stringify(running));
}

/** An environment in which a command loses its connection when it sends `words`, which never reach the database. */
export async function losingConnectionAt(words: string): Promise<{ DATABASE_URL: string }> {
  const url = new URL(databaseUrl());
  const { hostname, port } = url;
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    client.on("data", (chunk) => (chunk.includes(words) ? client.destroy() : upstream.write(chunk)));
    upstream.on("data", (chunk) => client.write(chunk));
    for (const socket of [client, upstream]) {
      socket.on("error", () => {});
      socket.on("close", () => [client, upstream].map((one) => one.destroy()));
    }
  });
  url.host = `127.0.0.1:${await listen(proxy)}`;
  return { DATABASE_URL: url.href };
}

/** Makes a server listen on 127.0.0.1 until the test ends. @returns the port */
export async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}
