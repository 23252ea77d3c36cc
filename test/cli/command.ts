// What the tests of commands share.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import keysCommand from "../../src/cli/keys.ts";
import type { Command } from "../../src/cli/support/program.ts";
import type { Running } from "../../src/cli/support/running.ts";
import { type CommandOptions, run } from "../support/command.ts";
import { connectionString } from "../support/database.ts";
import type { Outcome } from "../support/outcome.ts";

/** The run's database. */
export const databaseUrl = (): string => connectionString;

/**
 * A command on the run's database, unless `env` names another; undefined unsets it. Its arguments are a list, or a line in
 * which spaces part them.
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

/** Expects a command to have done nothing but say why, in one line that has these words. */
export function expectError({ exitCode, stdout, stderr }: Outcome, code: number, words: string): void {
  expect({ exitCode, stdout, lines: lines(stderr).length }).toStrictEqual({ exitCode: code, stdout: "", lines: 1 });
  expect(stderr).toMatch(/^error: .*\n$/);
  expect(stderr).toContain(words);
}

/** The folder of another checkout, in which `npm run dev` seems to run, or does not; there until the test ends. */
export function checkOut(running?: Partial<Running>): string {
  const root = mkdtempSync(join(tmpdir(), "process-api-cli-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  if (running !== undefined) announceIn(root, running);
  return root;
}

/** Makes a process, by default this one, seem to be a `npm run dev` in another checkout. */
export function announceIn(root: string, running: Partial<Running> & { startedAt?: number }, pid = process.pid): void {
  mkdirSync(join(root, ".dev/running"), { recursive: true });
  writeFileSync(join(root, `.dev/running/${pid}.json`), JSON.stringify(running));
}

/** The environment of a command that loses its connection where it would send `words`; they do not arrive. */
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

/** Has a server listen on 127.0.0.1 until the test ends. @returns the port */
export async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}
