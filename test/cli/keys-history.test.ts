// The record of who did what to a key, and when.
import { hostname, userInfo } from "node:os";
import { beforeAll, expect, test } from "vitest";
import type { Key } from "../../src/cli/keys/read.ts";
import { useRecords } from "../support/records.ts";
import { expectError, keys, keysJson, lines, losingConnectionAt } from "./command.ts";

const records = useRecords();
let role: string;
beforeAll(async () => {
  role = (await records.pool.query("select session_user as role")).rows[0].role;
});

const show = (id: string): Promise<Key> => keysJson(`show ${id}`);

test("show lists all changes of a revoked key, with their authors and times, and none of another key", async () => {
  const companyId = await records.company();
  const other = await records.key(companyId);
  const before = await show(other.id);
  const begin = new Date().toISOString();
  const issued: Key = await keysJson(`issue --company ${companyId} --name CI`);
  for (const change of ["rotate", "disable --yes", "enable", "revoke --yes"]) {
    expect((await keys(`${change} ${issued.id}`)).exitCode).toBe(0);
  }
  const { state, tokens, capabilities, history } = await show(issued.id);
  expect([state, tokens, capabilities]).toStrictEqual(["revoked", [], issued.capabilities]);
  const me = `${userInfo().username}@${hostname()} as ${role}`;
  expect(history.map(({ event, made_by }) => [event, made_by])).toStrictEqual(
    ["issued", "rotated", "disabled", "enabled", "revoked"].map((event) => [event, me]),
  );
  expect(history[0]).toStrictEqual(issued.history[0]);
  const times = [begin, ...history.map(({ created_at }) => created_at), new Date().toISOString()];
  expect(times).toStrictEqual(times.toSorted());
  expect(lines((await keys(`show ${issued.id}`)).stdout).slice(-5)).toStrictEqual(
    history.map(({ event, created_at }, n) => `${n === 0 ? "history" : "       "}    ${created_at}  ${event} by ${me}`),
  );
  const { rows } = await records.pool.query("select company_id from api_key_events where api_key_id = $1", [issued.id]);
  expect(rows).toStrictEqual(Array(5).fill({ company_id: companyId }));
  expect(await show(other.id)).toStrictEqual(before);
});

test("a GitHub workflow records the account that started it, which show prints without control characters", async () => {
  const { id } = await records.key(await records.company());
  await keys(`revoke ${id} --yes`, { env: { GITHUB_ACTOR: "octo\u001b[31mcat" } });
  expect((await show(id)).history).toMatchObject([{ made_by: `octo\u001b[31mcat (GitHub Actions) as ${role}` }]);
  const { stdout } = await keys(`show ${id}`);
  expect(stdout).toContain(`  revoked by octo\\u{001b}[31mcat (GitHub Actions) as ${role}\n`);
});

test.for([
  ["rotate", "rotating", undefined],
  ["disable --yes", "disabled", "disabled"],
  ["enable", "live", "enabled"],
  ["revoke --yes", "revoked", "revoked"],
] as const)(
  "%s rolls back if its record is lost, sets updated_at, and changes nothing the second time",
  async ([change, state, done]) => {
    const createdAt = new Date("2025-01-01T00:00:00Z");
    const values = { isEnabled: change !== "enable", createdAt, updatedAt: createdAt };
    const { id } = await records.key(await records.company(), values);
    const before = await show(id);
    const env = await losingConnectionAt('insert into "api_key_events"');
    expectError(await keys(`${change} ${id}`, { env }), 1, "error: The connection was lost.\n");
    expect(await show(id)).toStrictEqual(before);
    expect((await keys(`${change} ${id}`)).exitCode).toBe(0);
    const after = await show(id);
    expect([after.state, after.history.length]).toStrictEqual([state, 1]);
    expect(Date.parse(after.updated_at)).toBeGreaterThan(createdAt.getTime());
    if (done === undefined) return;
    const { exitCode, stderr } = await keys(`${change} ${id}`);
    expect([exitCode, lines(stderr)[0]]).toStrictEqual([0, `The key was ${done} before.`]);
    expect(await show(id)).toStrictEqual(after);
  },
);
