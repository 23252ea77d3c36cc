import { sql } from "drizzle-orm";
import type { Reader } from "../db/client.ts";
import { changes, feed } from "../db/schema.ts";
import { defineStatement } from "../db/statement.ts";
import type { Tagged } from "../shared/cache.ts";

/** A row of the outbox. */
export interface Change {
  id: string;
  kind: Tagged | "everything";
  resourceId: string | null;
  applicationId: string | null;
  companyId: string | null;
  ageSeconds: number;
}

/** One poll takes no more; the rest comes with the next. */
const MAX_CHANGES = 5_000;
/** How long a run may be silent before another takes its place. */
const LEASE = sql`interval '10 seconds'`;
/** A change that waits for longer was not purged in time: answers must not be kept for long then. */
const MAX_WAIT = sql`interval '1 minute'`;

/** The first row stands for the lease; without it there is none. */
const pollStatement = defineStatement<Change>(() => {
  const holder = sql`${sql.placeholder("holder")}::uuid`;
  const isDone = sql`id = any(${sql.placeholder("done")}::bigint[])`;
  return sql`with lease as (
    update ${feed} set
      holder = ${holder},
      leased_until = now() + ${LEASE},
      healthy_at = case
        when exists (select from ${changes} where changed_at < now() - ${MAX_WAIT} and not ${isDone}) then healthy_at
        else now()
      end
    where holder = ${holder} or leased_until is null or leased_until < now()
    returning holder
  ), deleted as (
    delete from ${changes} using lease where ${isDone}
  )
  select null as id, null as kind, null as "resourceId", null as "applicationId", null as "companyId",
    null::float8 as "ageSeconds"
  from lease
  union all (
    select id, kind, resource_id, application_id, company_id, extract(epoch from now() - changed_at)::float8
    from ${changes}, lease
    where not ${isDone}
    order by id
    limit ${sql.raw(String(MAX_CHANGES))}
  )`;
});

const releaseStatement = defineStatement(
  () => sql`update ${feed} set leased_until = null where holder = ${sql.placeholder("holder")}::uuid`,
);

/**
 * Renews the lease of a run, deletes the changes that it is done with, and returns those that are waiting.
 *
 * @param holder names the run
 * @param done ids of changes that were purged for good
 * @returns undefined if another run holds the lease; nothing was deleted then
 * @throws DatabaseError
 */
export async function pollChanges(db: Reader, holder: string, done: readonly string[]): Promise<Change[] | undefined> {
  const [lease, ...waiting] = await db.query(pollStatement(), { holder, done: `{${done.join(",")}}` }, undefined);
  return lease && waiting;
}

/** Lets another run begin at once. @throws DatabaseError */
export async function releaseLease(db: Reader, holder: string): Promise<void> {
  await db.query(releaseStatement(), { holder }, undefined);
}
