// `npm run dev` as a newcomer runs it, and ends it.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import stats from "../../src/cli/stats.ts";
import { startEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { checkOut } from "../stand-ins/checkout.ts";
import { run } from "../support/command.ts";
import { isProcess } from "../support/contract.ts";
import { type Dev, sessionOf, startDev } from "../support/dev.ts";

/** The lines on the screen beside npm's own. */
const said = (output: string) => output.split("\n").filter((line) => line !== "" && !/^(> |npm )/.test(line));

async function curl(line: string): Promise<{ status: number; headers: Headers; body: unknown }> {
  const { stdout } = await promisify(execFile)("bash", ["-c", line]);
  const [head = "", body = ""] = stdout.split("\r\n\r\n");
  const [statusLine = "", ...fields] = head.split("\r\n");
  const headers = new Headers(
    fields.map((field): [string, string] => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon), field.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(statusLine.split(" ")[1]), headers, body: JSON.parse(body) };
}

async function expectNothingStays({ child, exited, port }: Dev): Promise<void> {
  await exited;
  await expect.poll(() => sessionOf(child)).toStrictEqual([]);
  await expect(fetch(`http://localhost:${port}/health`)).rejects.toThrow();
}

describe("without a word more", () => {
  const folder = mkdtempSync(join(tmpdir(), "process-api-dev-"));
  // Its source changes while other tests run.
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

  test("it prints lines that work as they are, and what each shows", async () => {
    const lines = dev.output().split("\n");
    const commands = lines.filter((line) => line.includes("curl -i"));
    const comments = commands.map((line) => lines[lines.indexOf(line) - 1]);
    expect(comments).toStrictEqual(SEED_PROCESSES.map(({ shows }) => `  # ${shows}`));
    const types: unknown[] = [];
    for (const line of commands) {
      const first = await curl(line);
      expect(first.status, line).toBe(200);
      expect(isProcess(first.body), JSON.stringify(isProcess.errors)).toBe(true);
      expect(first.headers.get("cache-status")).toMatch(/fwd=miss/);
      expect((await curl(line)).headers.get("cache-status")).toMatch(/; hit; ttl=\d+/);
      types.push((first.body as { type: unknown }).type);
    }
    expect(types).toStrictEqual(expect.arrayContaining(["web", "worker", "cron", "job", null]));
    const [psql] = dev.output().match(/postgres:\/\/\S+/) ?? [];
    const client = new pg.Client({ connectionString: psql });
    await client.connect();
    expect((await client.query("select count(*)::int as count from processes")).rows[0].count).toBe(
      SEED_PROCESSES.length,
    );
    // The feed sees a change whoever makes it, while the copy at the edge would be good for long.
    const [line = ""] = commands;
    await client.query("update processes set display_name = 'Changed'");
    const changed = async () => ((await curl(line)).body as { display_name: string }).display_name;
    await expect.poll(changed, { interval: 500 }).toBe("Changed");
    await client.end();
    // No complaints about a network that is not there bury what matters.
    expect(said(dev.output()).filter((line) => /warn|error|info|failed/i.test(line))).toStrictEqual([]);
  });

  test("a refusal is in the terminal, as the line that the Worker logs", async () => {
    const { headers } = await fetch(`http://localhost:${dev.port}/v3/nothing-here`);
    const requestId = headers.get("x-request-id");
    const lines = () =>
      said(dev.output())
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line))
        .filter((line) => line.requestId === requestId);
    await expect.poll(lines).toMatchObject([{ level: "info", event: "request", status: 404 }]);
  });

  test("`npm run stats` counts its requests", async () => {
    expect((await fetch(`http://localhost:${dev.port}/health`, { method: "PUT" })).status).toBe(405);
    const { stdout } = await run(stats, ["--since", "10m", "--json"], { root });
    const failures = [{ status: 405, reason: "method_not_allowed", requests: 1 }];
    expect(JSON.parse(stdout).failures).toStrictEqual(expect.arrayContaining(failures));
  });

  test.for([
    ["the Worker cannot be built", "src/worker/gateway/body.ts", "const = 1;", 'Expected identifier but found "="'],
    ["the document cannot be built", "src/openapi/document.ts", "const = 1;", "SyntaxError"],
    ["the Worker cannot be started", "src/local/worker.ts", 'throw new Error("not today");', "not today"],
  ] as const)("while %s, requests get 500 and the reason, until it is mended", async ([_, file, mistake, reason]) => {
    const path = join(root, file);
    const { size } = statSync(path);
    const get = () => fetch(`http://localhost:${dev.port}/health`);
    const status = async () => (await get()).status;
    // Each change is one write, so that wrangler never reads a half.
    appendFileSync(path, mistake);
    try {
      await expect.poll(status).toBe(500);
      expect(await (await get()).text()).toContain(reason);
      expect(dev.output()).toContain(reason);
      // No stack of wrangler's own buries it.
      expect(dev.output()).not.toContain("wrangler-dist");
    } finally {
      truncateSync(path, size);
    }
    await expect.poll(status).toBe(200);
  });

  test("it ends by Ctrl-C, and nothing stays", async () => {
    expect(sessionOf(dev.child).some(({ command }) => command.includes("workerd"))).toBe(true);
    process.kill(-Number(dev.child.pid), "SIGINT");
    await expectNothingStays(dev);
  });
});

