// Deletes what has expired, in batches that are over before anybody notices.
import { sql } from "drizzle-orm";
import type { Reader } from "../db/client.ts";
import { defineStatement } from "../db/statement.ts";
import { RUNS_EXPIRED } from "../resources/process-run/rows.ts";
import { processRuns } from "../resources/process-run/table.ts";
import { idempotentAnswers, RESPONSES_EXPIRED } from "../statements/table.ts";
import { changes } from "./table.ts";

/** What the statements need to know. */
export interface Expiry {
  /** `pg_snapshot` of changes that are purged for good. */
  drained: string;
  /** How long audit_log and api_key_events are kept. */
  auditDays: number;
}

interface Swept {
  count: number;
}

/** In a batch. A row of `changes` has two indexes, one of `process_runs` four, a foreign key and a trigger. */
const MAX = { changes: sql.raw("10000"), runs: sql.raw("1000"), responses: sql.raw("5000") };
/** Likewise: a response has up to 64 KB, and what Postgres keeps outside its row is deleted piece by piece. */
const MAX_BYTES = sql.raw("2000000");

// Each deletes the oldest rows of its table. Rows that others hold are left: they may wait for one that is deleted.

const deleteChanges = defineStatement<Swept>(() => {
  const drained = sql`${sql.placeholder("drained")}::pg_snapshot`;
  return sql`with deleted as (
    delete from ${changes} where ctid = any(array(
      select ctid from ${changes} where xid < pg_snapshot_xmax(${drained}) and pg_visible_in_snapshot(xid, ${drained})
      order by xid limit ${MAX.changes}
    )) returning 1
  ) select count(*)::int from deleted`;
});

const deleteRuns = defineStatement<Swept>(
  () => sql`with deleted as (
    delete from ${processRuns} where ctid = any(array(
      select ctid from ${processRuns} where requested_at <= ${RUNS_EXPIRED}
      order by requested_at limit ${MAX.runs} for update skip locked
    )) returning 1
  ) select count(*)::int from deleted`,
);

const deleteResponses = defineStatement<Swept>(
  () => sql`with deleted as (
    delete from ${idempotentAnswers} where ctid = any(array(
      select ctid from ${idempotentAnswers} where ctid = any(array(
        select place from (
          select place, sum(bytes) over (order by created_at rows between unbounded preceding and 1 preceding) as bytes_before
          from (
            select ctid as place, created_at, pg_column_size(body) as bytes from ${idempotentAnswers}
            where created_at <= ${RESPONSES_EXPIRED} order by created_at limit ${MAX.responses}
          ) as expired
        ) as oldest where coalesce(bytes_before, 0) < ${MAX_BYTES}
      )) for update skip locked
    )) returning 1
  ) select count(*)::int from deleted`,
);

const auditDays = sql.placeholder("auditDays");

// The functions are in drizzle/0016_delete_expired.sql: the Worker's role may not delete from these tables.
const deleteAudit = defineStatement<Swept>(() => sql`select delete_expired_audit(${auditDays}) as count`);
const deleteKeyEvents = defineStatement<Swept>(() => sql`select delete_expired_key_events(${auditDays}) as count`);

const STATEMENTS = {
  changes: deleteChanges,
  process_runs: deleteRuns,
  idempotent_answers: deleteResponses,
  audit_log: deleteAudit,
  api_key_events: deleteKeyEvents,
};

export type SweptTable = keyof typeof STATEMENTS;

/** Changes first: they are the most. */
export const SWEPT_TABLES = Object.keys(STATEMENTS) as SweptTable[];

/** Deletes a batch of what a table keeps no longer. @returns how many rows it had @throws DatabaseError */
export async function sweep(db: Reader, table: SweptTable, { drained, auditDays }: Expiry): Promise<number> {
  const [swept] = await db.query(STATEMENTS[table](), { drained, auditDays }, undefined);
  return swept?.count ?? 0;
}
