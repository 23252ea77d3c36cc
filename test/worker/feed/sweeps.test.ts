// What the feed deletes, and how much of it at once.
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Reader } from "../../../src/worker/db/client.ts";
import { runFeed } from "../../../src/worker/feed/index.ts";
import { SWEPT_TABLES, type SweptTable, sweep } from "../../../src/worker/feed/sweeps.ts";
import { SETTINGS } from "../../../src/worker/shared/config.ts";
import { useRecords } from "../../support/records.ts";
import { countOf, EXPIRING, type Expiring, insertAged, newOwners } from "./expiring.ts";

const records = useRecords();
const db: Reader = {
  query: async ({ text, bind }, values) => (await records.pool.query(text, bind(values))).rows as never[],
};
const NOTHING = "1:1:";
/** Not the least that the database insists on. */
const auditDays = 40;
const batchOf = (table: SweptTable) => sweep(db, table, { drained: NOTHING, auditDays });

/** Runs the feed on a clock of its own. @returns its batches: the table, and how many rows were deleted */
async function runFor(seconds: number, query: Reader["query"] = db.query): Promise<string[]> {
  const swept: string[] = [];
  let now = 0;
  await records.pool.query("update feed set leased_until = null, memory = default");
  await runFeed({
    db: {
      query: async (statement, ...rest) => {
        const rows = await query(statement, ...rest);
        const [, deleted, called] = /delete from "(\w+)"|delete_expired_(\w+)/.exec(statement.text) ?? [];
        const table = deleted ?? called;
        if (table !== undefined) swept.push(`${table} ${(rows[0] as { count: number }).count}`);
        return rows;
      },
    },
    purge: async () => ({ success: true, errors: [] }),
    databaseDeadlineMs: 3_000,
    auditDays,
    durationMs: seconds * 1_000,
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  });
  return swept;
}

/** Nothing is left that other tests have made. */
beforeAll(async () => {
  await records.pool.query("delete from changes");
  for (const table of SWEPT_TABLES) while ((await batchOf(table)) > 0);
});

afterAll(() => records.pool.query("update feed set healthy_at = null"));

test.for<[Expiring, string]>([
  ["process_runs", "30 days"],
  ["idempotent_answers", "24 hours"],
  ["audit_log", `${auditDays} days`],
  ["api_key_events", `${auditDays} days`],
])("the feed deletes from %s what is %s old, and nothing else", async ([table, kept]) => {
  const owners = await newOwners(records);
  await insertAged(records.pool, table, owners, `${kept} 1 second`, 2);
  await insertAged(records.pool, table, owners, `${kept} -10 minutes`);
  await runFor(20);
  expect(await countOf(records.pool, table, owners)).toBe(1);
});

test("at each poll the feed deletes one batch, of one table after the other, until nothing is left to delete", async () => {
  const owners = await newOwners(records);
  await insertAged(records.pool, "process_runs", owners, "31 days", 1_001);
  await insertAged(records.pool, "audit_log", owners, "41 days");
  await records.pool.query("delete from changes");
  expect(await runFor(30)).toStrictEqual([
    ...["changes 0", "process_runs 1000", "idempotent_answers 0", "audit 1", "key_events 0"],
    ...["process_runs 1", "audit 0"],
    "process_runs 0",
  ]);
  // What nobody is shown any more needs no purge.
  expect((await records.pool.query("select from changes")).rowCount).toBe(0);
});

test("what cannot be deleted is left to the next run, and nothing else waits for it", async () => {
  await insertAged(records.pool, "api_key_events", await newOwners(records), "41 days");
  await records.pool.query("delete from changes");
  let asked = 0;
  const swept = await runFor(30, (statement, ...rest) => {
    if (!statement.text.includes("delete_expired_audit")) return db.query(statement, ...rest);
    asked++;
    // As where the schema is older, or the role may not.
    return Promise.reject(new Error("42883"));
  });
  expect(asked).toBe(1);
  expect(swept).toStrictEqual([
    ...["changes 0", "process_runs 0", "idempotent_answers 0", "key_events 1"],
    "key_events 0",
  ]);
});