let running: Dev | undefined;
afterEach(async () => {
  await running?.interrupt();
  running = undefined;
});

async function dev(...args: Parameters<typeof startDev>): Promise<Dev> {
  running = await startDev(...args);
  return running;
}

/** @returns its port on 127.0.0.1 */
async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => onConnection(socket.on("error", () => {}))).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

describe("it says in one line", () => {
  async function lineOf(env: Record<string, string>, args: string[] = []): Promise<string> {
    const { exited, output } = await dev(env, args);
    expect(await exited).toBe(1);
    expect(said(output())).toHaveLength(1);
    return said(output()).join();
  }

  test("that the port is in use", async () => {
    const server = createServer().listen(0, "localhost");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    expect(await lineOf({ PORT: String(port) })).toBe(
      `Port ${port} is in use. Choose another: PORT=${port + 1} npm run dev`,
    );
  });

  test.for([
    ["no port", { PORT: "http" }, "PORT is http, and no port."],
    ["no database URL", { DATABASE_URL: "neon" }, "DATABASE_URL is not a Postgres URL."],
    ["another kind of database", { DATABASE_URL: "mysql://a:b@127.0.0.1:1/c" }, "DATABASE_URL is not a Postgres URL."],
    [
      "a database that is away",
      { DATABASE_URL: "postgres://nobody:secret@127.0.0.1:1/none" },
      "The database of DATABASE_URL cannot be reached: ECONNREFUSED",
    ],
  ] as const)("that it was given %s", async ([_, env, line]) => {
    expect(await lineOf({ ...env })).toBe(line);
  });

  test("that there is no such database", async () => {
    const fields = "SFATAL\0C3D000\0Mno database\0\0";
    const length = Buffer.alloc(4);
    length.writeInt32BE(4 + fields.length);
    const port = await listen((socket) => socket.once("data", () => socket.end(`E${length}${fields}`)));
    expect(await lineOf({ DATABASE_URL: `postgres://a:b@127.0.0.1:${port}/c` })).toBe(
      "The database refused: SQLSTATE 3D000 (there is no such database)",
    );
  });

  test("that it writes its public keys nowhere but on this machine", async () => {
    const DATABASE_URL = "postgres://a:b@db.example.com/c";
    expect(await lineOf({ DATABASE_URL }, ["--seed"])).toMatch(/^--seed writes to a database on this machine alone/);
  });

  test("that the Neon driver, which the Worker uses, cannot query a database that others can", async () => {
    const postgres = await startEmbeddedPostgres();
    onTestFinished(() => postgres.close());
    await migrate(postgres.connectionString);
    const url = new URL(postgres.connectionString);
    const target = Number(url.port);
    let connections = 0;
    const port = await listen((socket) => {
      if (++connections > 1) return socket.destroy();
      return socket.pipe(connect(target, "127.0.0.1").on("error", () => {})).pipe(socket);
    });
    url.port = String(port);
    expect(await lineOf({ DATABASE_URL: url.href })).toBe(
      "The Neon driver cannot query the database: Server error (HTTP status 500): Couldn't connect to compute node",
    );
  });
});

test("with DATABASE_URL, also one without a password, it serves that database, and writes only when asked", async () => {
  const postgres = await startEmbeddedPostgres();
  onTestFinished(() => postgres.close());
  const url = new URL(postgres.connectionString);
  url.password = "";
  const DATABASE_URL = url.href;
  const unmigrated = await dev({ DATABASE_URL });
  expect(await unmigrated.exited).toBe(1);
  expect(unmigrated.output()).toContain("has no schema yet: npm run db:migrate");
  await migrate(DATABASE_URL);

  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  onTestFinished(() => client.end());
  const countCompanies = async () => (await client.query("select count(*)::int as count from companies")).rows[0].count;
  const sizes = ({ port }: Dev) =>
    fetch(`http://localhost:${port}/v3/resources/process-resource-types`, {
      headers: { authorization: `Bearer ${SEED_TOKENS.full}` },
    });
  const empty = await dev({ DATABASE_URL });
  await empty.ready;
  expect(said(empty.output()).map((line) => line.trim())).toStrictEqual([
    "# in a browser",
    `http://localhost:${empty.port}/docs`,
    "# whether it runs",
    `http://localhost:${empty.port}/health`,
    "Ready. Ctrl-C ends it.",
  ]);
  expect(await countCompanies()).toBe(0);
  expect((await sizes(empty)).status).toBe(401);
  await empty.interrupt();

  const seeded = await dev({ DATABASE_URL }, ["--seed"]);
  await seeded.ready;
  expect(await countCompanies()).toBe(2);
  expect((await sizes(seeded)).status).toBe(200);
  const [line = ""] = seeded.output().match(/curl -i .*/) ?? [];
  expect((await curl(line)).status).toBe(200);

  // npm's shell passes it on to nobody.
  process.kill(Number(seeded.child.pid), "SIGTERM");
  await expectNothingStays(seeded);
});
