// What the commands for keys print, and what they never print.
import { randomUUID } from "node:crypto";
import { eq } from "drizzle-orm";
import { describe, expect, onTestFinished, test } from "vitest";
import { follows, selectKeys } from "../../src/cli/keys/read.ts";
import { apiKeys, apiKeyTokens } from "../../src/worker/resources/api-key/table.ts";
import { readsOf } from "../support/plan.ts";
import { sha256, useRecords } from "../support/records.ts";
import { expectError, keys, keysJson, lines, masked } from "./command.ts";

const records = useRecords();

const FAR = new Date("2099-12-31T23:59:59.999Z");
const PAST = new Date("2025-01-31T00:00:00.000Z");

/** Makes a company with a key in every state. */
async function createKeys() {
  const companyId = await records.company();
  const { id: applicationId } = await records.application(companyId, { name: "my-app" });
  const key = (name: string, day: number, values: Parameters<typeof records.key>[1] = {}) => {
    const at = new Date(Date.UTC(2025, 0, day));
    return records.key(companyId, { name, createdAt: at, updatedAt: at, ...values });
  };
  const live = await key("live", 1, { resourceId: applicationId, expiresAt: FAR });
  const rotating = await key("rotating", 2, { lastUsedAt: PAST });
  const second = await records.token(rotating.id, FAR);
  const disabled = await key("disabled", 3, { isEnabled: false });
  const expired = await key("expired", 4, { expiresAt: PAST });
  const spent = await key("spent", 5);
  const revoked = await key("revoked", 6, { permissions: [], lastUsedAt: PAST });
  // Tokens that were created in the same millisecond have no order.
  const isFirst = eq(apiKeyTokens.hash, sha256(rotating.token));
  await records.db.update(apiKeyTokens).set({ createdAt: PAST, lastUsedAt: PAST }).where(isFirst);
  await records.db.update(apiKeyTokens).set({ expiresAt: PAST }).where(eq(apiKeyTokens.apiKeyId, spent.id));
  await records.db.delete(apiKeyTokens).where(eq(apiKeyTokens.apiKeyId, revoked.id));
  return { companyId, applicationId, live, rotating, second, disabled, expired, spent, revoked };
}

test("list prints a line for each key, the oldest first, and one for each further token", async () => {
  const all = await createKeys();
  const { exitCode, stdout, stderr } = await keys(`list --company ${all.companyId}`);
  expect([exitCode, stderr]).toStrictEqual([0, ""]);
  const row = ({ id, token }: { id: string; token: string }, name: string, state: string, expires: string) => {
    return [id, "A company", name, state, masked(token), expires, "never"];
  };
  expect(lines(stdout).map((line) => line.split(/ {2,}/))).toStrictEqual([
    ["ID", "COMPANY", "NAME", "STATE", "TOKEN", "EXPIRES", "LAST USED"],
    row(all.live, "live", "live", "2099-12-31 23:59 UTC"),
    row(all.rotating, "rotating", "rotating", "never").with(-1, "2025-01-31 00:00 UTC"),
    ["", masked(all.second), "2099-12-31 23:59 UTC", "never"],
    row(all.disabled, "disabled", "disabled", "never"),
    row(all.expired, "expired", "expired", "2025-01-31 00:00 UTC"),
    row(all.spent, "spent", "expired", "2025-01-31 00:00 UTC"),
    row(all.revoked, "revoked", "revoked", "never").with(4, "none").with(-1, "2025-01-31 00:00 UTC"),
  ]);
  // Without --company, it lists the keys of all companies.
  const other = await records.key(await records.company());
  const { stdout: everything } = await keys("list --limit 1000000");
  for (const { id } of [all.live, other]) expect(everything).toContain(id);
});

