// What a change does to a key, what it leaves as it was, and what stays of who has made it, and when.
import { hostname, userInfo } from "node:os";
import { beforeAll, describe, expect, test } from "vitest";
import type { Key } from "../../src/cli/keys/read.ts";
import { useRecords } from "../support/records.ts";
import { keys, keysJson, lines, losingConnectionAt } from "./command.ts";

const records = useRecords();
let role: string;
beforeAll(async () => {
  role = (await records.pool.query("select session_user as role")).rows[0].role;
});

const show = (id: string): Promise<Key> => keysJson(`show ${id}`);
const CHANGES = ["rotate", "disable --yes", "enable", "revoke --yes"];

/** Makes a change. @returns stderr's lines */
async function change(words: string, id: string): Promise<string[]> {
  const { exitCode, stderr } = await keys(`${words} ${id}`);
  expect(exitCode, stderr).toBe(0);
  return lines(stderr);
}

test("all that was done to a key is told after its end, by whom and when, and of no other", async () => {
  const companyId = await records.company();
  const other = await records.key(companyId);
  const before = await show(other.id);
  const begin = new Date().toISOString();
  const issued: Key = await keysJson(`issue --company ${companyId} --name CI`);
  for (const words of CHANGES) await change(words, issued.id);
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

test("a workflow of GitHub names the account that started it, and no terminal is tricked by it", async () => {
  const { id } = await records.key(await records.company());
  await keys(`revoke ${id} --yes`, { env: { GITHUB_ACTOR: "octo\u001b[31mcat" } });
  expect((await show(id)).history).toMatchObject([{ made_by: `octo\u001b[31mcat (GitHub Actions) as ${role}` }]);
  const { stdout } = await keys(`show ${id}`);
  expect(stdout).toContain(`  revoked by octo\\u{001b}[31mcat (GitHub Actions) as ${role}\n`);
});

test.for([
  ["enable", "enable", "The key was enabled before."],
  ["disable --yes", "disable --yes", "The key was disabled before."],
  ["revoke --yes", "revoke --yes", "The key was revoked before."],
] as const)("%s where it is so already changes nothing", async ([words, before, told]) => {
  const { id } = await records.key(await records.company());
  await change(before, id);
  const state = await show(id);
  expect((await change(words, id))[0]).toBe(told);
  expect(await show(id)).toStrictEqual(state);
});

const createdAt = new Date("2025-01-01T00:00:00Z");

describe.for(CHANGES.map((words) => [words]))("%s", ([words = ""]) => {
  test("is seen in updated_at, and no change if its record is lost", async () => {
    const isEnabled = words !== "enable";
    const { id } = await records.key(await records.company(), { isEnabled, createdAt, updatedAt: createdAt });
    const before = await show(id);
    const env = await losingConnectionAt('insert into "api_key_events"');
    const stderr = "error: The connection was lost.\n";
    expect(await keys(`${words} ${id}`, { env })).toStrictEqual({ exitCode: 1, stdout: "", stderr });
    expect(await show(id)).toStrictEqual(before);
    await change(words, id);
    const { updated_at, history } = await show(id);
    expect(Date.parse(updated_at)).toBeGreaterThan(createdAt.getTime());
    expect(history).toHaveLength(1);
  });
});
