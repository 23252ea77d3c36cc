import { eq, getTableColumns, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { alias, type QueryBuilder } from "drizzle-orm/pg-core";
import type { PageOf } from "../../statements/list.ts";
import { insertFrom } from "../../statements/write.ts";
import type { OwnApplication } from "../application/rows.ts";
import { processResourceTypes } from "../process-resource-type/table.ts";
import { processes } from "./table.ts";

/** The process of that id of an {@link ownApplication}. */
export const ownProcess = (query: QueryBuilder, application: OwnApplication, id: SQL) =>
  query
    .$with("process")
    .as(
      query
        .select(getTableColumns(processes))
        .from(processes)
        .innerJoin(application, eq(application.id, processes.applicationId))
        .where(eq(processes.id, id)),
    );

export type OwnProcess = ReturnType<typeof ownProcess>;

/** The processes of an {@link ownApplication}, by display order, then the oldest first. */
export const ownProcesses = (query: QueryBuilder, application: OwnApplication) =>
  query
    .select({ id: processes.id, displayOrder: processes.displayOrder, createdAt: processes.createdAt })
    .from(processes)
    .where(sql`${processes.applicationId} = (select ${application.id} from ${application})`)
    .orderBy(processes.displayOrder, processes.createdAt, processes.id);

/** The rows of a page of {@link ownProcesses}. */
export const processesIn = (query: QueryBuilder, page: PageOf<ReturnType<typeof ownProcesses>>) =>
  query.select(getTableColumns(processes)).from(page).innerJoin(processes, eq(processes.id, page.id)).as("process");

/** The columns of `processes`, wherever they come from. */
export type ProcessRow = Record<keyof typeof processes.$inferSelect, SQLWrapper>;

// What a write reads and leaves behind.

/** The longest label of a host name (RFC 1123, section 2.1), which `<application>-<key>` is. */
const MAX_LABEL_LENGTH = 63;
/** The key of the web process, and of no other. */
const WEB_KEY = "web";

/** The process as it is, in the part `target`, … */
export const target = alias(processes, "target");
/** … and as it is to be, in the part `candidate`. Both have the columns of the table, in its order. */
export const candidate = alias(processes, "candidate");

/** The process of that id in the application, held against everybody who would change it until the write is over. */
export const lockProcess = (application: OwnApplication, id: SQL): SQL =>
  sql`select process.* from ${processes} as process, ${application}
    where process.application_id = ${application.id} and process.id = ${id} for update of process`;

/**
 * A new process of the application.
 *
 * @param columns of the table by their names, as jsonb: all that its creator may decide
 * @param slug what its key is made of: `slug`, `slug-2`, … shortened to fit. Looks for one that no other process has where the
 *   one before is taken, in some 2 log₂ n steps: it doubles the number until one is free, then halves the gap. Where that
 *   leads to no number that fits, it tries them all in their order. The key is null where there is no room for one.
 */
export const createCandidate = (application: OwnApplication, columns: SQL, slug: SQL): SQL => {
  const room = sql`${sql.raw(String(MAX_LABEL_LENGTH - 1))} - char_length(${application.name})`;
  const suffix = (n: string) => sql.raw(`(case ${n} when 1 then '' else '-' || ${n} end)`);
  const keyOf = (n: string) => sql`case when ${room} > char_length(${suffix(n)})
    then rtrim(left(${slug}, ${room} - char_length(${suffix(n)})), '-') || ${suffix(n)} end`;
  const ofApplication = sql`from ${processes} where application_id = ${application.id}`;
  // Not EXISTS, for which Postgres would read all keys of the application.
  const isTaken = sql`((select count(*) ${ofApplication} and key = tried.key) > 0
    or tried.key = ${sql.raw(`'${WEB_KEY}'`)} and ${columns} ->> 'type' <> 'web')`;
  // Without OFFSET Postgres would look once for each use of what it has found. An int cannot be doubled for ever.
  const nextFree = sql`with recursive probe (taken, free, n) as (
      select 0, null::int, 1
      union all
      select next.taken, next.free, case when next.free is null then 2 * next.taken else (next.taken + next.free) / 2 end
      from probe, lateral (select ${keyOf("n")} as key) as tried, lateral (
        select ${isTaken} as is_taken offset 0
      ) as found, lateral (
        select case when is_taken then n else probe.taken end as taken, case when is_taken then probe.free else n end as free
      ) as next
      where probe.free is null and probe.taken < 1000000 or probe.free - probe.taken > 1
    ) select ${keyOf("free")} from probe where free - taken = 1`;
  const firstFree = sql`select key from generate_series(1, (select count(*) + 2 ${ofApplication})) as n,
    lateral (select ${keyOf("n")} as key) as tried where key is not null and not ${isTaken} order by n limit 1`;
  return sql`select candidate.* from ${application}, jsonb_populate_record(null::${processes}, ${columns} || jsonb_build_object(
    'id', gen_random_uuid(), 'application_id', ${application.id}, 'display_order', 0, 'created_at', now(), 'updated_at', now(),
    'key', coalesce((${nextFree}), (${firstFree}))
  )) as candidate`;
};

/** The part `target`, with the columns that `columns` names. Its time never goes back: the transaction may be older. */
export const changeCandidate = (columns: SQL): SQL =>
  sql`select candidate.* from ${target}, jsonb_populate_record(row(${target}.*)::${processes}, ${columns}) as changed,
    jsonb_populate_record(changed, case when changed is distinct from row(${target}.*)::${processes}
      then jsonb_build_object('updated_at', greatest(statement_timestamp(), ${target.updatedAt} + interval '1 millisecond'))
      else '{}' end) as candidate`;

/** Whether the part `candidate` is any other than the part `target`. */
export const isChanged: SQL = sql`row(${candidate}.*) is distinct from row(${target}.*)`;

export const hasUnknownResourceType: SQL = sql`exists (select from candidate where resource_type_id is not null
  and not exists (select from ${processResourceTypes} as size where size.id = candidate.resource_type_id))`;

export const hasSecondWebProcess: SQL = sql`exists (select from ${processes} as other
  where other.type = 'web' and other.application_id = (select application_id from candidate where type = 'web'))`;

export const insertProcess: SQL = insertFrom("candidate", processes);

/** All that a client may change; the rest is not for it to change. */
const CHANGEABLE = [
  processes.displayName,
  processes.entrypoint,
  processes.port,
  processes.isIngressEnabled,
  processes.ingressProtocol,
  processes.scalingStrategy,
  processes.resourceTypeId,
  processes.schedule,
  processes.timeZone,
  processes.jobStartPolicy,
  processes.livenessProbe,
  processes.readinessProbe,
  processes.updatedAt,
].map(({ name }) => sql`${sql.identifier(name)} = candidate.${sql.identifier(name)}`);

export const updateProcess: SQL = sql`update ${processes} as process set ${sql.join(CHANGEABLE, sql`, `)}
  from candidate, target, written where process.id = candidate.id and ${isChanged}`;

export const deleteProcess: SQL = sql`delete from ${processes} as process using target, written where process.id = target.id`;