test("show prints all details of a key, and list --json the same as an object", async () => {
  const { companyId, applicationId, live, rotating, second, spent } = await createKeys();
  const today = "(now() at time zone 'UTC')::date";
  const written = `insert into api_key_writes values ($1, ${today} - 1, 7), ($2, ${today}, 1234)`;
  await records.pool.query(written, [live.id, rotating.id]);
  expect(lines((await keys(`show ${live.id}`)).stdout)).toStrictEqual([
    `id         ${live.id}`,
    `company    A company (${companyId})`,
    "name       live",
    "state      live",
    `token      ${masked(live.token)}  never used`,
    `may        APP:READ of my-app (${applicationId})`,
    "expires    2099-12-31T23:59:59.999Z",
    "last used  never",
    "written    0 bytes today (UTC)",
    "created    2025-01-01T00:00:00.000Z",
    "updated    2025-01-01T00:00:00.000Z",
    "history    none",
  ]);
  expect(lines((await keys(`show ${rotating.id}`)).stdout).slice(4, 10)).toStrictEqual([
    `token      ${masked(rotating.token)}  last used 2025-01-31T00:00:00.000Z`,
    `           ${masked(second)}  until 2099-12-31T23:59:59.999Z  never used`,
    "may        APP:READ of all applications",
    "expires    never",
    "last used  2025-01-31T00:00:00.000Z",
    "written    1234 bytes today (UTC)",
  ]);
  expect((await keys(`show ${spent.id}`)).stdout).toContain("  expired 2025-01-31T00:00:00.000Z  never used\n");
  const created_at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const unused = { masked_token: masked(live.token), is_expired: false, expires_at: null, last_used_at: null };
  const list: object[] = await keysJson(`list --company ${companyId}`);
  expect(list[0]).toStrictEqual({
    ...{ id: live.id, company: { id: companyId, name: "A company" }, name: "live", state: "live" },
    tokens: [{ ...unused, created_at }],
    capabilities: [{ permission: "APP:READ", resource_id: applicationId, resource_name: "my-app" }],
    ...{ history: [], expires_at: "2099-12-31T23:59:59.999Z", last_used_at: null, bytes_written_today: 0 },
    ...{ created_at: "2025-01-01T00:00:00.000Z", updated_at: "2025-01-01T00:00:00.000Z" },
  });
  expect(await keysJson(`show ${live.id.toUpperCase()}`)).toStrictEqual(list[0]);
  expect(list).toMatchObject([{}, { tokens: [{}, {}] }, {}, {}, { tokens: [{ is_expired: true }] }, { tokens: [] }]);
});

/** Reads all pages of a list, each after the last key of the page before. @returns the ids on each page */
async function readPages(options: string): Promise<string[][]> {
  const pages: string[][] = [];
  for (let after = "", hasMore = true; hasMore; ) {
    const { exitCode, stdout, stderr } = await keys(`list --json ${options}${after}`);
    const page = JSON.parse(stdout).map(({ id }: { id: string }) => id);
    pages.push(page);
    after = ` --after ${page.at(-1)}`;
    hasMore = stderr !== "";
    expect([exitCode, stderr]).toStrictEqual([0, hasMore ? `There are more keys: add${after}\n` : ""]);
  }
  return pages;
}

test("list goes on after the last key of a page, and says whether there are more", async () => {
  const companyIds = [await records.company(), await records.company()].sort();
  const ids: string[][] = [];
  for (const companyId of companyIds) {
    // The second and the third are of one age.
    const days = [3, 2, 2, 1].map((day) => records.key(companyId, { createdAt: new Date(Date.UTC(2025, 0, day)) }));
    const [third, a, b, first] = (await Promise.all(days)).map(({ id }) => id) as [string, string, string, string];
    ids.push([first, ...[a, b].sort(), third]);
  }
  const [mine = [], others = []] = ids;
  expect(await readPages(`--company ${companyIds[0]} --limit 3`)).toStrictEqual([mine.slice(0, 3), mine.slice(3)]);
  expect(await readPages(`--company ${companyIds[0]} --limit 4`)).toStrictEqual([mine]);
  const everything = (await readPages("--limit 20")).flat();
  expect(everything.filter((id) => ids.flat().includes(id))).toStrictEqual([...mine, ...others]);
  expect(new Set(everything).size).toBe(everything.length);
  const { stdout, stderr } = await keys(`list --company ${companyIds[0]} --limit 1`);
  expect([lines(stdout).length, stderr]).toStrictEqual([2, `There are more keys: add --after ${mine[0]}\n`]);
  const end = await keys(`list --company ${companyIds[0]} --after ${mine[3]}`);
  expect(end).toStrictEqual({ exitCode: 0, stdout: "", stderr: "There are no more keys.\n" });
});

