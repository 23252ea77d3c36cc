// The output of the commands for keys, and what it never holds.
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openRecords, type Records, sha256 } from "../support/records.ts";
import { keys, lines } from "./command.ts";

let records: Records;
beforeAll(async () => {
  records = await openRecords(inject("connectionString"));
});
afterAll(() => records.close());

const masked = (token: string) => `${token.slice(0, 6)}…${token.slice(-4)}`;
const FAR = new Date("2099-12-31T23:59:59.999Z");
const PAST = new Date("2025-01-31T00:00:00.000Z");

/** A company with a key of every state. */
async function companyOfAllStates() {
  const companyId = await records.company();
  const application = await records.application(companyId, { name: "my-app" });
  const at = (day: number) => ({
    createdAt: new Date(Date.UTC(2025, 0, day)),
    updatedAt: new Date(Date.UTC(2025, 0, day)),
  });
  const live = await records.key(companyId, { name: "live", resourceId: application.id, ...at(1), expiresAt: FAR });
  const rotating = await records.key(companyId, { name: "rotating", ...at(2), lastUsedAt: PAST });
  const second = await records.token(rotating.id, FAR);
  // Tokens that are made in one millisecond have no order.
  await records.pool.query(
    "update api_key_tokens set created_at = $1, last_used_at = $1 where hash = decode($2, 'hex')",
    [PAST, sha256(rotating.token)],
  );
  const disabled = await records.key(companyId, { name: "disabled", isEnabled: false, ...at(3) });
  const expired = await records.key(companyId, { name: "expired", expiresAt: PAST, ...at(4) });
  const spent = await records.key(companyId, { name: "spent", ...at(5) });
  await records.pool.query("update api_key_tokens set expires_at = $1 where api_key_id = $2", [PAST, spent.id]);
  const revoked = await records.key(companyId, { name: "revoked", permissions: [], lastUsedAt: PAST, ...at(6) });
  await records.pool.query("delete from api_key_tokens where api_key_id = $1", [revoked.id]);
  const tokens = [live, rotating, disabled, expired, spent, revoked].map(({ token }) => token);
  return {
    companyId,
    application,
    live,
    rotating,
    second,
    disabled,
    expired,
    spent,
    revoked,
    tokens: [...tokens, second],
  };
}

describe("list", () => {
  test("is a line for each key by age, and one for each further token", async () => {
    const all = await companyOfAllStates();
    const { exitCode, stdout, stderr } = await keys(["list", "--company", all.companyId]);
    expect([exitCode, stderr]).toStrictEqual([0, ""]);
    const cells = lines(stdout).map((line) => line.split(/ {2,}/));
    const row = (key: { id: string; token: string }, name: string, state: string, expires: string) => [
      key.id,
      "A company",
      name,
      state,
      masked(key.token),
      expires,
      "never",
    ];
    expect(cells).toStrictEqual([
      ["ID", "COMPANY", "NAME", "STATE", "TOKEN", "EXPIRES", "LAST USED"],
      row(all.live, "live", "live", "2099-12-31 23:59 UTC"),
      row(all.rotating, "rotating", "rotating", "never").with(-1, "2025-01-31 00:00 UTC"),
      ["", masked(all.second), "2099-12-31 23:59 UTC", "never"],
      row(all.disabled, "disabled", "disabled", "never"),
      row(all.expired, "expired", "expired", "2025-01-31 00:00 UTC"),
      row(all.spent, "spent", "expired", "2025-01-31 00:00 UTC"),
      row(all.revoked, "revoked", "revoked", "never").with(4, "none").with(-1, "2025-01-31 00:00 UTC"),
    ]);
  });

  test("is for programs what `show` is, in a list", async () => {
    const { companyId, live, tokens, application } = await companyOfAllStates();
    const listed = await keys(["list", "--company", companyId, "--json"]);
    const list = JSON.parse(listed.stdout) as { id: string; name: string; state: string; tokens: unknown[] }[];
    expect(list.map(({ name, state }) => [name, state])).toStrictEqual([
      ["live", "live"],
      ["rotating", "rotating"],
      ["disabled", "disabled"],
      ["expired", "expired"],
      ["spent", "expired"],
      ["revoked", "revoked"],
    ]);
    expect(list[5]?.tokens).toStrictEqual([]);
    expect(list[0]).toStrictEqual({
      id: live.id,
      company: { id: companyId, name: "A company" },
      name: "live",
      state: "live",
      tokens: [
        {
          masked_token: masked(live.token),
          is_expired: false,
          expires_at: null,
          last_used_at: null,
          created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        },
      ],
      capabilities: [{ permission: "APP:READ", resource_id: application.id, resource_name: "my-app" }],
      history: [],
      expires_at: "2099-12-31T23:59:59.999Z",
      last_used_at: null,
      created_at: "2025-01-01T00:00:00.000Z",
      updated_at: "2025-01-01T00:00:00.000Z",
    });
    const shown = await keys(["show", live.id.toUpperCase(), "--json"]);
    expect(JSON.parse(shown.stdout)).toStrictEqual(list[0]);
    for (const token of tokens) expectSecret(token, listed.stdout + shown.stdout);
  });

  test("holds the keys of every company, unless told otherwise", async () => {
    const [one, other] = [await records.key(await records.company()), await records.key(await records.company())];
    const { stdout } = await keys(["list"]);
    expect(stdout).toContain(one.id);
    expect(stdout).toContain(other.id);
  });

  test("of a company without keys says so, and is an empty list for programs", async () => {
    const companyId = await records.company();
    expect(await keys(["list", "--company", companyId])).toStrictEqual({
      exitCode: 0,
      stdout: "",
      stderr: "There are no keys.\n",
    });
    expect((await keys(["list", "--company", companyId, "--json"])).stdout).toBe("[]\n");
  });
});

