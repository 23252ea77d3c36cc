// Rows that are kept for so long and no longer.
import type pg from "pg";
import type { SweptTable } from "../../../src/worker/feed/sweeps.ts";
import type { Records } from "../../support/records.ts";

/** The tables whose rows expire. Those of `changes` are deleted once they are purged. */
export type Expiring = Exclude<SweptTable, "changes">;

/** Of rows with the moment of their beginning and a text. */
const INSERTS: Record<Expiring, string> = {
  process_runs: "process_runs (process_id, requested_at) select $1, moment",
  idempotent_answers: `idempotent_answers (api_key_id, created_at, operation, key, fingerprint, body)
    select $1, moment, 'POST', gen_random_uuid(), '', text`,
  audit_log: `audit_log (created_at, api_key_id, company_id, application_id, process_id, operation, before, after)
    select moment, $1, $1, $1, $1, 'update', to_jsonb(text), to_jsonb(text)`,
  api_key_events: `api_key_events (created_at, api_key_id, company_id, event, made_by)
    select moment, $1, $1, 'rotated', text`,
};

export const EXPIRING = Object.keys(INSERTS) as Expiring[];

/** Ids that rows belong to. */
export interface Owners {
  processId: string;
  keyId: string;
}

/** A process and a key that have no rows yet. */
export async function newOwners(records: Records): Promise<Owners> {
  const companyId = await records.company();
  const { id } = await records.application(companyId);
  return { processId: (await records.process(id, { type: "cron" })).id, keyId: (await records.key(companyId)).id };
}

const ownerOf = (table: Expiring, { processId, keyId }: Owners) => (table === "process_runs" ? processId : keyId);

/** Inserts rows of this age, an interval as Postgres reads it. Each has the text, in `audit_log` twice. */
export async function insertAged(pool: pg.Pool, table: Expiring, owners: Owners, age: string, count = 1, text = "") {
  await pool.query(
    `insert into ${INSERTS[table]} from (select now() - $2::interval as moment, $3::text as text, $1::uuid from generate_series(1, $4::int)) as aged`,
    [ownerOf(table, owners), age, text, count],
  );
}

/** How many rows of these owners there are. */
export async function countOf(pool: pg.Pool, table: Expiring, owners: Owners): Promise<number> {
  const owner = table === "process_runs" ? "process_id" : "api_key_id";
  const { rows } = await pool.query(`select count(*)::int from ${table} where ${owner} = $1`, [ownerOf(table, owners)]);
  return rows[0].count;
}
