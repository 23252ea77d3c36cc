// What the embedded Postgres has not: runs at the same time, and passwords.
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import journal from "../../../drizzle/meta/_journal.json" with { type: "json" };
import { MIGRATION_LOCK_ID } from "../../../drizzle/migrate.ts";
import migrateCommand from "../../../src/cli/migrate.ts";
import { run } from "../../support/command.ts";
import { type RealPostgres, startRealPostgres } from "../../support/postgres.ts";

let server: RealPostgres;
beforeAll(async () => {
  server = await startRealPostgres();
});
afterAll(() => server.close());

const migrate = (DATABASE_URL: string) => run(migrateCommand, [], { env: { DATABASE_URL } });

test("a migration waits for another run, and then finds nothing left to do", async () => {
  const other = new pg.Client(server.connectionString);
  await other.connect();
  await other.query("select pg_advisory_lock($1)", [MIGRATION_LOCK_ID]);
  const runs = Promise.all([migrate(server.connectionString), migrate(server.connectionString)]);
  const waiting = "select from pg_locks where locktype = 'advisory' and not granted";
  await expect.poll(async () => (await other.query(waiting)).rowCount).toBe(2);
  await other.end();
  const outcomes = (await runs).map(({ exitCode, stdout }) => `${exitCode} ${stdout}`).sort();
  expect(outcomes).toStrictEqual(["0 ", `0 ${journal.entries.map(({ tag }) => `${tag}\n`).join("")}`]);
});

test("a migration says that the password is wrong, but not which it is", async () => {
  const url = new URL(server.connectionString);
  url.password = "WRONG";
  const { exitCode, stderr } = await migrate(url.href);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: Not migrated: SQLSTATE 28P01: password authentication failed/);
  expect(stderr).not.toContain("WRONG");
});