test("show tells all of a key", async () => {
  const { companyId, application, rotating, second, live } = await companyOfAllStates();
  const { stdout } = await keys(["show", live.id]);
  expect(lines(stdout)).toStrictEqual([
    `id         ${live.id}`,
    `company    A company (${companyId})`,
    "name       live",
    "state      live",
    `token      ${masked(live.token)}  never used`,
    `may        APP:READ of my-app (${application.id})`,
    "expires    2099-12-31T23:59:59.999Z",
    "last used  never",
    "created    2025-01-01T00:00:00.000Z",
    "updated    2025-01-01T00:00:00.000Z",
    "history    none",
  ]);
  const { stdout: both } = await keys(["show", rotating.id]);
  expect(both).toContain(`${masked(second)}  until 2099-12-31T23:59:59.999Z  never used\n`);
  expect(both).toContain(`${masked(rotating.token)}  last used 2025-01-31T00:00:00.000Z\n`);
  expect(both).toContain("may        APP:READ of all applications\n");
  expect(both).toContain("last used  2025-01-31T00:00:00.000Z\n");
});

test("names cannot play tricks on a terminal", async () => {
  const companyId = await records.company();
  const name = "\u001b[31mred\u001b[0m\r\n\u202efake 🚀";
  const key = await records.key(companyId, { name });
  const shown = await keys(["show", key.id]);
  const listed = await keys(["list", "--company", companyId]);
  const written = "\\u{001b}[31mred\\u{001b}[0m\\u{000d}\\u{000a}\\u{202e}fake 🚀";
  expect(shown.stdout).toContain(`name       ${written}\n`);
  expect(lines(listed.stdout)).toHaveLength(2);
  expect(listed.stdout).toContain(`${[...written].slice(0, 31).join("")}…`);
  // Programs get what is there.
  expect(JSON.parse((await keys(["show", key.id, "--json"])).stdout).name).toBe(name);
});

