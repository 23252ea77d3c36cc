import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { startEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { openRecords, type Records, sha256 } from "../support/records.ts";
import { keys, lines, losingConnectionAt } from "./command.ts";

let records: Records;
let companyId: string;
let applicationId: string;
let strangersApplicationId: string;
beforeAll(async () => {
  records = await openRecords(inject("connectionString"));
});
afterAll(() => records.close());
beforeEach(async () => {
  companyId = await records.company();
  applicationId = (await records.application(companyId)).id;
  strangersApplicationId = (await records.application(await records.company())).id;
});

const issue = (...options: string[]) => keys(["issue", "--company", companyId, "--name", "CI", ...options]);

/** How many rows of keys, tokens and capabilities the company has. */
async function rowsOf(company: string): Promise<number[]> {
  const { rows } = await records.pool.query(
    `select count(distinct k.id)::int as keys, count(distinct t.hash)::int as tokens, count(distinct c.id)::int as capabilities
     from api_keys k left join api_key_tokens t on t.api_key_id = k.id left join api_key_capabilities c on c.api_key_id = k.id
     where k.company_id = $1`,
    [company],
  );
  return [rows[0].keys, rows[0].tokens, rows[0].capabilities];
}

describe("a key that is issued", () => {
  test("leaves its token on stdout and only its hash and its ends in the database", async () => {
    const { exitCode, stdout, stderr } = await issue();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^svl_[0-9a-f]{64}\n$/);
    const token = stdout.trim();
    expect(stderr).not.toContain(token.slice(8, -4));
    expect(stderr).toContain(`token      ${token.slice(0, 6)}…${token.slice(-4)}  never used\n`);
    const { rows } = await records.pool.query(
      `select encode(t.hash, 'hex') as hash, t.masked, t.expires_at, k.is_enabled, k.expires_at as key_expires_at
       from api_key_tokens t join api_keys k on k.id = t.api_key_id where k.company_id = $1`,
      [companyId],
    );
    expect(rows).toStrictEqual([
      {
        hash: sha256(token),
        masked: `${token.slice(0, 6)}…${token.slice(-4)}`,
        expires_at: null,
        is_enabled: true,
        key_expires_at: null,
      },
    ]);
  });

  test("never has the token of another", async () => {
    const issued = await Promise.all([issue("--quiet"), issue("--quiet"), issue("--quiet")]);
    expect(new Set(issued.map(({ stdout }) => stdout)).size).toBe(3);
    expect(await rowsOf(companyId)).toStrictEqual([3, 3, 3]);
  });

  test("may read all of the company's applications, unless told otherwise", async () => {
    const { stdout } = await issue("--json");
    expect(JSON.parse(stdout).capabilities).toStrictEqual([
      { permission: "APP:READ", resource_id: null, resource_name: null },
    ]);
  });

  test("has every permission for every application that is named, once", async () => {
    const second = await records.application(companyId);
    const ids = [applicationId, second.id, applicationId.toUpperCase()];
    const { stdout } = await issue(
      "--json",
      "--permission",
      "APP:CREATE",
      "APP:READ",
      "APP:READ",
      "--application",
      ...ids,
    );
    const granted = (JSON.parse(stdout).capabilities as { permission: string; resource_id: string }[]).map(
      ({ permission, resource_id }) => `${permission} ${resource_id}`,
    );
    expect(granted.toSorted()).toStrictEqual(
      ["APP:CREATE", "APP:READ"]
        .flatMap((permission) => [applicationId, second.id].map((id) => `${permission} ${id}`))
        .toSorted(),
    );
  });

  test("belongs to the company of that name", async () => {
    const name = `Company "${randomUUID()}"; --`;
    await records.pool.query("update companies set name = $1 where id = $2", [name, companyId]);
    const { exitCode } = await keys(["issue", "--company", name, "--name", "CI", "--quiet"]);
    expect(exitCode).toBe(0);
    expect(await rowsOf(companyId)).toStrictEqual([1, 1, 1]);
  });

  test.for([
    ["2099-01-31", "2099-01-31T00:00:00.000Z"],
    ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
  ] as const)("expires at %s if told so", async ([given, expected]) => {
    const { stdout } = await issue("--json", "--expires", given);
    expect(JSON.parse(stdout).expires_at).toBe(expected);
  });

  test("expires so long after its making if told so", async () => {
    const { stdout } = await issue("--json", "--expires", "90d");
    const { expires_at, created_at } = JSON.parse(stdout) as { expires_at: string; created_at: string };
    expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(90 * 86_400_000);
  });
});

