// What the embedded Postgres has not: runs at the same time, and passwords.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeEach, expect, test } from "vitest";
import journal from "../../../drizzle/meta/_journal.json" with { type: "json" };
import { MIGRATION_LOCK_ID } from "../../../drizzle/migrate.ts";
import migrateCommand from "../../../src/cli/migrate.ts";
import { run } from "../../support/command.ts";
import { copyDatabase } from "../../support/database.ts";
import { outside, writeMigrations } from "../../support/migrations.ts";

const root = mkdtempSync(join(tmpdir(), "process-api-migrate-"));
afterAll(() => rmSync(root, { recursive: true }));

let url: string;
let other: pg.Client;
beforeEach(async () => {
  url = await copyDatabase();
  other = new pg.Client(url);
  await other.connect();
  await other.query("drop schema public, drizzle cascade; create schema public");
  return () => other.end();
});

const migrate = (project = process.cwd(), DATABASE_URL = url) =>
  run(migrateCommand, [], { root: project, env: { DATABASE_URL } });

/** Waits until there are so many runs whose session is like that. */
const expectRuns = (count: number, condition: string) =>
  expect.poll(async () => (await other.query(`select ${RUNS} and ${condition}`)).rowCount).toBe(count);
const RUNS = "from pg_stat_activity where application_name = 'process-api migrate' and datname = current_database()";
const WAITING_FOR_LOCK = "state = 'idle' and query ~ 'advisory'";
const BUILDING = "wait_event_type = 'Lock' and query ~ 'create index'";

test("a migration waits for another run, and then finds nothing left to do", async () => {
  await other.query("select pg_advisory_lock($1)", [MIGRATION_LOCK_ID]);
  const runs = Promise.all([migrate(), migrate()]);
  await expectRuns(2, WAITING_FOR_LOCK);
  await other.query("select pg_advisory_unlock_all()");
  const outcomes = (await runs).map(({ exitCode, stdout }) => `${exitCode} ${stdout}`).sort();
  expect(outcomes).toStrictEqual(["0 ", `0 ${journal.entries.map(({ tag }) => `${tag}\n`).join("")}`]);
});

const FIRST = { "0000_first": "create table first (id int)" };
const INDEXED = {
  ...FIRST,
  "0001_index": outside(
    'drop index concurrently if exists "first_id"',
    "create index concurrently first_id on first (id)",
  ),
};

test("a statement waits for a table for ten seconds, and one with CONCURRENTLY is given the time it takes", async () => {
  await other.query(`alter database ${other.database} set statement_timeout = '1h'`);
  const insertLimits =
    "insert into limits select current_setting('lock_timeout') || ' ' || current_setting('statement_timeout')";
  writeMigrations(root, {
    "0000_table": `create table limits (text text); ${insertLimits}`,
    "0001_outside": outside(insertLimits, `${insertLimits} -- concurrently`),
    "0002_after": insertLimits,
  });
  expect(await migrate(root)).toMatchObject({ exitCode: 0 });
  const { rows } = await other.query("select text from limits");
  expect(rows.map(({ text }) => text)).toStrictEqual(["10s 1h", "10s 0", "10min 0", "10s 1h"]);
});

/** Has `work` done while an index cannot be finished, because a transaction is older. @returns what became of the migration */
async function whileBuilding(work: () => Promise<unknown>) {
  const old = new pg.Client(url);
  await old.connect();
  await old.query("begin isolation level repeatable read; select");
  const outcome = migrate(root);
  await expectRuns(1, BUILDING)
    .then(work)
    .finally(() => old.end());
  return outcome;
}

test("an index is built outside a transaction while another run waits, and neither stops the other", async () => {
  writeMigrations(root, INDEXED);
  let second: ReturnType<typeof migrate> | undefined;
  const first = await whileBuilding(async () => {
    second = migrate(root);
    await expectRuns(1, WAITING_FOR_LOCK);
    // Nor does it stop whoever writes.
    await other.query("insert into first values (1)");
  });
  expect(first).toStrictEqual({ exitCode: 0, stdout: "0000_first\n0001_index\n", stderr: "" });
  expect(await second).toStrictEqual({ exitCode: 0, stdout: "", stderr: "Nothing to migrate.\n" });
});

test("an index whose build was interrupted is begun anew, and what was committed before stays", async () => {
  writeMigrations(root, INDEXED);
  const interrupted = await whileBuilding(() => other.query(`select pg_terminate_backend(pid) ${RUNS}`));
  expect(interrupted).toMatchObject({ exitCode: 1, stdout: "0000_first\n" });
  expect(interrupted.stderr).toMatch(/^error: Not migrated: 0001_index\.sql: SQLSTATE 57P01: /);
  const state = "select indisvalid from pg_index where indexrelid = 'first_id'::regclass";
  expect((await other.query(state)).rows).toStrictEqual([{ indisvalid: false }]);
  expect(await migrate(root)).toStrictEqual({ exitCode: 0, stdout: "0001_index\n", stderr: "" });
  expect((await other.query(state)).rows).toStrictEqual([{ indisvalid: true }]);
});

test("a migration says that the password is wrong, but not which it is", async () => {
  const wrong = new URL(url);
  wrong.password = "WRONG";
  const { exitCode, stderr } = await migrate(process.cwd(), wrong.href);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: Not migrated: SQLSTATE 28P01: password authentication failed/);
  expect(stderr).not.toContain("WRONG");
});