const KILOBYTES_64 = randomBytes(48_000).toString("base64");
test.for<[Expiring, bound: string, rows: number, text: string, first: number]>([
  ["process_runs", "1,000 rows", 1_001, "", 1_000],
  ["idempotent_answers", "5,000 rows", 5_001, "", 5_000],
  ["audit_log", "5,000 rows", 5_001, "", 5_000],
  ["api_key_events", "5,000 rows", 5_001, "", 5_000],
  ["idempotent_answers", "2 MB", 40, KILOBYTES_64, 32],
  ["audit_log", "2 MB", 20, KILOBYTES_64, 16],
  ["idempotent_answers", "one row, if it is larger than that", 2, KILOBYTES_64.repeat(40), 1],
  ["audit_log", "one row, if it is larger than that", 2, KILOBYTES_64.repeat(20), 1],
])("a batch of %s ends after %s", async ([table, _, rows, text, first]) => {
  await insertAged(records.pool, table, await newOwners(records), "50 days", rows, text);
  expect([await batchOf(table), await batchOf(table), await batchOf(table)]).toStrictEqual([first, rows - first, 0]);
});

test("a batch of changes ends after 10,000, and takes what is purged for good alone", async () => {
  await records.pool.query("delete from changes");
  const insert = "insert into changes (kind, xid) select 'company', $1 from generate_series(1, $2::int)";
  await records.pool.query(insert, ["3", 10_001]);
  await records.pool.query(insert, ["5", 1]);
  const batch = () => sweep(db, "changes", { drained: "4:9:5", auditDays });
  expect([await batch(), await batch(), await batch()]).toStrictEqual([10_000, 1, 0]);
  expect((await records.pool.query("delete from changes")).rowCount).toBe(1);
});

test.for(["audit_log", "api_key_events"] as const)("the oldest rows of %s are deleted first", async (table) => {
  const owners = { ...(await newOwners(records)), keyId: randomUUID() };
  await insertAged(records.pool, table, owners, "41 days");
  await insertAged(records.pool, table, owners, "42 days", 5_000);
  await batchOf(table);
  const { rows } = await records.pool.query(`delete from ${table} where api_key_id = $1 returning created_at`, [
    owners.keyId,
  ]);
  expect(rows.map(({ created_at }) => Math.round((Date.now() - created_at) / 86_400_000))).toStrictEqual([41]);
});

test("where nothing is to be deleted, hardly a row is read to find out", async () => {
  const owners = await newOwners(records);
  for (const table of EXPIRING) await insertAged(records.pool, table, owners, "1 minute", 3_000);
  await records.pool.query("insert into changes (kind) select 'company' from generate_series(1, 3000); analyze");
  const client = await records.pool.connect();
  const query: Reader["query"] = async ({ text, bind }, values) =>
    (await client.query(text, bind(values))).rows as never[];
  const countRead = async (table: SweptTable) => {
    const counters = "select seq_tup_read + idx_tup_fetch as read from pg_stat_xact_user_tables where relname = $1";
    return Number((await client.query(counters, [table])).rows[0].read);
  };
  try {
    await client.query("begin");
    for (const table of SWEPT_TABLES) {
      const before = await countRead(table);
      await sweep({ query }, table, { drained: NOTHING, auditDays });
      // Where the planner knows too little, it reads an end of the index.
      expect([table, Math.floor(((await countRead(table)) - before) / 3)]).toStrictEqual([table, 0]);
    }
  } finally {
    await client.query("rollback");
    client.release();
  }
});

test.for(["delete_expired_audit", "delete_expired_key_events"])(
  "%s refuses fewer days than the setting may have",
  async (name) => {
    const { minimum } = SETTINGS.AUDIT_DAYS;
    const call = (days: number) => records.pool.query(`select ${name}($1)`, [days]);
    await expect(call(minimum - 1)).rejects.toMatchObject({ code: "22023" });
    await expect(call(minimum)).resolves.toBeDefined();
  },
);
