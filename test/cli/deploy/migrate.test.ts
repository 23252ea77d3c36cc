import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import journal from "../../../drizzle/meta/_journal.json" with { type: "json" };
import { MIGRATION_LOCK_ID, migrate as migrateHere } from "../../../drizzle/migrate.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../src/local/postgres/embedded.ts";
import { type Checkout, checkOut } from "../../stand-ins/checkout.ts";
import { run } from "../../stand-ins/command.ts";
import type { Outcome } from "../../support/outcome.ts";
import { type RealPostgres, startRealPostgres } from "../../support/postgres.ts";

/** The output when all of them are applied. */
const ALL = journal.entries.map(({ tag }) => `${tag}\n`).join("");

const folder = mkdtempSync(join(tmpdir(), "process-api-migrate-"));
let checkout: Checkout;
let postgres: EmbeddedPostgres;
beforeAll(async () => {
  checkout = checkOut(folder);
  postgres = await startEmbeddedPostgres();
});
beforeEach(async () => {
  await query("drop schema if exists public, drizzle cascade; create schema public");
});
afterEach(() => checkout.restore());
afterAll(async () => {
  await postgres.close();
  rmSync(folder, { recursive: true });
});

const migrate = (connectionString: string | undefined = postgres.connectionString): Promise<Outcome> =>
  run("migrate", [], {
    cwd: checkout.root,
    env: { DATABASE_URL: connectionString, NODE_COMPILE_CACHE: join(folder, "compiled") },
  });

async function query(text: string, connectionString = postgres.connectionString): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const hasTable = async (name: string) => (await query(`select to_regclass('${name}') as found`))[0]?.found !== null;

test("a token is taken to have been used when its key was, unless it was made later", async () => {
  await migrateHere(postgres.connectionString);
  await query(`
    with company as (insert into companies (name) values ('A company') returning id),
    key as (
      insert into api_keys (company_id, name, last_used_at) select id, 'A key', '2025-01-02T00:00Z' from company returning id
    )
    insert into api_key_tokens (hash, api_key_id, masked, created_at)
    select sha256(masked::bytea), id, masked, created_at::timestamptz from key,
      (values ('svl_01…0000', '2025-01-01T00:00Z'), ('svl_03…0000', '2025-01-03T00:00Z')) as token (masked, created_at)`);
  // As the migration finds tokens.
  const statements = readFileSync("drizzle/0008_key_events.sql", "utf8").split("--> statement-breakpoint");
  await query(String(statements.at(-1)));
  expect(await query("select masked, last_used_at from api_key_tokens order by masked")).toStrictEqual([
    { masked: "svl_01…0000", last_used_at: new Date("2025-01-02T00:00Z") },
    { masked: "svl_03…0000", last_used_at: null },
  ]);
});

describe("db:migrate", () => {
  test("applies what is pending, says so, and finds nothing to do the next time", async () => {
    expect(await migrate()).toStrictEqual({ exitCode: 0, stdout: ALL, stderr: "" });
    expect(await hasTable("processes")).toBe(true);
    expect(await migrate()).toStrictEqual({ exitCode: 0, stdout: "", stderr: "Nothing to migrate.\n" });
    checkout.addMigration("9999_next", "create table next_table ()");
    expect(await migrate()).toStrictEqual({ exitCode: 0, stdout: "9999_next\n", stderr: "" });
    expect(await hasTable("next_table")).toBe(true);
  });

  test("says which migration failed and why, in the words of Postgres, and applies none", async () => {
    checkout.addMigration(
      "9999_next",
      "create table next_table ();--> statement-breakpoint\nalter table nowhere add x int",
    );
    const { exitCode, stdout, stderr } = await migrate();
    expect({ exitCode, stdout }).toStrictEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toBe('error: Not migrated: 9999_next.sql: SQLSTATE 42P01: relation "nowhere" does not exist\n');
    expect([await hasTable("next_table"), await hasTable("processes")]).toStrictEqual([false, false]);
  });

  test("does not wait long for a table, before which all readers would wait", async () => {
    checkout.addMigration("9999_next", "do $$ begin assert current_setting('lock_timeout') = '10s'; end $$");
    expect(await migrate()).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("applies nothing when one is older than what is applied, which Drizzle would pass over in silence", async () => {
    await migrateHere(postgres.connectionString);
    await query("delete from drizzle.__drizzle_migrations where id = 1");
    const { exitCode, stderr } = await migrate();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: Not migrated: 0000_tables is older than a migration that is applied already/);
  });

  test("applies nothing when one has changed since it was applied", async () => {
    await migrateHere(postgres.connectionString);
    checkout.edit("drizzle/0001_updated_at.sql", "CREATE", "--\nCREATE");
    checkout.addMigration("9999_next", "create table next_table ()");
    const { exitCode, stderr } = await migrate();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: Not migrated: 0001_updated_at has changed since it was applied/);
    expect(await hasTable("next_table")).toBe(false);
  });

  test("refuses a pooled URL of Neon, and nothing that only looks like one", async () => {
    const host = "ep-quiet-hill-1-pooler.us-east-2.aws.neon.tech";
    expect(await migrate(`postgres://role:PASSWORD@${host}/db`)).toStrictEqual({
      exitCode: 2,
      stdout: "",
      stderr: "error: DATABASE_URL is a pooled URL, and migrations need a direct one: take -pooler out of its host.\n",
    });
    const url = new URL(postgres.connectionString);
    url.searchParams.set("application_name", "my-pooler");
    expect(await migrate(url.href)).toMatchObject({ exitCode: 0 });
  });

  test.for([
    ["postgres://role:PASSWORD@127.0.0.1:1/db", 1, "ECONNREFUSED"],
    ["postgres://role:PASS WORD@[/db", 2, "DATABASE_URL is not a Postgres URL."],
    ["mysql://role:PASSWORD@localhost/db", 2, "DATABASE_URL is not a Postgres URL."],
    [undefined, 2, "No database: set DATABASE_URL, or start `npm run dev`."],
  ] as const)("says what is wrong with %s, but not its password", async ([connectionString, exitCode, words]) => {
    const outcome = await run("migrate", [], { cwd: checkout.root, env: { DATABASE_URL: connectionString } });
    expect(outcome).toMatchObject({ exitCode, stdout: "" });
    expect(outcome.stderr).toContain(words);
    expect(outcome.stderr).not.toMatch(/PASS|\n./);
  });
});

describe.skipIf(!existsSync("/usr/lib/postgresql"))("db:migrate on a server", () => {
  let server: RealPostgres;
  beforeAll(async () => {
    server = await startRealPostgres();
  });
  afterAll(() => server.close());

  test("waits for another run, and then finds nothing left to do", async () => {
    const other = new pg.Client(server.connectionString);
    await other.connect();
    await other.query("select pg_advisory_lock($1)", [MIGRATION_LOCK_ID]);
    const runs = Promise.all([migrate(server.connectionString), migrate(server.connectionString)]);
    const waiting = "select from pg_locks where locktype = 'advisory' and not granted";
    await expect.poll(() => query(waiting, server.connectionString)).toHaveLength(2);
    await other.end();
    const outcomes = (await runs).map(({ exitCode, stdout }) => `${exitCode} ${stdout}`).sort();
    expect(outcomes).toStrictEqual(["0 ", `0 ${ALL}`]);
  });

  test("says that the password is wrong, but not which it is", async () => {
    const url = new URL(server.connectionString);
    url.password = "WRONG";
    const { exitCode, stderr } = await migrate(url.href);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: Not migrated: SQLSTATE 28P01: password authentication failed/);
    expect(stderr).not.toContain("WRONG");
  });
});
