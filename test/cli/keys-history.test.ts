// What stays of who has done what to a key, and when.
import { hostname, userInfo } from "node:os";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { Key } from "../../src/cli/keys/read.ts";
import { openRecords, type Records } from "../support/records.ts";
import { keys, lines, losingConnectionAt } from "./command.ts";

let records: Records;
let role: string;
beforeAll(async () => {
  records = await openRecords(inject("connectionString"));
  role = (await records.pool.query("select session_user as role")).rows[0].role;
});
afterAll(() => records.close());

const show = async (id: string): Promise<Key> => JSON.parse((await keys(["show", id, "--json"])).stdout);
const eventsOf = async (id: string) => (await show(id)).history.map(({ event }) => event);

test("all that was done to a key is told after its end, by whom and when", async () => {
  const companyId = await records.company();
  const begin = new Date().toISOString();
  const issued = JSON.parse((await keys(["issue", "--company", companyId, "--name", "CI", "--json"])).stdout) as Key;
  for (const args of [["rotate"], ["disable", "--yes"], ["enable"], ["revoke", "--yes"]]) {
    expect((await keys([String(args[0]), issued.id, ...args.slice(1)])).exitCode).toBe(0);
  }
  const { state, history } = await show(issued.id);
  expect(state).toBe("revoked");
  expect(history[0]).toStrictEqual(issued.history[0]);
  expect(history.map(({ event }) => event)).toStrictEqual(["issued", "rotated", "disabled", "enabled", "revoked"]);
  const me = `${userInfo().username}@${hostname()} as ${role}`;
  for (const { made_by } of history) expect(made_by).toBe(me);
  const times = [begin, ...history.map(({ created_at }) => created_at), new Date().toISOString()];
  expect(times).toStrictEqual(times.toSorted());
  const { stdout } = await keys(["show", issued.id]);
  expect(lines(stdout).slice(-5)).toStrictEqual(
    history.map(
      ({ event, created_at }, index) => `${index === 0 ? "history" : "       "}    ${created_at}  ${event} by ${me}`,
    ),
  );
  const { rows } = await records.pool.query("select company_id from api_key_events where api_key_id = $1", [issued.id]);
  expect(rows.map(({ company_id }) => company_id)).toStrictEqual(Array(5).fill(companyId));
});

test("a workflow of GitHub names the account that started it, and no terminal is tricked by it", async () => {
  const { id } = await records.key(await records.company());
  await keys(["revoke", id, "--yes"], { env: { GITHUB_ACTOR: "octo\u001b[31mcat" } });
  expect((await show(id)).history).toMatchObject([{ made_by: `octo\u001b[31mcat (GitHub Actions) as ${role}` }]);
  expect((await keys(["show", id])).stdout).toContain(
    `  revoked by octo\\u{001b}[31mcat (GitHub Actions) as ${role}\n`,
  );
});

test("what changes nothing leaves nothing, and no key has the history of another", async () => {
  const companyId = await records.company();
  const [key, other] = [await records.key(companyId), await records.key(companyId)];
  await keys(["enable", key.id]);
  expect(await eventsOf(key.id)).toStrictEqual([]);
  for (let n = 0; n < 2; n++) await keys(["revoke", key.id, "--yes"]);
  await keys(["rotate", key.id]);
  expect(await eventsOf(key.id)).toStrictEqual(["revoked"]);
  expect(await eventsOf(other.id)).toStrictEqual([]);
});

describe("a change whose record is lost is none", () => {
  test.for([["rotate"], ["disable", "--yes"], ["revoke", "--yes"]] as const)("%s", async ([command, ...options]) => {
    const { id } = await records.key(await records.company());
    const before = await show(id);
    const proxy = await losingConnectionAt('insert into "api_key_events"');
    try {
      const outcome = await keys([command, id, ...options], { env: { DATABASE_URL: proxy.connectionString } });
      expect(outcome).toStrictEqual({ exitCode: 1, stdout: "", stderr: "error: The connection was lost.\n" });
    } finally {
      proxy.close();
    }
    expect(await show(id)).toStrictEqual(before);
  });
});
