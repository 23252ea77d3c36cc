import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { findCompany, type Key } from "../../src/cli/keys/read.ts";
import { companies } from "../../src/worker/resources/company/table.ts";
import { sha256, useRecords } from "../support/records.ts";
import { expectError, keys, keysJson, losingConnectionAt, masked } from "./command.ts";

const records = useRecords();

const keysOf = (companyId: string): Promise<Key[]> => keysJson(`list --company ${companyId}`);

test("issue prints the token, stores only its hash and its ends, and lets the key read all applications", async () => {
  const companyId = await records.company();
  const { exitCode, stdout, stderr } = await keys(`issue --company ${companyId} --name CI`);
  expect([exitCode, stdout]).toStrictEqual([0, expect.stringMatching(/^svl_[0-9a-f]{64}\n$/)]);
  const token = stdout.trim();
  expect(stderr).not.toContain(token.slice(8, -4));
  expect(stderr).toContain(`token      ${masked(token)}  never used\n`);
  const { rows } = await records.pool.query(
    `select k.name, k.is_enabled, k.expires_at, encode(t.hash, 'hex') as hash, t.masked, t.expires_at as token_expires_at,
       c.permission, c.resource_id
     from api_keys k join api_key_tokens t on t.api_key_id = k.id join api_key_capabilities c on c.api_key_id = k.id
     where k.company_id = $1`,
    [companyId],
  );
  const unlimited = { is_enabled: true, expires_at: null, token_expires_at: null, resource_id: null };
  const stored = { hash: sha256(token), masked: masked(token) };
  expect(rows).toStrictEqual([{ ...unlimited, ...stored, name: "CI", permission: "APP:READ" }]);
});

test("issue finds a company by its name, takes a name of 255 characters, and gives each key its own token", async () => {
  const company = `Company "${randomUUID()}"; --`;
  const companyId = await records.company(company);
  const args = ["issue", "--company", company, "--name", "🚀".repeat(255), "--quiet"];
  const issued = await Promise.all([keys(args), keys(args), keys(args)]);
  expect(issued).toStrictEqual(Array(3).fill({ exitCode: 0, stdout: expect.stringMatching(/^svl_/), stderr: "" }));
  expect(new Set(issued.map(({ stdout }) => stdout)).size).toBe(3);
  expect(await keysOf(companyId)).toHaveLength(3);
});

test("issue grants each named permission for each named application once", async () => {
  const companyId = await records.company();
  const [{ id: one }, { id: two }] = [await records.application(companyId), await records.application(companyId)];
  const options = `--permission APP:CREATE APP:READ APP:READ --application ${one} ${two} ${one.toUpperCase()}`;
  const { capabilities }: Key = await keysJson(`issue --company ${companyId} --name CI ${options}`);
  expect(capabilities.map(({ permission, resource_id }) => `${permission} ${resource_id}`).toSorted()).toStrictEqual(
    [`APP:CREATE ${one}`, `APP:CREATE ${two}`, `APP:READ ${one}`, `APP:READ ${two}`].toSorted(),
  );
});

test("issue sets an expiry date, or a time after the key's creation", async () => {
  const issue = `issue --company ${await records.company()} --name CI --expires`;
  for (const end of ["2099-01-31T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]) {
    expect((await keysJson(`${issue} ${end}`)).expires_at).toBe(end);
  }
  const { expires_at, created_at } = await keysJson(`${issue} 90d`);
  expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(90 * 86_400_000);
});

describe("issue refuses in one line and changes nothing:", () => {
  let companyId: string;
  /** Ids by their names in the table below. */
  const ids: Record<string, string> = { nothing: randomUUID() };
  beforeAll(async () => {
    companyId = await records.company();
    ids.mine = (await records.application(companyId)).id;
    ids.theirs = (await records.application(await records.company())).id;
  });

  test.for<[string[], number, string]>([
    [["--company", "nothing"], 1, "There is no company"],
    [["--company", "Nobody's"], 1, 'There is no company "Nobody\'s".'],
    [["--company", "A company"], 1, 'More than one company has the name "A company"'],
    [["--application", "nothing"], 1, 'The company "A company" has no application'],
    [["--application", "theirs"], 1, "has no application"],
    [["--application", "mine", "theirs"], 1, "has no application"],
    [["--application", "my-app"], 2, "Expected an id, a UUID."],
    [["--expires", "2020-01-01"], 1, "The expiry is in the past."],
    [["--expires", "0d"], 1, "The expiry is in the past."],
    [["--expires", "999999w"], 1, "The expiry is after the year 9999"],
    [["--expires", "2099-02-30"], 2, "Expected 90d, 2027-01-31 or"],
    [["--permission", "APP:OWN"], 2, "Allowed choices are APP:READ, APP:CREATE"],
    [["--permission", "APP:READ", "x"], 2, "Allowed choices"],
    [["--name", ""], 2, "Expected 1 to 255 characters."],
    [["--name", "🚀".repeat(256)], 2, "Expected 1 to 255 characters."],
    [["--applications", "mine"], 2, "unknown option '--applications'"],
    [["--json", "word"], 2, "too many arguments"],
  ])("%j", async ([options, exitCode, words]) => {
    const given = options.map((word) => ids[word] ?? word);
    expectError(await keys(["issue", "--company", companyId, "--name", "CI", ...given]), exitCode, words);
    expect(await keysOf(companyId)).toStrictEqual([]);
  });

  test.for(["company", "name"])("no --%s", async (missing) => {
    const other = missing === "name" ? `--company ${companyId}` : "--name CI";
    expectError(await keys(`issue ${other}`), 2, `required option '--${missing} <`);
  });
});

test("an unknown company is answered with the names of at most ten companies", async () => {
  await records.db.transaction(async (tx) => {
    // Hides the table that all tests share.
    await tx.execute(sql`create temporary table companies (like companies including all) on commit drop`);
    const told = () => findCompany(tx, "None").catch(({ message }) => String(message));
    const missing = 'There is no company "None".';
    expect(await told()).toBe(`${missing} There are no companies yet: src/cli/README.md says who writes them.`);
    const id = randomUUID();
    await tx.insert(companies).values({ id, name: "An example" });
    expect(await told()).toBe(`${missing} There is "An example" (${id}).`);
    const others = [..."abcdefghijk"].map((name) => ({ id: randomUUID(), name }));
    await tx.insert(companies).values(others.toReversed());
    const named = others.slice(0, 9).map((other) => `"${other.name}" (${other.id})`);
    expect(await told()).toBe(`${missing} There are "An example" (${id}), ${named.join(", ")} and 2 more.`);
  });
});

test.for([
  ['insert into "api_key_events"', "The connection was lost."],
  ["commit\0", "The database was lost during the commit: whether the change was made is unknown. Look with `list`."],
] as const)("a connection that is lost at %j leaves no key and prints no token", async ([words, message]) => {
  const companyId = await records.company();
  const outcome = await keys(`issue --company ${companyId} --name CI`, { env: await losingConnectionAt(words) });
  expectError(outcome, 1, `error: ${message}\n`);
  expect(await keysOf(companyId)).toStrictEqual([]);
});

test("issue says that the token is lost, and names the key, if nobody reads stdout", async () => {
  const companyId = await records.company();
  const outcome = await keys(`issue --company ${companyId} --name CI --quiet`, { closeStdout: true });
  const { rows } = await records.pool.query("select id from api_keys where company_id = $1", [companyId]);
  const words = `The token could not be written and is lost; the key ${rows[0].id} stands. Rotate or revoke it.`;
  expect([outcome.exitCode, outcome.stderr]).toStrictEqual([1, `error: ${words}\n`]);
});
