// Confirmations, and what keeps a command from its database.
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { startEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { openRecords, type Records } from "../support/records.ts";
import { keys, keysOnTerminal, lines } from "./command.ts";

let records: Records;
beforeAll(async () => {
  records = await openRecords(inject("connectionString"));
});
afterAll(() => records.close());

/** All that a command could have changed of a key and its tokens. */
async function stateOf(id: string): Promise<unknown> {
  const { rows } = await records.pool.query(
    `select k.*, (select json_agg(t.* order by t.hash) from api_key_tokens t where t.api_key_id = k.id) as tokens
     from api_keys k where k.id = $1`,
    [id],
  );
  return rows[0];
}

const DESTRUCTIVE = [["revoke"], ["disable"], ["rotate", "--overlap", "0"]] as const;

/** Answers that are typed, and whether each is a yes. */
const ANSWERS: (readonly [string, boolean])[] = [
  ["y", true],
  ["n", false],
  ["YES", true],
  ["", false],
  ["yess", false],
  ["\u0003", false],
  ["\u0004", false],
];

describe.for(DESTRUCTIVE)("%s", ([command, ...options]) => {
  test("wants --yes where there is no terminal", async () => {
    const { id } = await records.key(await records.company());
    const before = await stateOf(id);
    expect(await keys([command, id, ...options], { stdin: "y\n" })).toStrictEqual({
      exitCode: 2,
      stdout: "",
      stderr: "error: This asks for confirmation, and there is no terminal to ask at: add --yes.\n",
    });
    expect(await stateOf(id)).toStrictEqual(before);
    expect((await keys([command, id, ...options, "--yes"])).exitCode).toBe(0);
    expect(await stateOf(id)).not.toStrictEqual(before);
  });

  // util-linux: other systems have a `script` of their own kind.
  const hasTerminals = process.platform === "linux" && existsSync("/usr/bin/script");
  const answers = command === "revoke" ? ANSWERS : ANSWERS.slice(0, 2);
  test.skipIf(!hasTerminals).for(answers)(
    "asks at a terminal, and takes %j for what it is: %s",
    async ([answer, isYes]) => {
      const { id, token } = await records.key(await records.company(), { name: "The key" });
      const before = await stateOf(id);
      const { exitCode, stdout } = await keysOnTerminal([command, id, ...options], `${answer}\r`);
      const { host } = new URL(inject("connectionString"));
      expect(stdout).toContain(
        `"The key" of A company (${token.slice(0, 6)}…${token.slice(-4)}) on ${host}/postgres? [y/N] `,
      );
      expect(exitCode).toBe(isYes ? 0 : 1);
      if (isYes) expect(await stateOf(id)).not.toStrictEqual(before);
      else {
        expect(stdout).toContain("error: Nothing was changed.");
        expect(await stateOf(id)).toStrictEqual(before);
      }
    },
  );
});

test("rotate with an overlap and enable do not ask", async () => {
  const { id } = await records.key(await records.company());
  expect((await keys(["rotate", id])).exitCode).toBe(0);
  expect((await keys(["enable", id])).exitCode).toBe(0);
});

test("enable and disable where it is so already change nothing", async () => {
  const { id } = await records.key(await records.company());
  const before = await stateOf(id);
  const { exitCode, stderr } = await keys(["enable", id]);
  expect([exitCode, lines(stderr)[0]]).toStrictEqual([0, "The key was enabled before."]);
  expect(await stateOf(id)).toStrictEqual(before);
});

test("a change is seen in updated_at, also that of a token alone", async () => {
  const createdAt = new Date("2025-01-01T00:00:00Z");
  for (const command of [["rotate"], ["revoke", "--yes"], ["disable", "--yes"]] as const) {
    const { id } = await records.key(await records.company(), { createdAt, updatedAt: createdAt });
    await keys([command[0], id, ...command.slice(1)]);
    const { updated_at } = (await stateOf(id)) as { updated_at: Date };
    expect(updated_at.getTime()).toBeGreaterThan(createdAt.getTime());
  }
});

test("revoke keeps the key and what it could do", async () => {
  const { id } = await records.key(await records.company());
  await keys(["revoke", id, "--yes"]);
  const { stdout } = await keys(["show", id, "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    state: "revoked",
    tokens: [],
    capabilities: [{ permission: "APP:READ", resource_id: null }],
  });
});

test("a change is of one key alone", async () => {
  const companyId = await records.company();
  const [mine, other] = [await records.key(companyId), await records.key(companyId)];
  const before = await stateOf(other.id);
  for (const args of [["rotate"], ["disable", "--yes"], ["enable"], ["revoke", "--yes"]]) {
    expect((await keys([String(args[0]), mine.id, ...args.slice(1)])).exitCode).toBe(0);
  }
  expect(await stateOf(other.id)).toStrictEqual(before);
});

test.for(["show", "rotate", "disable", "enable", "revoke"])("%s knows no key that there is not", async (command) => {
  const id = randomUUID();
  const yes = ["disable", "revoke"].includes(command) ? ["--yes"] : [];
  expect(await keys([command, id, ...yes])).toStrictEqual({
    exitCode: 1,
    stdout: "",
    stderr: `error: There is no key ${id}.\n`,
  });
});

describe("a database that is not to be had is one line without the connection string", () => {
  const PASSWORD = "the-password-of-the-database";

  async function listOn(databaseUrl: string) {
    const outcome = await keys(["list"], { env: { DATABASE_URL: databaseUrl } });
    expect(outcome.stdout).toBe("");
    expect(lines(outcome.stderr)).toHaveLength(1);
    expect(outcome.stderr).not.toContain(PASSWORD);
    return [outcome.exitCode, outcome.stderr.trim()];
  }

  test.for([
    ["", 2, "error: DATABASE_URL is not a Postgres URL."],
    ["mysql://user:the-password-of-the-database@localhost/db", 2, "error: DATABASE_URL is not a Postgres URL."],
    ["postgres://user:the-password-of-the-database@:5432:1/db", 2, "error: DATABASE_URL is not a Postgres URL."],
    [
      "postgres://user:the-password-of-the-database@127.0.0.1:1/db",
      1,
      "error: The database of DATABASE_URL cannot be reached: ECONNREFUSED",
    ],
    [
      "postgres://user:the-password-of-the-database@nowhere.invalid/db",
      1,
      "error: The database of DATABASE_URL cannot be reached: ENOTFOUND",
    ],
  ] as const)("%s", async ([databaseUrl, exitCode, expected]) => {
    expect(await listOn(databaseUrl)).toStrictEqual([exitCode, expected]);
  });

  test("without a schema, or with that of an older checkout", async () => {
    const postgres = await startEmbeddedPostgres();
    try {
      expect(await listOn(postgres.connectionString)).toStrictEqual([
        1,
        "error: The database refused: SQLSTATE 42P01 (it has no schema yet: npm run db:migrate)",
      ]);
      await migrate(postgres.connectionString);
      const there = await openRecords(postgres.connectionString);
      await there.pool.query("alter table api_key_tokens drop column last_used_at");
      await there.close();
      expect(await listOn(postgres.connectionString)).toStrictEqual([
        1,
        "error: The database refused: SQLSTATE 42703 (its schema is older than this command: npm run db:migrate)",
      ]);
    } finally {
      await postgres.close();
    }
  });

  // The embedded Postgres asks for no password and has one database.
  const isEmbedded = ["pglite", undefined].includes(process.env.TEST_DATABASE);
  test.skipIf(isEmbedded)("with a password that is not its own", async () => {
    const url = new URL(inject("connectionString"));
    url.password = PASSWORD;
    expect(await listOn(url.href)).toStrictEqual([
      1,
      "error: The database refused: SQLSTATE 28P01 (it refuses the password)",
    ]);
  });

  test.skipIf(isEmbedded)("of another name", async () => {
    const url = new URL(inject("connectionString"));
    url.pathname = "/nobody_s";
    expect(await listOn(url.href)).toStrictEqual([
      1,
      "error: The database refused: SQLSTATE 3D000 (there is no such database)",
    ]);
  });
});
