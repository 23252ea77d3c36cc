// The two roles of the Worker, by turns, in a Postgres that knows roles.
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../drizzle/migrate.ts";
import deploy from "../../../src/cli/deploy.ts";
import rotateCommand from "../../../src/cli/rotate.ts";
import { World } from "../../stand-ins/world.ts";
import { run } from "../../support/command.ts";
import { type RealPostgres, startRealPostgres } from "../../support/postgres.ts";

let server: RealPostgres;
let first: string;
let second: string;
beforeAll(async () => {
  server = await startRealPostgres();
  await migrate(server.connectionString);
});
afterAll(() => server.close());

const rotate = (DATABASE_URL: string | undefined, ...args: string[]) =>
  run(rotateCommand, args, { env: { MIGRATION_DATABASE_URL: server.connectionString, DATABASE_URL } });

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on("error", () => {});
  await client.connect();
  return client;
}
async function ask(connectionString: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = await connect(connectionString);
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
const userOf = async (url: string) => (await ask(url, "select current_user as name"))[0]?.name;
const secretOf = async (role: string) =>
  (await ask(server.connectionString, `select rolpassword from pg_authid where rolname = '${role}'`))[0]?.rolpassword;

test("the first is made, may read, and its password is said once", async () => {
  const { exitCode, stdout, stderr } = await rotate(undefined);
  first = stdout.trim();
  const { username, password } = new URL(first);
  expect([exitCode, username, password.length, stderr.includes(password)]).toStrictEqual([0, "worker_1", 43, false]);
  expect(await userOf(first)).toBe("worker_1");
  expect(await secretOf("worker_1")).toMatch(/^SCRAM-SHA-256\$/);
});

test("none is renewed before it is known which of them the Worker uses", async () => {
  const before = await secretOf("worker_1");
  const stderr = "error: DATABASE_URL is not set: it says which of the roles the Worker uses.\n";
  expect(await rotate(undefined)).toStrictEqual({ exitCode: 2, stdout: "", stderr });
  expect(await secretOf("worker_1")).toBe(before);
});

test("the other is given a password, and the one that is in use is left alone", async () => {
  const before = await secretOf("worker_1");
  const { exitCode, stdout } = await rotate(first);
  second = stdout.trim();
  expect([exitCode, await userOf(second), await userOf(first)]).toStrictEqual([0, "worker_2", "worker_1"]);
  expect(await secretOf("worker_1")).toBe(before);
});

test("a release that cannot give all rights leaves those that there are", async () => {
  await ask(server.connectionString, "alter table audit_log rename to renamed");
  const env = { MIGRATION_DATABASE_URL: server.connectionString, DATABASE_URL: second };
  const world = new World(server.connectionString);
  const { exitCode, stderr } = await world.run(deploy, ["--at-once"], env);
  await world.remove();
  await ask(server.connectionString, "alter table renamed rename to audit_log");
  expect([exitCode, stderr]).toStrictEqual([1, expect.stringContaining("The Worker's role was given no rights")]);
  expect(await ask(second, "delete from changes")).toStrictEqual([]);
});

test("a release gives both their rights, and takes back what an earlier version gave", async () => {
  const given = ["delete from api_key_events", "select id from api_key_events", "select max_changes()"];
  await ask(
    server.connectionString,
    `revoke select on processes from worker_rights; grant delete, select (id) on api_key_events to worker_rights;
      grant execute on function max_changes() to worker_rights; alter role worker_1 reset statement_timeout`,
  );
  for (const statement of given) await ask(first, statement);
  const world = new World(server.connectionString);
  await world.release();
  const env = { MIGRATION_DATABASE_URL: server.connectionString, DATABASE_URL: second };
  expect(await world.run(deploy, ["--at-once"], env)).toMatchObject({ exitCode: 0 });
  await world.remove();
  for (const url of [first, second]) {
    expect(await ask(url, "select from processes")).toStrictEqual([]);
    for (const statement of given) await expect(ask(url, statement)).rejects.toMatchObject({ code: "42501" });
    expect(await ask(url, "show statement_timeout")).toStrictEqual([{ statement_timeout: "25s" }]);
  }
});

test("nobody is locked out whose connections show that the Worker uses the role", async () => {
  const before = await secretOf("worker_1");
  const client = await connect(first);
  const { exitCode, stderr } = await rotate(second);
  await client.end();
  expect(exitCode).toBe(2);
  expect(stderr).toContain("worker_1 has 1 connections, so the Worker seems to use it");
  expect(await secretOf("worker_1")).toBe(before);
});

test("the role that is not in use is ended, and those who are in as it are out", async () => {
  const client = await connect(first);
  const { exitCode, stderr } = await rotate(second, "--end");
  expect([exitCode, stderr]).toStrictEqual([0, "worker_1 lets nobody in any more.\n"]);
  await expect(client.query("select 1")).rejects.toThrow();
  await expect(userOf(first)).rejects.toMatchObject({ code: "28000" });
  expect(await userOf(second)).toBe("worker_2");
});

test("the role that was ended is begun anew", async () => {
  const { exitCode, stdout } = await rotate(second);
  expect([exitCode, await userOf(stdout.trim())]).toStrictEqual([0, "worker_1"]);
});

test("nothing is ended where the Worker uses neither", async () => {
  const stderr = "error: DATABASE_URL names neither worker_1 nor worker_2: there is nothing to end.\n";
  expect(await rotate(server.connectionString, "--end")).toStrictEqual({ exitCode: 2, stdout: "", stderr });
});
