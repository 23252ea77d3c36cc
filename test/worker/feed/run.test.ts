// When a run of the feed polls and purges; test/worker/feed/feed.postgres.test.ts has many runs that meet with trouble.
import { randomUUID } from "node:crypto";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { Reader } from "../../../src/worker/db/client.ts";
import { runFeed } from "../../../src/worker/feed/index.ts";
import { type Memory, pollChanges } from "../../../src/worker/feed/query.ts";
import { useRecords } from "../../support/records.ts";

const records = useRecords();
const db: Reader = {
  query: async ({ text, bind }, values) => (await records.pool.query(text, bind(values))).rows as never[],
};
const forget = async () => {
  await records.pool.query("delete from changes");
  await records.pool.query("update feed set healthy_at = null, leased_until = null, memory = default");
};
beforeEach(forget);
afterAll(forget);

const SOMETHING = { drained: "1:1:", purged: "2:2:", batches: [], waitingSince: null, polledAt: 0, isLost: false };
const remember = (memory: Partial<Memory>) =>
  records.pool.query("update feed set memory = $1", [{ ...SOMETHING, ...memory }]);
const change = (kind: string) => records.pool.query("insert into changes (kind) values ($1)", [kind]);
const countChanges = async () => (await records.pool.query("select from changes")).rowCount;
const isHealthy = async () => (await records.pool.query("select healthy_at from feed")).rows[0].healthy_at !== null;

let now = 0;
/** Runs the feed for so long, or for a moment. @returns what it has purged, each with the second */
async function run({ seconds = 0.001, success = true, reader = db } = {}) {
  const purged: [second: number, what: string][] = [];
  const report = await runFeed({
    db: reader,
    purge: async ({ tags, purgeEverything }) => {
      purged.push([now / 1_000, purgeEverything ? "the whole cache" : String(tags)]);
      return { success, errors: [] };
    },
    databaseDeadlineMs: 3_000,
    durationMs: seconds * 1_000,
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  });
  return { purged, report };
}

const EVERY_TWO = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28];
test.for([
  ["every four seconds", "process", 1, true, [0, 4, 8, 12, 16, 20, 24, 28]],
  ["every two seconds, where they may end somebody's access,", "key", 1, true, EVERY_TWO],
  ["every two seconds, where they are too many to tell,", "process", 5_001, true, EVERY_TWO],
  ["every twelve seconds while the platform refuses", "key", 1, false, [0, 12, 24]],
] as const)("changes that keep coming are purged %s", async ([_, kind, count, success, expected]) => {
  now = 0;
  const one = { kind, resourceId: "a", changedAt: 0 };
  const rows = [{ lease: { snapshot: "3:3:", memory: SOMETHING } }, ...Array(count).fill(one)];
  const { purged } = await run({ seconds: 30, success, reader: { query: async () => rows as never[] } });
  expect(purged.map(([second]) => second)).toStrictEqual(expected);
});

test("one run polls at a time, until it has been silent for ten seconds", async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  const polls = async (holder: string) => (await pollChanges(db, holder, null, true)) !== undefined;
  expect([await polls(first), await polls(second), await polls(first)]).toStrictEqual([true, false, true]);
  await records.pool.query("update feed set leased_until = leased_until - interval '10 seconds'");
  expect([await polls(second), await polls(first)]).toStrictEqual([true, false]);
});

test("a change is purged at once and once more 8 seconds later, by whichever run comes then, and deleted", async () => {
  now = 0;
  await remember({});
  await change("resource-type-list");
  const purged = [];
  for (let n = 0; n < 5; n++) {
    purged.push(...(await run()).purged);
    expect(await countChanges()).toBe(n < 4 ? 1 : 0);
  }
  expect(purged).toStrictEqual([
    [0, "resource-type-list:every"],
    [8, "resource-type-list:every"],
  ]);
});

test("what had not committed when a poll looked is neither taken for purged nor deleted", async () => {
  now = 0;
  await remember({ drained: "7:9:7", purged: "7:9:7" });
  for (const [kind, xid] of [
    ["company", 6],
    ["resource-type-list", 7],
    ["company", 8],
  ]) {
    await records.pool.query("insert into changes (kind, xid) values ($1, $2)", [kind, String(xid)]);
  }
  expect((await run()).purged).toStrictEqual([[0, "resource-type-list:every"]]);
  expect((await records.pool.query("select kind from changes")).rows).toStrictEqual([{ kind: "resource-type-list" }]);
});