describe("a token", () => {
  test("is in no text of the database, and no output but the first", async () => {
    const companyId = await records.company();
    const issued = await keys(["issue", "--company", companyId, "--name", "CI", "--json"]);
    const { id, token: first } = JSON.parse(issued.stdout) as { id: string; token: string };
    const rotated = await keys(["rotate", id, "--json"]);
    const { token: second } = JSON.parse(rotated.stdout) as { token: string };
    const later = [
      await keys(["list", "--company", companyId]),
      await keys(["list", "--company", companyId, "--json"]),
      await keys(["show", id]),
      await keys(["disable", id, "--yes", "--json"]),
      await keys(["enable", id]),
    ];
    for (const token of [first, second]) {
      for (const { exitCode, stdout, stderr } of later) {
        expect(exitCode).toBe(0);
        expectSecret(token, stdout + stderr);
      }
      expectSecret(token, issued.stderr + rotated.stderr);
      const digits = token.slice("svl_".length);
      for (const part of [digits, digits.slice(4, -4)]) expect(await tablesWith(part)).toStrictEqual([]);
      // Were it there, it would be found.
      expect(await tablesWith(masked(token))).toStrictEqual(["api_key_tokens"]);
      expect(await tablesWith(sha256(token))).toStrictEqual(["api_key_tokens"]);
    }
  });

  test.for([
    ["show", []],
    ["revoke", ["--yes"]],
    ["issue", ["--company"]],
  ] as const)("that is typed where it does not belong is not repeated by %s", async ([command, options]) => {
    const { token } = await records.key(await records.company());
    const outcome = await keys([command, ...options, token, ...(command === "issue" ? ["--name", "CI"] : [])]);
    expect(outcome.exitCode).not.toBe(0);
    expect(outcome.stderr).toContain(`${token.slice(0, 6)}…`);
    expectSecret(token, outcome.stdout + outcome.stderr);
  });
});

/** Neither the token nor its hash, nor the digits between its ends. */
function expectSecret(token: string, output: string): void {
  expect(output.length).toBeGreaterThan(0);
  expect(output).not.toContain(token.slice(8, -4));
  expect(output).not.toContain(sha256(token));
}

/** The tables of the database that have these words in a column, whatever its type. */
async function tablesWith(words: string): Promise<string[]> {
  const { rows: tables } = await records.pool.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  );
  expect(tables.length).toBeGreaterThanOrEqual(7);
  const found: string[] = [];
  for (const { name } of tables) {
    const { rowCount } = await records.pool.query(
      `select from ${name.includes("drizzle") ? `drizzle.${name}` : name} as t where strpos(t::text, $1) > 0 limit 1`,
      [words],
    );
    if (rowCount) found.push(name);
  }
  return found;
}

describe("--help", () => {
  test.for([
    [["--help"], ["issue", "list", "show", "rotate", "disable", "enable", "revoke", "A key in JSON:", "Exit codes:"]],
    [
      ["issue", "--help"],
      ["--company", "--permission", "--application", "--expires", "Examples:"],
    ],
    [
      ["rotate", "--help"],
      ["--overlap", "0 to 168h", "(default: 24h)", "--purge-url", "Examples:"],
    ],
    [
      ["revoke", "--help"],
      ["deleted", "stays in the list", "--yes", "--purge-url"],
    ],
    [
      ["help", "list"],
      ["--company", "--json", "from the edge's cache\nare not counted", "up to 1 h later"],
    ],
  ] as const)("%j is on stdout", async ([args, expected]) => {
    const { exitCode, stdout, stderr } = await keys([...args]);
    expect([exitCode, stderr]).toStrictEqual([0, ""]);
    for (const words of expected) expect(stdout).toContain(words);
  });

  test("names every field of a key, and no other", async () => {
    const { id } = await records.key(await records.company());
    await keys(["rotate", id]);
    const key = JSON.parse((await keys(["show", id, "--json"])).stdout) as object;
    const { stdout } = await keys(["--help"]);
    const shape = stdout.slice(stdout.indexOf("A key in JSON:"), stdout.indexOf("The database is"));
    const names = [...shape.matchAll(/\b[a-z]+_[a-z_]+\b/g)].map(([name]) => name);
    const fieldsOf = (value: unknown): string[] =>
      typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([name, part]) => [...(Array.isArray(value) ? [] : [name]), ...fieldsOf(part)])
        : [];
    const fields = fieldsOf(key);
    for (const field of fields) expect(shape).toContain(field);
    for (const name of names) expect(fields).toContain(name);
  });

  test("is shown on stderr to who names no command", async () => {
    const { exitCode, stdout, stderr } = await keys([]);
    expect([exitCode, stdout]).toStrictEqual([2, ""]);
    expect(stderr).toContain("Usage: keys <command>");
  });
});