test("list refuses to go on after a key that there is not, and a page of nothing", async () => {
  const id = randomUUID();
  expectError(await keys(`list --after ${id}`), 1, `There is no key ${id}.`);
  const { id: other } = await records.key(await records.company());
  const companyId = await records.company();
  expectError(
    await keys(`list --company ${companyId} --after ${other}`),
    1,
    `There is no key ${other} of this company.`,
  );
  expectError(await keys("list --limit 0"), 2, "Expected at least 1.");
});

test("a page of keys reads no key that it does not show, however many the company has", async () => {
  const companyIds = [await records.company(), await records.company()];
  await records.pool.query(
    "insert into api_keys (company_id, name, created_at) select company_id, 'Many', '2025-01-01'::timestamptz + n * interval '1 s' from unnest($1::uuid[]) company_id, generate_series(1, 5000) n",
    [companyIds],
  );
  onTestFinished(async () => {
    await records.pool.query("delete from api_keys where company_id = any($1)", [companyIds]);
  });
  await records.pool.query("vacuum analyze api_keys");
  const [companyId = ""] = companyIds;
  const last = { companyId, createdAt: new Date("2025-01-01T01:00:00Z"), id: randomUUID() };
  const blocks = [];
  for (const condition of [
    undefined,
    eq(apiKeys.companyId, companyId),
    follows(last, undefined),
    follows(last, companyId),
  ]) {
    const query = selectKeys(records.db, condition).limit(50).toSQL();
    const reads = await readsOf(records.pool, "api_keys", query);
    expect([query.sql, reads.rows]).toStrictEqual([query.sql, [50]]);
    blocks.push(reads.blocks);
  }
  // Nor does it pass over those before the page, 3,600 of them in the index.
  expect(Math.max(...blocks)).toBeLessThan(Math.min(...blocks) + 10);
});

test("list says that a company has no keys, and prints an empty list as JSON", async () => {
  const companyId = await records.company();
  const outcome = { exitCode: 0, stdout: "", stderr: "There are no keys.\n" };
  expect(await keys(`list --company ${companyId}`)).toStrictEqual(outcome);
  expect((await keys(`list --company ${companyId} --json`)).stdout).toBe("[]\n");
});

test("control characters in names are written out, except in JSON", async () => {
  const name = "\u001b[31mred\u001b[0m\r\n\u202efake 🚀";
  const companyId = await records.company(name);
  const { id } = await records.key(companyId, { name });
  const written = "\\u{001b}[31mred\\u{001b}[0m\\u{000d}\\u{000a}\\u{202e}fake 🚀";
  const { stdout } = await keys(`show ${id}`);
  expect(lines(stdout).slice(1, 3)).toStrictEqual([`company    ${written} (${companyId})`, `name       ${written}`]);
  const short = `${[...written].slice(0, 31).join("")}…`;
  const [_headings, row, ...others] = lines((await keys(`list --company ${companyId}`)).stdout);
  expect([row, others]).toStrictEqual([expect.stringContaining(`  ${short}  ${short}  live  `), []]);
  expect((await keysJson(`show ${id}`)).name).toBe(name);
  expectError(
    await keys(["issue", "--company", companyId, "--name", "CI", "--application", "\u001b"]),
    2,
    "'\\u{001b}'",
  );
});

