// `npm run dev` as a newcomer runs it, and ends it; and what it does with a database of yours, in this process.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS, seed } from "../../drizzle/seed.ts";
import "../../src/local/loopback.ts";
import { type OpenedDatabase, openDatabase } from "../../src/local/database.ts";
import { assertFree, bindingsFor, greeting, readPort } from "../../src/local/dev.ts";
import { checkOut } from "../stand-ins/checkout.ts";
import { run } from "../support/command.ts";
import { isProcess } from "../support/contract.ts";
import { type Dev, sessionOf, startDev } from "../support/dev.ts";
import { listen, queryPostgres } from "./neon/requests.ts";

// A folder of its own: commands that other tests run must not find this one.
const folder = mkdtempSync(join(tmpdir(), "process-api-dev-"));
const { root } = checkOut(join(folder, "checkout"));
let dev: Dev;
beforeAll(async () => {
  dev = await startDev({}, [], root);
  await dev.ready;
});
afterAll(async () => {
  await dev.interrupt();
  rmSync(folder, { recursive: true });
});

const postgresUrl = () => String(/postgres:\/\/\S+/.exec(dev.output())?.[0]);
const query = (text: string) => queryPostgres(postgresUrl(), text);
const count = (table: string) => query(`select count(*)::int from ${table}`);

/** The lines on the screen beside npm's own. */
const said = (output: string) => output.split("\n").filter((line) => line !== "" && !/^(> |npm )/.test(line));

async function curl(line: string) {
  const { stdout } = await promisify(execFile)("bash", ["-c", line]);
  const [head = "", body = ""] = stdout.split("\r\n\r\n");
  const cache = /^cache-status: (.*)$/im.exec(head)?.[1]?.trim();
  return { status: Number(head.split(" ")[1]), cache, body: JSON.parse(body) };
}

async function expectNothingStays({ child, exited, port }: Dev): Promise<void> {
  await exited;
  await expect.poll(() => sessionOf(child)).toStrictEqual([]);
  await expect(fetch(`http://localhost:${port}/health`)).rejects.toThrow();
}

test("it prints lines that work as they are, and what each shows, and serves what is changed in its database", async () => {
  const lines = dev.output().split("\n");
  const commands = lines.filter((line) => line.includes("curl -i"));
  const comments = commands.map((line) => lines[lines.indexOf(line) - 1]);
  expect(comments).toStrictEqual(SEED_PROCESSES.map(({ shows }) => `  # ${shows}`));
  const types: unknown[] = [];
  for (const line of commands) {
    const { status, cache, body } = await curl(line);
    expect({ status, cache }, line).toStrictEqual({ status: 200, cache: expect.stringContaining("fwd=miss") });
    expect(isProcess(body), JSON.stringify(isProcess.errors)).toBe(true);
    types.push(body.type);
  }
  expect(types).toStrictEqual(expect.arrayContaining(["web", "worker", "cron", "job", null]));
  expect(await count("processes")).toBe(SEED_PROCESSES.length);

  const [line = ""] = commands;
  expect((await curl(line)).cache).toMatch(/; hit; ttl=\d+/);
  // The feed sees a change whoever makes it, while the cached response would be good for long.
  await query("update processes set display_name = 'Changed'");
  await expect.poll(async () => (await curl(line)).body.display_name, { interval: 250 }).toBe("Changed");

  // A refusal is in the terminal, as the line that the Worker logs.
  const { headers } = await fetch(`http://localhost:${dev.port}/v3/nothing-here`);
  const isOfIt = (line: string) => line.startsWith("{") && line.includes(String(headers.get("x-request-id")));
  await expect.poll(() => said(dev.output()).find(isOfIt)).toMatch(/"level":"info","event":"request".*"status":404/);
  // No complaints of others, about a network that is not there, bury what matters.
  const others = said(dev.output()).filter((line) => !line.startsWith("{"));
  expect(others.filter((line) => /warn|error|info|failed/i.test(line))).toStrictEqual([]);
});

async function open(env: Record<string, string>, seedIt = false): Promise<OpenedDatabase> {
  const started = new AsyncDisposableStack();
  onTestFinished(() => started.disposeAsync());
  let opened: OpenedDatabase | undefined;
  const command = async () => {
    opened = await openDatabase(started, seedIt);
    return 0;
  };
  await run(command, [], { env });
  return opened as OpenedDatabase;
}

const failureOf = (opening: Promise<unknown>): Promise<string> =>
  opening.then(
    () => "opened",
    ({ message }) => message,
  );

/** A server that refuses every client with this SQLSTATE. @returns its URL */
async function refusing(sqlState: string): Promise<string> {
  const fields = `SFATAL\0C${sqlState}\0Mno\0\0`;
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + fields.length);
  const { port } = await listen((socket) => socket.once("data", () => socket.end(`E${length}${fields}`)));
  return `postgres://a:b@127.0.0.1:${port}/c`;
}

