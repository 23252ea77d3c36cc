// Migrations on a database of their own: what is applied, what is refused, and who waits for them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import journal from "../../../drizzle/meta/_journal.json" with { type: "json" };
import { migrate as migrateDatabase } from "../../../drizzle/migrate.ts";
import { seed } from "../../../drizzle/seed.ts";
import deploy from "../../../src/cli/deploy.ts";
import migrateCommand from "../../../src/cli/migrate.ts";
import preview from "../../../src/cli/preview.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../src/local/postgres/embedded.ts";
import { DATABASE, type Env, World } from "../../stand-ins/world.ts";
import { run } from "../../support/command.ts";
import { outside, writeMigrations } from "../../support/migrations.ts";

const root = mkdtempSync(join(tmpdir(), "process-api-migrate-"));
let postgres: EmbeddedPostgres;
beforeAll(async () => {
  postgres = await startEmbeddedPostgres();
});
beforeEach(() => query("drop schema if exists public, drizzle cascade; create schema public"));
afterAll(async () => {
  await postgres.close();
  rmSync(root, { recursive: true });
});

/** @returns the rows of the last statement */
async function query(text: string, connectionString = postgres.connectionString): Promise<object[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const results = await client.query(text).finally(() => client.end());
  return [results].flat().at(-1)?.rows ?? [];
}

const FIRST = { "0000_first": "create table first ()" };
const SECOND = { "0001_second": "create table second ()" };
const BROKEN = { "0001_broken": "create table second ();--> statement-breakpoint\nalter table nowhere add x int" };
const IS_BROKEN = 'error: Not migrated: 0001_broken.sql: SQLSTATE 42P01: relation "nowhere" does not exist\n';
const migrate = (env: Env = { DATABASE_URL: postgres.connectionString }) => run(migrateCommand, [], { root, env });
const tables = () => query("select relname from pg_class where relnamespace = 'public'::regnamespace order by 1");

