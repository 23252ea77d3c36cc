import { type SQL, sql } from "drizzle-orm";
import type { Reader } from "../db/client.ts";
import { defineStatement } from "../db/statement.ts";
import { applications } from "../resources/application/table.ts";
import type { Tagged } from "../shared/cache.ts";
import { changes, feed } from "./table.ts";

/** A row of the outbox. */
export interface Change {
  kind: Tagged | "everything";
  resourceId: string | null;
  applicationId: string | null;
  companyId: string | null;
  /** The company that has the application now: it may have moved before the change has committed. */
  ownerId: string | null;
  /** When it was made, which may be long before its commit; in milliseconds since 1970. */
  changedAt: number;
}

/** What polls are told of those before, by other runs, too. Moments are in milliseconds since 1970. */
export interface Memory {
  /** `pg_snapshot` of what is purged for good: it may be deleted. */
  drained: string;
  /** `pg_snapshot` of what is purged at least once. */
  purged: string;
  /** What waits for its second purge, the oldest first. */
  batches: Batch[];
  /** Since when there has been a change that was never purged; null if there is none. */
  waitingSince: number | null;
  /** When the last poll was. */
  polledAt: number | null;
  /** Whether nobody knows what has changed: then everything has. */
  isLost: boolean;
  /** The platform's bucket of purges: when it will be full, by what the feed has spent, and when that last was. */
  bucket?: { fullAt: number; spentAt: number };
}

const LOST: Memory = { drained: "1:1:", purged: "1:1:", batches: [], waitingSince: null, polledAt: null, isLost: true };

/** Changes that were purged together. */
export interface Batch {
  /** `pg_snapshot` of the poll that has found them. */
  snapshot: string;
  /** When that was: they had committed before. */
  seenAt: number;
  /** Their tags, each with those that may stand in for it. */
  chains: string[][];
}

/** What a poll has found. */
export interface Poll {
  snapshot: string;
  memory: Memory;
  /** Those that were never purged; where there are more than {@link MAX_CHANGES}, one or two of the kind `everything`. */
  changes: Change[];
}

/** More are not read, and purged with everything there is. */
const MAX_CHANGES = 5_000;
/** How long a run may be silent before another takes its place. */
const LEASE = sql`interval '10 seconds'`;
/** A lease for longer is nobody's. Longer than {@link LEASE}: while a poll waits for another's, its `now()` stands still. */
const MAX_LEASE = sql`interval '1 minute'`;

interface Row extends Change {
  lease: Pick<Poll, "snapshot" | "memory"> | null;
}

/**
 * The first row stands for the lease; without it there is none. What has committed in which order, ids do not tell, and neither
 * do times: only snapshots do.
 */
const pollStatement = defineStatement<Row>(() => {
  const holder = sql`${sql.placeholder("holder")}::uuid`;
  // Subqueries of their own, in the order of the index: Postgres would look at all that was purged and is not deleted yet.
  const purged = sql`(memory ->> 'purged')::pg_snapshot`;
  const conditions = {
    later: sql`xid >= (select pg_snapshot_xmax(${purged}) from lease)`,
    earlier: sql`xid = any(array(select pg_snapshot_xip(${purged}) from lease))`,
  };
  const max = sql.raw(String(MAX_CHANGES));
  const count = (condition: SQL) =>
    sql`(select count(*) from (select from ${changes} where ${condition} order by xid limit ${max} + 1) as waiting)`;
  const changedAt = sql`extract(epoch from changed_at)::float8 * 1000`;
  return sql`with lease as (
    update ${feed} set
      holder = ${holder},
      leased_until = now() + ${LEASE},
      healthy_at = case when ${sql.placeholder("isHealthy")}::boolean then now() else healthy_at end,
      memory = coalesce(${sql.placeholder("memory")}::jsonb, memory)
    where holder = ${holder} or leased_until is null or leased_until not between now() and now() + ${MAX_LEASE}
    returning memory
  ), waiting as materialized (
    select ${count(conditions.later)} + ${count(conditions.earlier)} <= ${max} as are_few
  )
  select json_build_object('snapshot', pg_current_snapshot(), 'memory', memory) as lease, null as kind, null as "resourceId",
    null as "applicationId", null as "companyId", null as "ownerId", null::float8 as "changedAt"
  from lease
  ${sql.join(
    Object.values(conditions).map(
      (condition) => sql`union all (
    select null::json, kind, resource_id, application_id, company_id,
      (select company_id from ${applications} where id = application_id), ${changedAt}
    from ${changes} where (select are_few from waiting) and ${condition} order by xid limit ${max}
  ) union all (
    select null::json, 'everything', null, null, null, null, ${changedAt}
    from ${changes} where not (select are_few from waiting) and ${condition} order by xid limit 1
  )`,
    ),
    sql` `,
  )}`;
});

/**
 * Renews the lease of a run, and returns the changes that were never purged.
 *
 * @param holder names the run
 * @param memory what is to be told to the polls after this one; null: what is known already
 * @param isHealthy whether what changes is purged in time
 * @returns undefined if another run holds the lease; nothing was written then
 * @throws DatabaseError
 */
export async function pollChanges(
  db: Reader,
  holder: string,
  memory: Memory | null,
  isHealthy: boolean,
): Promise<Poll | undefined> {
  const values = { holder, memory: memory && JSON.stringify(memory), isHealthy };
  const [first, ...waiting] = await db.query(pollStatement(), values, undefined);
  return first?.lease ? { ...first.lease, changes: waiting } : undefined;
}

const releaseStatement = defineStatement(
  () => sql`update ${feed} set leased_until = null, memory = coalesce(${sql.placeholder("memory")}::jsonb, memory)
    where holder = ${sql.placeholder("holder")}::uuid`,
);

/** Lets another run go on at once. @param memory as in {@link pollChanges} @throws DatabaseError */
export async function releaseLease(db: Reader, holder: string, memory: Memory | null): Promise<void> {
  await db.query(releaseStatement(), { holder, memory: memory && JSON.stringify(memory) }, undefined);
}

const forgetStatement = defineStatement(
  () => sql`with restored as (
    update ${changes} set xid = default where xid > pg_current_xact_id()
  )
  update ${feed} set memory = ${JSON.stringify(LOST)}::jsonb
  where pg_snapshot_xmin((memory ->> 'purged')::pg_snapshot) > pg_current_xact_id()`,
);

/**
 * Forgets what is known of transactions that are still to come: a database that was restored from a dump counts them anew, and
 * nobody has written down what the restore has changed.
 *
 * @throws DatabaseError
 */
export async function forgetFuture(db: Reader): Promise<void> {
  await db.query(forgetStatement(), {}, undefined);
}
