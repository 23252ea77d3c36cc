// What the feed deletes while others work, and what is left of more than a year.
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Reader } from "../../../src/worker/db/client.ts";
import { SWEPT_TABLES, type SweptTable, sweep } from "../../../src/worker/feed/sweeps.ts";
import { SETTINGS } from "../../../src/worker/shared/config.ts";
import { RUN_DAYS } from "../../../src/worker/shared/limits.ts";
import { copyDatabase } from "../../support/database.ts";
import { openRecords, type Records } from "../../support/records.ts";
import { countOf, EXPIRING, insertAged, newOwners } from "./expiring.ts";
import { MOVE_CLOCK } from "./world.ts";

const auditDays = SETTINGS.AUDIT_DAYS.default;
const DAYS = auditDays + 35;
/** No feed has run, so that more is expired than a batch deletes. */
const SILENT_DAYS = { from: DAYS - 20, to: DAYS - 5 };
/** Of a thousand writes, half of them with an `Idempotency-Key`. */
const ROWS_A_DAY = {
  changes: 500,
  process_runs: 100,
  idempotent_answers: 500,
  audit_log: 1_000,
  api_key_events: 50,
};

let records: Records;
let pool: pg.Pool;
/** Its sessions check no foreign keys, which would take as long as all else. */
let writers: pg.Pool;
const db: Reader = { query: async ({ text, bind }, values) => (await pool.query(text, bind(values))).rows as never[] };
beforeAll(async () => {
  const connectionString = await copyDatabase();
  records = await openRecords(connectionString);
  await records.pool.query(MOVE_CLOCK);
  // Sessions of before have another search path, and functions with their owner's rights one of their own.
  const { rows } = await records.pool.query(
    "select oid::regprocedure as name from pg_proc where pronamespace = 'public'::regnamespace and prosecdef",
  );
  for (const { name } of rows) {
    await records.pool.query(`alter function ${name} set search_path = moved, pg_catalog, public, pg_temp`);
  }
  pool = new pg.Pool({ connectionString });
  writers = new pg.Pool({ connectionString, options: "-c session_replication_role=replica" });
});
afterAll(async () => {
  await Promise.all([records.close(), pool.end(), writers.end()]);
});

const moveTo = (day: number) =>
  pool.query("update moved.clock set now = '2030-01-01T00:00:00Z'::timestamptz + $1 * interval '24 hours'", [day]);

test.for(EXPIRING)(
  "the feed leaves an expired row of %s that another holds, lest they wait for each other",
  async (table) => {
    await moveTo(0);
    const owners = await newOwners(records);
    await insertAged(pool, table, owners, "366 days", 2);
    const other = await pool.connect();
    await other.query(`begin; select from ${table} where ctid = (select min(ctid) from ${table}) for update`);
    const batch = () => sweep(db, table, { drained: "1:1:", auditDays });
    expect([await batch(), await batch()]).toStrictEqual([1, 0]);
    await other.query("commit");
    other.release();
    expect([await batch(), await countOf(pool, table, owners)]).toStrictEqual([1, 0]);
  },
);

/**
 * Deletes batch by batch what there is to delete.
 *
 * @param timesMs is told of each batch that had rows how long it took
 * @returns of each table how many rows the batches had
 */
async function sweepAll(timesMs: number[]): Promise<Record<SweptTable, number[]>> {
  const [{ drained }] = (await pool.query("select pg_current_snapshot() as drained")).rows;
  const batches: [SweptTable, number[]][] = [];
  for (const table of SWEPT_TABLES) {
    const counts: number[] = [];
    while (counts.at(-1) !== 0) {
      const begunAt = performance.now();
      const count = await sweep(db, table, { drained, auditDays });
      if (count > 0) timesMs.push(performance.now() - begunAt);
      counts.push(count);
    }
    batches.push([table, counts]);
  }
  return Object.fromEntries(batches) as Record<SweptTable, number[]>;
}

test(`after ${DAYS} days of a thousand writes each, each table has what it keeps, and a sweep takes less than 100 ms`, {
  timeout: 600_000,
}, async () => {
  const owners = await newOwners(records);
  const timesMs: number[] = [];
  await moveTo(0);
  await sweepAll(timesMs);
  let swept: Awaited<ReturnType<typeof sweepAll>> | undefined;
  for (let day = 1; day <= DAYS; day++) {
    await moveTo(day);
    await Promise.all([
      ...EXPIRING.map((table) => insertAged(writers, table, owners, "0 s", ROWS_A_DAY[table], '{"port": 8080}')),
      // The runs record one more.
      writers.query("insert into changes (kind) select 'company' from generate_series(2, $1::int)", [
        ROWS_A_DAY.changes,
      ]),
    ]);
    if (day >= SILENT_DAYS.from && day < SILENT_DAYS.to) continue;
    swept = await sweepAll(timesMs);
    if (day !== SILENT_DAYS.to) continue;
    expect(swept).toStrictEqual({
      changes: [8_000, 0],
      process_runs: [1_000, 600, 0],
      idempotent_answers: [5_000, 3_000, 0],
      audit_log: [5_000, 5_000, 5_000, 1_000, 0],
      api_key_events: [800, 0],
    });
  }
  expect(swept).toStrictEqual(Object.fromEntries(SWEPT_TABLES.map((table) => [table, [ROWS_A_DAY[table], 0]])));
  const left = await Promise.all(EXPIRING.map(async (table) => [table, await countOf(pool, table, owners)]));
  expect(Object.fromEntries(left)).toStrictEqual({
    process_runs: RUN_DAYS * ROWS_A_DAY.process_runs,
    idempotent_answers: ROWS_A_DAY.idempotent_answers,
    audit_log: auditDays * ROWS_A_DAY.audit_log,
    api_key_events: auditDays * ROWS_A_DAY.api_key_events,
  });
  expect((await pool.query("select from changes")).rowCount).toBe(0);
  // Half of them: a machine that is busy may stop at any one.
  expect(timesMs.toSorted((a, b) => a - b)[Math.floor(timesMs.length / 2)]).toBeLessThan(100);
});
