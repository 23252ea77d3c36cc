// When a run of the feed polls and purges; test/worker/feed/feed.postgres.test.ts has many runs that meet with trouble.
import { randomUUID } from "node:crypto";
import { afterAll, beforeEach, expect, test } from "vitest";
import { PurgeBudget } from "../../../src/local/cache/purge.ts";
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

/** As a run wrote it that did not count tokens yet. */
const SOMETHING: Memory = {
  drained: "1:1:",
  purged: "2:2:",
  batches: [],
  waitingSince: null,
  polledAt: 0,
  isLost: false,
};
const remember = (memory: Partial<Memory>) =>
  records.pool.query("update feed set memory = $1", [{ ...SOMETHING, ...memory }]);
const change = (kind: string) => records.pool.query("insert into changes (kind) values ($1)", [kind]);
const countChanges = async () => (await records.pool.query("select from changes")).rowCount;
const isHealthy = async () => (await records.pool.query("select healthy_at from feed")).rows[0].healthy_at !== null;

let now = 0;
interface RunOptions {
  seconds?: number;
  success?: boolean;
  reader?: Reader;
  /** The platform's, if it is to count. */
  bucket?: PurgeBudget;
}

/** Runs the feed for so long, or for a moment. @returns what it has asked to purge, each with the second, and how often in vain */
async function run({ seconds = 0.001, success = true, reader = db, bucket }: RunOptions = {}) {
  const purged: [second: number, what: string][] = [];
  let refused = 0;
  const report = await runFeed({
    db: reader,
    purge: async ({ tags, purgeEverything }) => {
      purged.push([now / 1_000, purgeEverything ? "the whole cache" : String(tags)]);
      const isPurged = success && bucket?.spend() === undefined;
      if (!isPurged) refused++;
      return { success: isPurged, errors: [] };
    },
    databaseDeadlineMs: 3_000,
    auditDays: 30,
    durationMs: seconds * 1_000,
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  });
  return { purged, refused, report };
}

/** A database in which a change waits at each poll, made since the poll before. */
function steady(kind: string, memory: Partial<Memory> = {}): Reader {
  let known = { ...SOMETHING, ...memory };
  return {
    query: async (_, values: { memory?: string | null }) => {
      known = JSON.parse(values.memory ?? JSON.stringify(known));
      return [{ lease: { snapshot: "3:3:", memory: known } }, { kind, resourceId: "a", changedAt: 0 }] as never[];
    },
  };
}

const EVERY_TWO = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28];
test.for([
  ["every four seconds", "process", true, [0, 4, 8, 12, 16, 20, 24, 28]],
  ["every two seconds, where they may end somebody's access,", "key", true, EVERY_TWO],
  ["every two seconds, where they are too many to tell,", "everything", true, EVERY_TWO],
  ["every twelve seconds while the platform refuses", "process", false, [0, 12.1, 24.2]],
  ["no more often while the platform refuses, where they may end somebody's access,", "key", false, [0, 12.1, 24.2]],
] as const)("changes that keep coming are purged %s", async ([_, kind, success, expected]) => {
  now = 0;
  const { purged } = await run({ seconds: 30, success, reader: steady(kind) });
  expect(purged.map(([second]) => second)).toStrictEqual(expected);
});

test.for(["process", "key"])(
  "once changes (%s) have spent the platform's bucket, run after run purges them as often as it gains a token",
  async (kind) => {
    now = Date.UTC(2030, 0, 1);
    const bucket = new PurgeBudget(() => now);
    const reader = steady(kind);
    const seconds: number[] = [];
    for (let n = 0; n < 10; n++) {
      const { purged, refused } = await run({ seconds: 60, bucket, reader });
      seconds.push(...purged.map(([second]) => second));
      expect(refused).toBe(0);
    }
    const intervals = seconds.slice(1).map((second, n) => second - (seconds[n] as number));
    expect(intervals.slice(0, 20).every((interval) => interval <= 4)).toBe(true);
    expect(intervals.slice(-20)).toStrictEqual(Array(20).fill(12));
  },
);

test.for([
  ["waits for four seconds for others", 0.5, 4.5],
  ["waits until the last purge is five seconds ago", 3, 5],
  ["does not wait after a quiet time", 6, 6],
] as const)("a change %s", async ([_, madeAtSecond, expected]) => {
  now = madeAtSecond * 1_000;
  const reader = steady("process", { polledAt: now, bucket: { fullAt: 12_000, spentAt: 0 } });
  const { purged } = await run({ seconds: 10, reader });
  expect(purged[0]?.[0]).toBe(expected);
});

test.for([
  ["a change", "process", 12],
  ["a change that may end somebody's access", "key", 0],
] as const)(
  "with two tokens left in the platform's bucket, %s (%s) is purged after %i seconds",
  async ([_, kind, expected]) => {
    now = 0;
    const reader = steady(kind, { bucket: { fullAt: 23 * 12_000, spentAt: 0 } });
    expect((await run({ seconds: 20, reader })).purged[0]?.[0]).toBe(expected);
  },
);

test("where others have spent the platform's bucket, one purge is refused, and the next waits for a token", async () => {
  now = 0;
  const bucket = new PurgeBudget(() => now);
  while (bucket.spend() === undefined);
  const { purged, refused } = await run({ seconds: 30, bucket, reader: steady("process") });
  expect(purged.map(([second]) => second)).toStrictEqual([0, 12.1, 24.1]);
  expect(refused).toBe(1);
});

test("a run waits for the token that the run before was refused", async () => {
  now = 0;
  await remember({});
  await change("key");
  await run({ success: false });
  expect((await run({ seconds: 20 })).purged[0]?.[0]).toBe(12.1);
});

test("one run polls at a time, until it has been silent for ten seconds", async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  const polls = async (holder: string) => (await pollChanges(db, holder, null, true)) !== undefined;
  expect([await polls(first), await polls(second), await polls(first)]).toStrictEqual([true, false, true]);
  await records.pool.query("update feed set leased_until = leased_until - interval '10 seconds'");
  expect([await polls(second), await polls(first)]).toStrictEqual([true, false]);
  // A lease is no longer than that.
  await records.pool.query("update feed set leased_until = now() + interval '1 hour'");
  expect([await polls(first), await polls(second)]).toStrictEqual([true, false]);
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
  expect(await run({ seconds: 10, reader: failing })).toMatchObject({ purged: [], report: undefined });
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