describe("with DATABASE_URL", () => {
  test("also one without a password, it serves that database, and writes only when asked", async () => {
    const url = new URL(postgresUrl());
    url.password = "";
    const DATABASE_URL = url.href;
    await query("truncate companies, process_resource_types cascade");
    const unseeded = await open({ DATABASE_URL });
    expect(unseeded).toMatchObject({ postgresUrl: DATABASE_URL, isSeeded: false, hasFeed: true });
    expect(await count("companies")).toBe(0);
    expect(await open({ DATABASE_URL }, true)).toMatchObject({ isSeeded: true });
    expect(await count("companies")).toBe(2);
    expect(await neon(unseeded.databaseUrl)`select count(*)::int from processes`).toStrictEqual([
      { count: SEED_PROCESSES.length },
    ]);
  });

  test("it says in one line what is wrong with it", async () => {
    const failure = (DATABASE_URL: string, seedIt = false) => failureOf(open({ DATABASE_URL }, seedIt));
    expect(await failure("mysql://a:b@127.0.0.1:1/c")).toBe("DATABASE_URL is not a Postgres URL.");
    expect(await failure("postgres://nobody:secret@127.0.0.1:1/none")).toBe(
      "The database of DATABASE_URL cannot be reached: ECONNREFUSED",
    );
    expect(await failure(await refusing("3D000"))).toBe(
      "The database refused: SQLSTATE 3D000 (there is no such database)",
    );
    // What node-postgres makes of them. No host has these names.
    for (const elsewhere of ["db.invalid/c", "localhost/c?host=db.invalid", "localhost,db.invalid/c"]) {
      expect(await failure(`postgres://a:b@${elsewhere}`, true)).toMatch(
        /^--seed writes to a database on this machine alone/,
      );
      expect(await failureOf(seed(`postgres://a:b@${elsewhere}`))).toMatch(/^The seed's API keys are public\./);
    }
    for (const here of ["127.0.0.1:1/c", "[::1]:1/c", "%6cocalhost:1/c", "db.invalid:1/c?host=127.0.0.1"]) {
      expect(await failure(`postgres://a:b@${here}`, true)).toMatch(/cannot be reached: (ECONNREFUSED|EADDRNOTAVAIL)$/);
    }
    expect(await failure("postgres:///c?host=/nowhere", true)).toMatch(/cannot be reached: ENOENT$/);
    await query("alter table processes rename to hidden");
    expect(await failure(postgresUrl())).toBe(
      "The database refused: SQLSTATE 42P01 (it has no schema yet: npm run db:migrate)",
    );
    await query("alter table hidden rename to processes");
  });

  test("the Worker is told that there is no feed, or a key to show", () => {
    const bound = (database: Pick<OpenedDatabase, "isSeeded" | "hasFeed">) => {
      const bindings = bindingsFor({ ...database, postgresUrl: "", databaseUrl: "postgres://d" });
      return ["DATABASE_URL", "EDGE_FRESH_SECONDS", "DEMO_KEY"].map((name) => bindings[name]);
    };
    const database = { type: "secret_text", value: "postgres://d" };
    const seconds = { type: "plain_text", value: "30" };
    const key = { type: "plain_text", value: SEED_TOKENS.full };
    expect(bound({ isSeeded: false, hasFeed: false })).toStrictEqual([database, seconds, undefined]);
    expect(bound({ isSeeded: true, hasFeed: true })).toStrictEqual([database, undefined, key]);
  });

  test("it says where everything is, and names nothing that is not there", () => {
    expect(said(greeting("http://localhost:1", [])).map((line) => line.trim())).toStrictEqual([
      "# in a browser",
      "http://localhost:1/docs",
      "# whether it runs",
      "http://localhost:1/health",
      "Ready. Ctrl-C ends it.",
    ]);
  });
});

test("a port must be one, and free", async () => {
  for (const text of ["http", "0", "65536", "1.5", ""]) {
    expect(() => readPort(text)).toThrow(`PORT is ${text}, and no port.`);
  }
  expect(readPort("65535")).toBe(65_535);
  await expect(assertFree(dev.port)).rejects.toThrow(
    `Port ${dev.port} is in use. Choose another: PORT=${dev.port + 1} npm run dev`,
  );
});

test("what is refused is one line, and the exit code 1", async () => {
  const { exited, output } = await startDev({ PORT: "http" });
  expect(await exited).toBe(1);
  expect(said(output())).toStrictEqual(["PORT is http, and no port."]);
});

test("it ends when npm is killed, whose shell passes that on to nobody", async () => {
  const arrived = Promise.withResolvers<void>();
  const { port } = await listen(() => arrived.resolve());
  const waiting = await startDev({ DATABASE_URL: `postgres://a:b@127.0.0.1:${port}/c` });
  await arrived.promise;
  process.kill(Number(waiting.child.pid), "SIGTERM");
  await expectNothingStays(waiting);
});

test("it ends by Ctrl-C, and nothing stays", async () => {
  expect(sessionOf(dev.child).some(({ command }) => command.includes("workerd"))).toBe(true);
  process.kill(-Number(dev.child.pid), "SIGINT");
  await expectNothingStays(dev);
});