describe("db:migrate", () => {
  beforeEach(() => writeMigrations(root, FIRST));

  test("applies what is pending, says so, and finds nothing to do the next time", async () => {
    expect(await migrate()).toStrictEqual({ exitCode: 0, stdout: "0000_first\n", stderr: "" });
    expect(await migrate()).toStrictEqual({ exitCode: 0, stdout: "", stderr: "Nothing to migrate.\n" });
    // Before a table all readers would wait for as long as it does.
    const inTime = "do $$ begin assert current_setting('lock_timeout') = '10s'; end $$";
    writeMigrations(root, { ...FIRST, ...SECOND, "0002_third": inTime });
    expect(await migrate()).toStrictEqual({ exitCode: 0, stdout: "0001_second\n0002_third\n", stderr: "" });
    expect(await tables()).toStrictEqual([{ relname: "first" }, { relname: "second" }]);
  });

  test("says which migration failed and why, in the words of Postgres, and applies none", async () => {
    writeMigrations(root, { ...FIRST, ...BROKEN });
    expect(await migrate()).toStrictEqual({ exitCode: 1, stdout: "", stderr: IS_BROKEN });
    expect(await tables()).toStrictEqual([]);
  });

  const forget = "delete from drizzle.__drizzle_migrations where id = 1";
  test.for([
    // Drizzle would pass over it in silence.
    ["is older than a migration that is applied already", { ...FIRST, ...SECOND }, forget, FIRST],
    ["has changed since it was applied", FIRST, "select", { "0000_first": "create table first (id int)" }],
  ] as const)("applies nothing when a migration %s", async ([words, before, statement, first]) => {
    writeMigrations(root, before);
    await migrate();
    await query(statement);
    writeMigrations(root, { ...first, ...SECOND, "0002_third": "create table third ()" });
    const { exitCode, stderr } = await migrate();
    expect([exitCode, stderr.startsWith(`error: Not migrated: 0000_first ${words}`)]).toStrictEqual([1, true]);
    expect(await tables()).toHaveLength(Object.keys(before).length);
  });

  const LONE = {
    "0000_first": "create table first (id int)",
    // Refused in a transaction, or together with another statement.
    "0001_lone": outside("create index concurrently first_id on first (id)", "insert into first values (1)"),
    "0002_third": "insert into first values (3)",
  };

  test("runs a migration outside a transaction between those before it and those after it", async () => {
    writeMigrations(root, { ...LONE, "0003_broken": "alter table nowhere add x int" });
    const stderr = 'error: Not migrated: 0003_broken.sql: SQLSTATE 42P01: relation "nowhere" does not exist\n';
    expect(await migrate()).toStrictEqual({ exitCode: 1, stdout: "0000_first\n0001_lone\n", stderr });
    writeMigrations(root, LONE);
    expect(await migrate()).toStrictEqual({ exitCode: 0, stdout: "0002_third\n", stderr: "" });
    expect(await migrate()).toMatchObject({ stdout: "", stderr: "Nothing to migrate.\n" });
    expect(await query("select id from first order by id")).toStrictEqual([{ id: 1 }, { id: 3 }]);
    const journal = await query("select created_at::int from drizzle.__drizzle_migrations order by id");
    expect(journal).toStrictEqual([1_000, 1_001, 1_002].map((created_at) => ({ created_at })));
  });

  const build = "create unique index concurrently first_id on first (id)";
  const drop = 'drop index concurrently if exists "first_id"';
  const UNIQUE = {
    "0000_first": "create table first (id int)",
    "0001_unique": outside(drop, build),
  };
  const invalid = "select from pg_index where not indisvalid";

  test("names an index that was left unfinished, and begins it anew when run again", async () => {
    writeMigrations(root, { "0000_first": UNIQUE["0000_first"] });
    await migrate();
    await query("insert into first values (1), (1)");
    writeMigrations(root, UNIQUE);
    const stderr =
      'error: Not migrated: 0001_unique.sql: SQLSTATE 23505: could not create unique index "first_id". Left invalid until the migrations are run again: first_id\n';
    for (const _ of ["once", "and again"]) {
      expect(await migrate()).toStrictEqual({ exitCode: 1, stdout: "", stderr });
      expect(await query(invalid)).toHaveLength(1);
    }
    await query("delete from first");
    expect(await migrate()).toStrictEqual({ exitCode: 0, stdout: "0001_unique\n", stderr: "" });
    expect(await query(invalid)).toHaveLength(0);
  });

  const DROP_IT =
    'error: Not migrated: an interrupted CREATE INDEX CONCURRENTLY has left an invalid index that no pending migration drops. Drop it, and run the migrations again: drop index concurrently "first_id";\n';

  test.for([
    ["passes over it", { "0001_lone": outside(build.replace("concurrently", "concurrently if not exists")) }],
    [
      "drops it in a comment only",
      { "0001_lone": outside(`${build.replace("concurrently", "concurrently if not exists")} -- ${drop}`) },
    ],
    ["does not know it", SECOND],
  ] as const)("applies nothing on top of an unfinished index when what is pending %s", async ([, pending]) => {
    writeMigrations(root, { "0000_first": UNIQUE["0000_first"] });
    await migrate();
    await query("insert into first values (1), (1)");
    await expect(query(build)).rejects.toThrow("could not create unique index");
    writeMigrations(root, { "0000_first": UNIQUE["0000_first"], ...pending });
    expect(await migrate()).toStrictEqual({ exitCode: 1, stdout: "", stderr: DROP_IT });
    expect(await tables()).toHaveLength(2);
    await query('delete from first; drop index "first_id"');
    expect(await migrate()).toMatchObject({ exitCode: 0 });
  });

  test("takes a URL that only looks like a pooled one of Neon", async () => {
    const url = new URL(postgres.connectionString);
    url.searchParams.set("application_name", "my-pooler");
    expect(await migrate({ DATABASE_URL: url.href })).toMatchObject({ exitCode: 0 });
  });

  const UNREACHABLE = "Not migrated: the database cannot be reached, or was lost: ECONNREFUSED.";
  const POOLED = "postgres://role:PASSWORD@ep-quiet-hill-1-pooler.us-east-2.aws.neon.tech/db";
  test.for([
    ["postgres://role:PASSWORD@127.0.0.1:1/db", 1, UNREACHABLE],
    ["postgres://role:PASS WORD@[/db", 2, "DATABASE_URL is not a Postgres URL."],
    ["mysql://role:PASSWORD@localhost/db", 2, "DATABASE_URL is not a Postgres URL."],
    ["", 2, "DATABASE_URL is not a Postgres URL."],
    [undefined, 2, "No database: set DATABASE_URL, or start `npm run dev`."],
    [POOLED, 2, "DATABASE_URL is a pooled URL, and migrations need a direct one: take -pooler out of its host."],
  ] as const)("says what is wrong with '%s', but not its password", async ([DATABASE_URL, exitCode, words]) => {
    expect(await migrate({ DATABASE_URL })).toStrictEqual({ exitCode, stdout: "", stderr: `error: ${words}\n` });
  });
});