describe("a token", () => {
  /** Expects neither the token's hash nor the digits between its ends. */
  function expectSecret(token: string, output: string): void {
    expect(output).toContain(token.slice(0, 6));
    expect(output).not.toContain(token.slice(8, -4));
    expect(output).not.toContain(sha256(token));
  }

  /** The tables that contain these words in any column of any type. */
  async function tablesWith(words: string): Promise<string[]> {
    const { rows } = await records.pool.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(7);
    const statements = rows.map(({ name }) => `select '${name}' as name from ${name} t where strpos(t::text, $1) > 0`);
    const found = await records.pool.query<{ name: string }>(statements.join(" union "), [words]);
    return found.rows.map(({ name }) => name);
  }

  test("is in no table of the database, and in no output but the first", async () => {
    const companyId = await records.company();
    const issued = await keys(`issue --company ${companyId} --name CI --json`);
    const { id, token: first } = JSON.parse(issued.stdout) as { id: string; token: string };
    const rotated = await keys(`rotate ${id} --json`);
    const { token: second } = JSON.parse(rotated.stdout) as { token: string };
    const outputs = [issued.stderr + rotated.stderr];
    const list = `list --company ${companyId}`;
    for (const args of [list, `${list} --json`, `show ${id}`, `disable ${id} --yes --json`, `enable ${id}`]) {
      const { exitCode, stdout, stderr } = await keys(args);
      expect(exitCode).toBe(0);
      outputs.push(stdout + stderr);
    }
    for (const token of [first, second]) {
      for (const output of outputs) expectSecret(token, output);
      const digits = token.slice("svl_".length);
      for (const part of [digits, digits.slice(4, -4)]) expect(await tablesWith(part)).toStrictEqual([]);
      // A control: the search finds what is there.
      expect(await tablesWith(masked(token))).toStrictEqual(["public.api_key_tokens"]);
      expect(await tablesWith(sha256(token))).toStrictEqual(["public.api_key_tokens"]);
    }
  });

  const MISPLACED = ["show TOKEN", "revoke --yes TOKEN", "issue --name CI --company TOKEN"];
  test.for(MISPLACED)("is not repeated when it is typed in the wrong place: %s", async (args) => {
    const { token } = await records.key(await records.company());
    const { exitCode, stdout, stderr } = await keys(args.replace("TOKEN", token));
    expect([exitCode === 0, stdout]).toStrictEqual([false, ""]);
    expectSecret(token, stderr);
  });
});

test.for<[string, string[]]>([
  ["--help", ["issue", "list", "show", "rotate", "disable", "enable", "revoke", "A key in JSON:", "Exit codes:"]],
  ["issue --help", ["--company", "--permission", "--application", "--expires", "--quiet"]],
  ["rotate --help", ["--overlap", "0 to 168h", "(default: 24h)", "--purge-url", "5 live tokens"]],
  ["revoke --help", ["deleted", "stays in the list", "--yes", "--purge-url"]],
  ["help list", ["--company", "--json", "from the edge's cache\nare not counted", "up to 1 h later"]],
])("%s prints the help on stdout", async ([args, expected]) => {
  const { exitCode, stdout, stderr } = await keys(args);
  expect([exitCode, stderr]).toStrictEqual([0, ""]);
  for (const words of expected) expect(stdout).toContain(words);
});

test("without a command, the help is on stderr; it names every field of a key, and no other", async () => {
  const { id } = await records.key(await records.company());
  await keys(`rotate ${id}`);
  const fields = new Set<string>();
  JSON.parse((await keys(`show ${id} --json`)).stdout, (name) => void (/[a-z]/.test(name) && fields.add(name)));
  const { exitCode, stdout, stderr } = await keys([]);
  expect([exitCode, stdout]).toStrictEqual([2, ""]);
  const shape = stderr.slice(stderr.indexOf("A key in JSON:"), stderr.indexOf("The database is"));
  for (const field of fields) expect(shape).toContain(field);
  for (const [name] of shape.matchAll(/\b[a-z]+_[a-z_]+\b/g)) expect([...fields]).toContain(name);
});