describe("what cannot be issued changes nothing and is one line", () => {
  const cases: [string, () => string[], number, string][] = [
    ["no such company", () => ["--company", randomUUID()], 1, "There is no company"],
    ["no company of that name", () => ["--company", "Nobody's"], 1, 'There is no company "Nobody\'s".'],
    ["companies of one name", () => ["--company", "A company"], 1, 'More than one company has the name "A company"'],
    ["no such application", () => ["--application", randomUUID()], 1, "has no application"],
    ["an application of another company", () => ["--application", strangersApplicationId], 1, "has no application"],
    [
      "one good application and one bad",
      () => ["--application", applicationId, strangersApplicationId],
      1,
      "has no app",
    ],
    ["an application that is no id", () => ["--application", "my-app"], 2, "Expected an id, a UUID."],
    ["an expiry in the past", () => ["--expires", "2020-01-01"], 1, "The expiry is in the past."],
    ["an expiry now", () => ["--expires", "0d"], 1, "The expiry is in the past."],
    ["an expiry after the year 9999", () => ["--expires", "999999w"], 1, "The expiry is after the year 9999"],
    ["a day that is none", () => ["--expires", "2099-02-30"], 2, "Expected 90d, 2027-01-31 or"],
    ["a permission that is unknown", () => ["--permission", "APP:OWN"], 2, "Allowed choices are APP:READ, APP:CREATE"],
    [
      "a permission that is unknown beside one that is not",
      () => ["--permission", "APP:READ", "x"],
      2,
      "Allowed choices",
    ],
    ["no name", () => ["--name", ""], 2, "Expected 1 to 255 characters."],
    ["a name too long", () => ["--name", "🚀".repeat(256)], 2, "Expected 1 to 255 characters."],
    ["an option that is unknown", () => ["--applications", applicationId], 2, "unknown option '--applications'"],
    ["a word too many", () => ["--json", "word"], 2, "too many arguments"],
  ];

  test.for(cases)("%s", async ([_, options, exitCode, expected]) => {
    const outcome = await issue(...options());
    expect(outcome).toMatchObject({ exitCode, stdout: "" });
    expect(lines(outcome.stderr)).toStrictEqual([expect.stringMatching(/^error: /)]);
    expect(outcome.stderr).toContain(expected);
    expect(await rowsOf(companyId)).toStrictEqual([0, 0, 0]);
  });

  test("but the longest name is one", async () => {
    expect((await issue("--name", "🚀".repeat(255), "--quiet")).exitCode).toBe(0);
    expect(await rowsOf(companyId)).toStrictEqual([1, 1, 1]);
  });

  test.for(["company", "name"])("without --%s", async (missing) => {
    const options = Object.entries({ company: companyId, name: "CI" }).filter(([name]) => name !== missing);
    const outcome = await keys(["issue", ...options.flatMap(([name, value]) => [`--${name}`, value])]);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(outcome.stderr).toContain(`required option '--${missing} <`);
    expect(await rowsOf(companyId)).toStrictEqual([0, 0, 0]);
  });
});

test("who names a company that there is not is told which there are, ten at most", async () => {
  const postgres = await startEmbeddedPostgres();
  const { connectionString } = postgres;
  await migrate(connectionString);
  const there = await openRecords(connectionString);
  const issueThere = async () =>
    (await keys(["issue", "--company", "None", "--name", "CI"], { env: { DATABASE_URL: connectionString } })).stderr;
  try {
    const missing = 'error: There is no company "None".';
    expect(await issueThere()).toBe(`${missing} There are no companies yet: src/cli/README.md says who writes them.\n`);
    const id = await there.company("An \u001b[31mexample");
    expect(await issueThere()).toBe(`${missing} There is "An \\u{001b}[31mexample" (${id}).\n`);
    for (let n = 1; n <= 11; n++) await there.company(`Company ${n}`);
    const told = await issueThere();
    expect(told).toContain(`${missing} There are "An `);
    expect(told.match(/"[^"]+" \([0-9a-f-]{36}\)/g)).toHaveLength(10);
    expect(told).toMatch(/ and 2 more\.\n$/);
  } finally {
    await there.close();
    await postgres.close();
  }
});

describe("a connection that is lost", () => {
  test.for([
    'insert into "api_keys"',
    'insert into "api_key_tokens"',
    'insert into "api_key_capabilities"',
    'insert into "api_key_events"',
  ])("at %s leaves nothing", async (words) => {
    const proxy = await losingConnectionAt(words);
    try {
      const outcome = await keys(["issue", "--company", companyId, "--name", "CI"], {
        env: { DATABASE_URL: proxy.connectionString },
      });
      expect(outcome).toStrictEqual({ exitCode: 1, stdout: "", stderr: "error: The connection was lost.\n" });
      expect(await rowsOf(companyId)).toStrictEqual([0, 0, 0]);
    } finally {
      proxy.close();
    }
  });

  test("at the commit leaves it open whether there is a key, and no token to use", async () => {
    const proxy = await losingConnectionAt("commit\0");
    try {
      const outcome = await keys(["issue", "--company", companyId, "--name", "CI"], {
        env: { DATABASE_URL: proxy.connectionString },
      });
      expect(outcome).toStrictEqual({
        exitCode: 1,
        stdout: "",
        stderr:
          "error: The database was lost during the commit: whether the change was made is unknown. Look with `list`.\n",
      });
    } finally {
      proxy.close();
    }
  });
});

test("a token that nobody reads is said to be lost, with the key that it was for", async () => {
  const { exitCode, stderr } = await keys(["issue", "--company", companyId, "--name", "CI", "--quiet"], {
    closeStdout: true,
  });
  expect(exitCode).toBe(1);
  const { rows } = await records.pool.query("select id from api_keys where company_id = $1", [companyId]);
  expect(stderr).toBe(
    `error: The token could not be written and is lost; the key ${rows[0].id} stands. Rotate or revoke it.\n`,
  );
});