describe("before anything is deployed", () => {
  let world: World;
  beforeEach(async () => {
    world = new World(postgres.connectionString);
    world.hasCron = false;
    await world.release();
    return () => world.remove();
  });

  test("a release migrates, and ends where that fails", async () => {
    rmSync(join(world.project, "drizzle"));
    writeMigrations(world.project, FIRST);
    // Nothing but that is in the database, the feed's tables included.
    world.configure((toml) => toml.replace('crons = ["* * * * *"]', "crons = []"));
    const stderr = expect.stringMatching(/^migrated 0000_first\n\$ wrangler versions upload\n/);
    expect(await world.run(deploy, ["--at-once"])).toMatchObject({ exitCode: 0, stderr });
    world.forget();
    writeMigrations(world.project, { ...FIRST, ...BROKEN });
    const failed = await world.run(deploy, ["--at-once"]);
    expect([failed, world.did]).toStrictEqual([{ exitCode: 1, stdout: "", stderr: IS_BROKEN }, []]);
  });

  test("a preview migrates and seeds an empty database, and keeps one with the seed", async () => {
    const deployed = () => world.run(preview, ["--name", "pr-1"]);
    const migrated = journal.entries.map(({ tag }) => `migrated ${tag}\n`).join("");
    expect((await deployed()).stderr.startsWith(`${migrated}seeded\n`)).toBe(true);
    await query("update processes set display_name = 'Mine'");
    expect(await deployed()).toMatchObject({ exitCode: 0, stderr: expect.not.stringMatching(/migrated|seeded/) });
    expect(await query("select distinct display_name from processes")).toStrictEqual([{ display_name: "Mine" }]);
  });

  // Production may hold the seed as well.
  test.for(["nothing else", "the seed"])(
    "a preview of data that is not the seed's is refused: beside %s",
    async (beside) => {
      await migrateDatabase(postgres.connectionString);
      if (beside === "the seed") await seed(postgres.connectionString);
      await query("insert into companies (name) values ('A customer'); drop table drizzle.__drizzle_migrations");
      const { exitCode, stdout, stderr } = await world.run(preview, ["--name", "pr-1"]);
      expect([exitCode, stdout, world.did]).toStrictEqual([1, "", []]);
      const says = /^error: The Neon branch holds companies that are not the seed's\. .* The branch is deleted\.\n$/;
      expect(stderr).toMatch(says);
      expect(world.neon.branches.map(({ name }) => name)).toStrictEqual(["main"]);
      // Before anything was changed: migrations would have begun anew.
      expect(await query("select to_regclass('drizzle.__drizzle_migrations') as journal")).toStrictEqual([
        { journal: null },
      ]);
    },
  );

  test("a preview whose database a test has written to is refused, and its database stays", async () => {
    await world.run(preview, ["--name", "pr-1"]);
    await query("insert into companies (name) values ('A test')");
    const { exitCode, stderr } = await world.run(preview, ["--name", "pr-1"]);
    expect([exitCode, world.neon.branches.map(({ name }) => name)]).toStrictEqual([1, ["main", "pr-1"]]);
    expect(stderr).toMatch(/If a test has written them, delete the preview \(--delete\) and make it anew\.\n$/);
  });

  test("says that a copy of somebody's data has stayed where Neon does not delete it", async () => {
    await migrateDatabase(postgres.connectionString);
    await query("insert into companies (name) values ('A customer')");
    world.neon.refuse(/^DELETE/, 409, "cannot");
    const { stderr } = await world.run(preview, ["--name", "pr-1"]);
    expect(stderr).toMatch(
      / The branch is NOT deleted: https:\/\/console\.neon\.tech refused DELETE \S+ \(409\): cannot\n$/,
    );
  });
});

test("a token is taken to have been used when its key was, unless it was made later", async () => {
  // As the migration finds tokens.
  const statement = readFileSync("drizzle/0008_key_events.sql", "utf8").split("--> statement-breakpoint").at(-1);
  // Nothing of it is committed.
  const rows = await query(
    `begin;
    with company as (insert into companies (name) values ('A company') returning id),
    key as (
      insert into api_keys (company_id, name, last_used_at) select id, 'A key', '2025-01-02T00:00Z' from company returning id
    )
    insert into api_key_tokens (hash, api_key_id, masked, created_at)
    select sha256(masked::bytea), id, masked, created_at::timestamptz from key,
      (values ('svl_01…1111', '2025-01-01T00:00Z'), ('svl_03…1111', '2025-01-03T00:00Z')) as token (masked, created_at);
    ${statement};
    select last_used_at from api_key_tokens where masked like '%…1111' order by masked`,
    DATABASE,
  );
  expect(rows).toStrictEqual([{ last_used_at: new Date("2025-01-02T00:00Z") }, { last_used_at: null }]);
});