test("more than 5,000 changes are purged with everything, twice, and deleted", async () => {
  now = 0;
  await remember({});
  await records.pool.query(
    "insert into changes (kind, resource_id) select 'process', gen_random_uuid() from generate_series(1, 5001)",
  );
  expect((await run({ seconds: 20 })).purged).toStrictEqual([
    [0, "the whole cache"],
    [8, "the whole cache"],
  ]);
  expect(await countChanges()).toBe(0);
});

test("a database that was restored, and counts its transactions anew, has everything purged", async () => {
  now = 0;
  const later = "9000000000";
  await remember({ purged: `${later}:${later}:` });
  await records.pool.query("insert into changes (kind, xid) values ('company', $1)", [later]);
  expect((await run({ seconds: 20 })).purged).toStrictEqual([
    [0, "the whole cache"],
    [8, "the whole cache"],
  ]);
  expect(await countChanges()).toBe(0);
});

test.for([
  ["stands still while a change has waited for more than a minute", 61_000, false, false],
  ["goes on when it is purged", 61_000, true, true],
  ["goes on for a minute", 57_000, false, true],
] as const)("the heartbeat %s", async ([_, waitedMs, success, expected]) => {
  now = 100_000;
  await remember({ waitingSince: now - waitedMs });
  await change("everything");
  const { report } = await run({ seconds: 3, success });
  expect(await isHealthy()).toBe(expected);
  expect(report?.oldestChangeSeconds).toBe((waitedMs + (success ? 0 : 2_000)) / 1_000);
});

test("a change has not waited for longer than since the last poll, however long its transaction took", async () => {
  now = Date.now();
  await remember({ polledAt: now - 2_000 });
  await records.pool.query("insert into changes (kind, changed_at) values ('company', now() - interval '1 hour')");
  expect((await run()).report?.oldestChangeSeconds).toBe(2);
});

test.for([
  ["a second purge is overdue", { batches: [{ snapshot: "2:2:", seenAt: 0, chains: [["company:a", "everything"]] }] }],
  ["everything has to be purged", { isLost: true }],
] as const)("the heartbeat stands still where %s for more than a minute", async ([_, memory]) => {
  now = 0;
  await remember(memory as Partial<Memory>);
  await run({ seconds: 80, success: false });
  await records.pool.query("update feed set healthy_at = null");
  const { report } = await run({ seconds: 20, success: false });
  expect(await isHealthy()).toBe(false);
  expect(report?.oldestChangeSeconds).toBeGreaterThan(60);
});

test("the heartbeat goes on where a change that has waited is no more", async () => {
  now = 100_000;
  await remember({ waitingSince: 0 });
  expect((await run({ seconds: 5 })).report).toStrictEqual({ oldestChangeSeconds: 0 });
  expect(await isHealthy()).toBe(true);
});

test("a run whose turn it never was has nothing to report", async () => {
  await pollChanges(db, randomUUID(), null, true);
  expect((await run()).report).toBeUndefined();
});

test("nothing is purged as long as a restore may not have been noticed", async () => {
  await change("company");
  const failing: Reader = {
    query: (statement, ...rest) =>
      statement.text.includes("restored") ? Promise.reject(new Error("away")) : db.query(statement, ...rest),
  };
  expect(await run({ seconds: 10, reader: failing })).toStrictEqual({ purged: [], report: undefined });
});

test("a change is told with the company that has its application now", async () => {
  const [companyId, otherId] = [await records.company(), await records.company()];
  const { id } = await records.application(companyId);
  await forget();
  await records.pool.query("insert into changes (kind, application_id, company_id) values ('process', $1, $2)", [
    id,
    otherId,
  ]);
  const poll = await pollChanges(db, randomUUID(), null, true);
  expect(poll?.changes).toMatchObject([{ applicationId: id, companyId: otherId, ownerId: companyId }]);
});
