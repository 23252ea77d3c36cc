// `npm run dev` as a newcomer runs it, and ends it.
import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { promisify } from "node:util";
import pg from "pg";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import { startEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { isProcess } from "../support/contract.ts";
import { type Dev, sessionOf, startDev } from "../support/dev.ts";

let running: Dev | undefined;
afterEach(async () => {
  await running?.interrupt();
  running = undefined;
});

async function dev(...args: Parameters<typeof startDev>): Promise<Dev> {
  running = await startDev(...args);
  return running;
}

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

test("it prints lines that work as they are, one for each kind of process", async () => {
  const { ready, output } = await dev();
  await ready;
  const lines = output()
    .split("\n")
    .filter((line) => line.includes("curl -i"));
  expect(lines.length).toBe(SEED_PROCESSES.length);
  const types: unknown[] = [];
  for (const line of lines) {
    const first = await curl(line);
    expect(first.status, line).toBe(200);
    expect(isProcess(first.body), JSON.stringify(isProcess.errors)).toBe(true);
    expect(first.headers.get("cache-status")).toMatch(/fwd=miss/);
    expect((await curl(line)).headers.get("cache-status")).toMatch(/; hit; ttl=\d+/);
    types.push((first.body as { type: unknown }).type);
  }
  expect(types).toStrictEqual(expect.arrayContaining(["web", "worker", "cron", "job", null]));
  const [psql] = output().match(/postgres:\/\/\S+/) ?? [];
  const client = new pg.Client({ connectionString: psql });
  await client.connect();
  expect((await client.query("select count(*)::int as count from processes")).rows[0].count).toBe(
    SEED_PROCESSES.length,
  );
  // The feed sees a change whoever makes it, while the copy at the edge would be good for long.
  const [line = ""] = lines;
  await client.query("update processes set display_name = 'Changed'");
  const changed = async () => ((await curl(line)).body as { display_name: string }).display_name;
  await expect.poll(changed, { interval: 500, timeout: 60_000 }).toBe("Changed");
  await client.end();
  // No complaints about a network that is not there bury what matters.
  expect(said(output()).filter((line) => /warn|error|info|failed/i.test(line))).toStrictEqual([]);
});

describe("it ends, and nothing stays", () => {
  test.for<[string, (child: ChildProcess) => void]>([
    ["by Ctrl-C", ({ pid }) => process.kill(-Number(pid), "SIGINT")],
    ["by SIGTERM to npm alone", ({ pid }) => process.kill(Number(pid), "SIGTERM")],
  ])("%s", async ([_, end]) => {
    const { child, ready, exited, port } = await dev();
    await ready;
    expect(sessionOf(child).some(({ command }) => command.includes("workerd"))).toBe(true);
    end(child);
    await exited;
    await expect.poll(() => sessionOf(child), { timeout: 10_000 }).toStrictEqual([]);
    await expect(fetch(`http://localhost:${port}/health`)).rejects.toThrow();
  });
});

describe("it says in one line", () => {
  test("that the port is in use", async () => {
    const server = createServer().listen(0, "localhost");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const { exited, output } = await dev({ PORT: String(port) });
    expect(await exited).toBe(1);
    expect(said(output())).toStrictEqual([`Port ${port} is in use. Choose another: PORT=${port + 1} npm run dev`]);
  });

  test.for([
    ["no port", { PORT: "http" }, "PORT is http, and no port."],
    ["no database URL", { DATABASE_URL: "neon" }, "DATABASE_URL is not a URL."],
    [
      "a database that is away",
      { DATABASE_URL: "postgres://nobody:secret@127.0.0.1:1/none" },
      "The database of DATABASE_URL cannot be reached: ECONNREFUSED",
    ],
  ] as const)("that it was given %s", async ([_, env, line]) => {
    const { exited, output } = await dev({ ...env });
    expect(await exited).toBe(1);
    expect(said(output())).toStrictEqual([line]);
  });
});

test("with DATABASE_URL it serves that database, and writes to it only when asked", async () => {
  const postgres = await startEmbeddedPostgres();
  onTestFinished(() => postgres.close());
  const DATABASE_URL = postgres.connectionString;
  const unmigrated = await dev({ DATABASE_URL });
  expect(await unmigrated.exited).toBe(1);
  expect(unmigrated.output()).toContain("has no schema yet: npm run db:migrate");
  await migrate(DATABASE_URL);

  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  onTestFinished(() => client.end());
  const countCompanies = async () => (await client.query("select count(*)::int as count from companies")).rows[0].count;
  const empty = await dev({ DATABASE_URL });
  await empty.ready;
  expect(empty.output()).not.toContain("curl");
  expect(await countCompanies()).toBe(0);
  await empty.interrupt();

  const seeded = await dev({ DATABASE_URL }, ["--seed"]);
  await seeded.ready;
  expect(await countCompanies()).toBe(2);
  const [line = ""] = seeded.output().match(/curl -i .*/) ?? [];
  expect((await curl(line)).status).toBe(200);
});
