// Confirmations, unknown keys, and databases that cannot be used.
import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { useRecords } from "../support/records.ts";
import { checkOut, databaseUrl, expectError, keys, keysJson, listen, masked } from "./command.ts";

const records = useRecords();

/** What is typed at the question, and the exit code; undefined if there is no terminal. */
const ANSWERS: [string | undefined, number][] = [
  [undefined, 2],
  ["y", 0],
  ["n", 1],
  ["YES", 0],
  ["", 1],
  ["yess", 1],
  ["\u0003", 1],
  ["\u0004", 1],
];

describe.for([
  ["revoke", "Revoke, for good,", ANSWERS],
  ["disable", "Disable", ANSWERS.slice(0, 3)],
  ["rotate --overlap 0", "End every token of", ANSWERS.slice(0, 3)],
] as const)("%s", ([command, act, answers]) => {
  test.for(answers)("asks first, and after the answer %j exits with %i", async ([answer, exitCode]) => {
    const { id, token } = await records.key(await records.company(), { name: "The \u001bkey" });
    const before = await keysJson(`show ${id}`);
    const outcome = await keys(`${command} ${id}`, answer === undefined ? { stdin: "y\n" } : { typed: `${answer}\r` });
    const after = await keysJson(`show ${id}`);
    if (exitCode === 0) expect(after).not.toStrictEqual(before);
    else expect(after).toStrictEqual(before);
    if (answer === undefined) return expectError(outcome, 2, "there is no terminal to ask at: add --yes.\n");
    const { host } = new URL(databaseUrl());
    const question = `${act} "The \\u{001b}key" of A company (${masked(token)}) on ${host}/postgres? [y/N] `;
    expect([outcome.exitCode, outcome.stderr]).toStrictEqual([exitCode, expect.stringContaining(question)]);
    if (exitCode === 1) expect(outcome.stderr).toMatch(/\nerror: Nothing was changed\.\n$/);
    return;
  });
});

test.for(["show", "rotate", "disable --yes", "enable", "revoke --yes"])(
  "%s says that there is no such key",
  async (command) => {
    const id = randomUUID();
    expectError(await keys(`${command} ${id}`), 1, `error: There is no key ${id}.\n`);
  },
);

describe("a command that cannot use its database says so in one line, without the connection string:", () => {
  const PASSWORD = "the-password-of-the-database";
  const USER = `user:${PASSWORD}`;

  async function expectFailure(databaseUrl: string | undefined, exitCode: number, words: string, root = checkOut()) {
    const outcome = await keys("list", { root, env: { DATABASE_URL: databaseUrl } });
    expectError(outcome, exitCode, `error: ${words}\n`);
    expect(outcome.stderr).not.toContain(PASSWORD);
  }

  test.for([
    [undefined, 2, "No database: set DATABASE_URL, or start `npm run dev`."],
    ["", 2, "DATABASE_URL is not a Postgres URL."],
    [`mysql://${USER}@localhost/db`, 2, "DATABASE_URL is not a Postgres URL."],
    [`postgres://${USER}@:5432:1/db`, 2, "DATABASE_URL is not a Postgres URL."],
    [`postgres://${USER}@127.0.0.1:1/db`, 1, "The database of DATABASE_URL cannot be reached: ECONNREFUSED"],
    [`postgres://${USER}@nowhere.invalid/db`, 1, "The database of DATABASE_URL cannot be reached: ENOTFOUND"],
  ] as const)("%s", ([databaseUrl, exitCode, words]) => expectFailure(databaseUrl, exitCode, words));

  test("the database of `npm run dev` no longer runs", () => {
    const root = checkOut({ databaseUrl: `postgres://${USER}@127.0.0.1:1/db` });
    return expectFailure(undefined, 1, "The database of `npm run dev` cannot be reached: ECONNREFUSED", root);
  });

  // https://www.postgresql.org/docs/current/protocol-message-formats.html
  const READY = "Z\0\0\0\u0005I";
  const AUTHENTICATED = `R\0\0\0\u0008\0\0\0\0${READY}`;

  test.for([
    ["28000", "connection", " (it refuses the user)"],
    ["28P01", "connection", " (it refuses the password)"],
    ["3D000", "connection", " (there is no such database)"],
    ["53300", "connection", ""],
    ["42501", "query", " (the user may not do this)"],
    ["42703", "query", " (its schema is older than this command: npm run db:migrate)"],
    ["42P01", "query", " (it has no schema yet: npm run db:migrate)"],
    ["57014", "query", ""],
  ] as const)("the server refuses with SQLSTATE %s the %s", async ([sqlState, refused, hint]) => {
    const fields = `SERROR\0C${sqlState}\0M${PASSWORD}\0\0`;
    const error = `E\0\0\0${String.fromCharCode(fields.length + 4)}${fields}`;
    const server = createServer((socket) => {
      socket.once("data", () => {
        if (refused === "connection") return socket.end(error);
        socket.write(AUTHENTICATED);
        return socket.once("data", () => socket.write(error + READY));
      });
    });
    const databaseUrl = `postgres://${USER}@127.0.0.1:${await listen(server)}/db`;
    await expectFailure(databaseUrl, 1, `The database refused: SQLSTATE ${sqlState}${hint}`);
  });
});
