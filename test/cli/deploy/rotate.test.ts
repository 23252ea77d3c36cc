// The two roles of the Worker, by turns, in a Postgres that knows roles.
import { existsSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrate } from "../../../drizzle/migrate.ts";
import { run } from "../../stand-ins/command.ts";
import { type RealPostgres, startRealPostgres } from "../../support/postgres.ts";

describe.skipIf(!existsSync("/usr/lib/postgresql"))("npm run rotate", () => {
  let server: RealPostgres;
  let first: string;
  let second: string;
  beforeAll(async () => {
    server = await startRealPostgres();
    await migrate(server.connectionString);
  });
  afterAll(() => server?.close());

  const rotate = (databaseUrl: string | undefined, ...args: string[]) =>
    run("rotate", args, {
      cwd: process.cwd(),
      nodeArgs: ["--import", import.meta.resolve("../../support/quick-imports.ts")],
      env: { MIGRATION_DATABASE_URL: server.connectionString, DATABASE_URL: databaseUrl },
    });

  async function ask(connectionString: string, statement: string) {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      return (await client.query(statement)).rows;
    } finally {
      await client.end();
    }
  }
  const userOf = (url: string) => ask(url, "select current_user as name");
  const secretOf = async (role: string) =>
    (await ask(server.connectionString, `select rolpassword from pg_authid where rolname = '${role}'`))[0]?.rolpassword;

  test("makes a role that may read, prints its URL, and says its password nowhere else", async () => {
    const { exitCode, stdout, stderr } = await rotate(undefined);
    first = stdout.trim();
    const { username, password } = new URL(first);
    expect([exitCode, username, password.length, stderr.includes(password)]).toStrictEqual([0, "worker_1", 43, false]);
    expect(await userOf(first)).toStrictEqual([{ name: "worker_1" }]);
    expect(await secretOf("worker_1")).toMatch(/^SCRAM-SHA-256\$/);
  });

  test("asks which of them the Worker uses, rather than change the password that it has", async () => {
    const before = await secretOf("worker_1");
    expect(await rotate(undefined)).toStrictEqual({
      exitCode: 2,
      stdout: "",
      stderr: "error: DATABASE_URL is not set: it says which of the roles the Worker uses.\n",
    });
    expect(await secretOf("worker_1")).toBe(before);
  });

  test("gives the other role a password, and leaves the one that is in use", async () => {
    const before = await secretOf("worker_1");
    const { exitCode, stdout } = await rotate(first);
    second = stdout.trim();
    expect([exitCode, new URL(second).username]).toStrictEqual([0, "worker_2"]);
    expect(await secretOf("worker_1")).toBe(before);
    for (const url of [first, second]) expect(await userOf(url)).toHaveLength(1);
  });

  test("locks nobody out whose connections show that the Worker uses the role", async () => {
    const before = await secretOf("worker_1");
    const client = new pg.Client({ connectionString: first });
    await client.connect();
    const { exitCode, stderr } = await rotate(second);
    await client.end();
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("worker_1 has 1 connections, so the Worker seems to use it");
    expect(await secretOf("worker_1")).toBe(before);
  });

  test("ends the role that is not in use, and those who are in as it", async () => {
    const client = new pg.Client({ connectionString: first });
    client.on("error", () => {});
    await client.connect();
    const { exitCode, stderr } = await rotate(second, "--end");
    expect([exitCode, stderr]).toStrictEqual([0, "worker_1 lets nobody in any more.\n"]);
    await expect(client.query("select 1")).rejects.toThrow();
    await expect(userOf(first)).rejects.toMatchObject({ code: "28000" });
    expect(await userOf(second)).toStrictEqual([{ name: "worker_2" }]);
  });

  test("begins anew with the role that was ended", async () => {
    const { exitCode, stdout } = await rotate(second);
    expect([exitCode, new URL(stdout.trim()).username]).toStrictEqual([0, "worker_1"]);
    expect(await userOf(stdout.trim())).toHaveLength(1);
  });

  test("ends nothing where the Worker uses neither", async () => {
    const { exitCode, stderr } = await rotate(server.connectionString, "--end");
    expect([exitCode, stderr]).toStrictEqual([
      2,
      "error: DATABASE_URL names neither worker_1 nor worker_2: there is nothing to end.\n",
    ]);
  });
});
