// When a run of the feed polls and purges; test/worker/feed/feed.postgres.test.ts has many runs that meet with trouble.
import { randomUUID } from "node:crypto";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { Reader } from "../../../src/worker/db/client.ts";
import { runFeed } from "../../../src/worker/feed/index.ts";
import { pollChanges } from "../../../src/worker/feed/query.ts";
import { useRecords } from "../../support/records.ts";

const records = useRecords();
const db: Reader = {
  query: async ({ text, bind }, values) => (await records.pool.query(text, bind(values))).rows as never[],
};
const forget = async () => {
  await records.pool.query("delete from changes");
  await records.pool.query("update feed set healthy_at = null, leased_until = null");
};
beforeEach(forget);
afterAll(forget);

test.for([
  ["every four seconds while the platform takes them", true, [0, 4, 8, 12, 16, 20, 24, 28]],
  ["every twelve while it refuses", false, [0, 12, 24]],
] as const)("changes that keep coming are purged %s", async ([_, success, expected]) => {
  let now = 0;
  const [purgedAt, told]: [number[], string[]] = [[], []];
  await runFeed({
    db: {
      query: async (_, values) => {
        told.push(JSON.stringify(values));
        return [{ id: null }, { id: success ? String(now) : "1", kind: "everything" }] as never[];
      },
    },
    purge: async () => ({ success: purgedAt.push(now / 1_000) > 0 && success, errors: [] }),
    databaseDeadlineMs: 3_000,
    durationMs: 30_000,
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  });
  expect(purgedAt).toStrictEqual(expected);
  // What is refused is not done.
  expect(told.filter((values) => values.includes("{1}"))).toStrictEqual([]);
});

test("one run polls at a time, until it has been silent for ten seconds", async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  const poll = (holder: string) => pollChanges(db, holder, []);
  expect([await poll(first), await poll(second), await poll(first)]).toStrictEqual([[], undefined, []]);
  await records.pool.query("update feed set leased_until = leased_until - interval '10 seconds'");
  expect([await poll(second), await poll(first)]).toStrictEqual([[], undefined]);
});

test("the heartbeat stands still while a change has waited for more than a minute", async () => {
  const change = `insert into changes (kind, changed_at) values ('everything', now() - interval '61 seconds') returning id`;
  const { id } = (await records.pool.query(change)).rows[0];
  const holder = randomUUID();
  const isHealthy = async () => (await records.pool.query("select healthy_at from feed")).rows[0].healthy_at !== null;
  expect(await pollChanges(db, holder, [])).toMatchObject([{ id }]);
  expect(await isHealthy()).toBe(false);
  expect(await pollChanges(db, holder, [id])).toStrictEqual([]);
  expect(await isHealthy()).toBe(true);
});
