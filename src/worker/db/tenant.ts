// The wall between companies. Statements of the Api reach a company's rows through these functions alone, each of which
// begins with the key's company: the linter keeps the tables themselves (schema.ts) out of src/worker/api.
import {
  and,
  desc,
  eq,
  getTableColumns,
  gt,
  isNull,
  not,
  type Placeholder,
  type SQL,
  type SQLWrapper,
  sql,
} from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import { PAGE, RESPONSE_HOURS, RUN_DAYS } from "../shared/limits.ts";
import type { KeyAccess, Permission } from "./access.ts";
import { earliest } from "./expressions.ts";
import {
  apiKeyCapabilities,
  apiKeys,
  apiKeyTokens,
  applications,
  companies,
  processes,
  processRuns,
} from "./schema.ts";

/** Machine sizes belong to no company. */
export { processResourceTypes } from "./schema.ts";

/**
 * The application of that id, if it belongs to the key's company: any other is as absent as one that does not exist. Absent,
 * too, for a key that is not permitted: a statement that goes on from here cannot forget it.
 */
export const ownApplication = (query: QueryBuilder, access: KeyAccess, id: SQL, condition?: SQL) =>
  query.$with("application").as(
    query
      .select(getTableColumns(applications))
      .from(applications)
      .innerJoin(access, and(eq(access.companyId, applications.companyId), access.isPermitted))
      .where(and(eq(applications.id, id), condition)),
  );

export type OwnApplication = ReturnType<typeof ownApplication>;

// A list is read in two steps: of all that is in it only what its order depends on, by the index that has it in this order, and
// of the rows only those of the page.

/**
 * The applications of the key's company that the key is permitted, the newest first: `rows` of them. Of two parts one is empty.
 * For a key that is granted all of them Postgres walks the index; one that is granted some has so many rows to sort.
 */
export const ownApplications = (
  query: QueryBuilder,
  access: KeyAccess,
  permission: Permission,
  rows: number | Placeholder,
) => {
  const { apiKeyId, resourceId } = apiKeyCapabilities;
  const ofKey = sql`${apiKeyId} = (select ${access.keyId} from ${access}) and ${eq(apiKeyCapabilities.permission, permission)}`;
  const ofCompany = sql`${applications.companyId} = (select ${access.companyId} from ${access})`;
  const areAllGranted = sql`exists (select from ${apiKeyCapabilities} where ${ofKey} and ${isNull(resourceId)})`;
  const { id, createdAt } = applications;
  const newestFirst = (row: { id: SQLWrapper; createdAt: SQLWrapper }) => [desc(row.createdAt), desc(row.id)];
  const all = query
    .select({ id, createdAt })
    .from(applications)
    .where(and(ofCompany, areAllGranted))
    .orderBy(...newestFirst(applications))
    .limit(rows);
  const some = query
    .select({ id, createdAt })
    .from(apiKeyCapabilities)
    .innerJoin(applications, eq(id, resourceId))
    .where(and(ofKey, ofCompany, not(areAllGranted)))
    .orderBy(...newestFirst(applications))
    .limit(rows);
  const both = all.unionAll(some).as("listed");
  return query
    .select()
    .from(both)
    .orderBy(...newestFirst(both));
};

/** The rows of a page of {@link ownApplications}. */
export const applicationsIn = (query: QueryBuilder, page: PageOf<ReturnType<typeof ownApplications>>) =>
  query
    .select(getTableColumns(applications))
    .from(page)
    .innerJoin(applications, eq(applications.id, page.id))
    .as("application");

/** A row of `applications`, of the key's company. */
export type ApplicationRow = OwnApplication | ReturnType<typeof applicationsIn>;

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

type OwnProcess = ReturnType<typeof ownProcess>;

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

/** The moment up to which runs that were due are kept no longer. In hours: a day of a session's time zone may have 23 or 25. */
export const RUNS_EXPIRED: SQL = sql`now() - interval '${sql.raw(String(RUN_DAYS * 24))} hours'`;

/** Likewise for responses that are kept for an `Idempotency-Key`. */
export const RESPONSES_EXPIRED: SQL = sql`now() - interval '${sql.raw(String(RESPONSE_HOURS))} hours'`;

/** The runs of an {@link ownProcess} that are kept, the newest first; only a cron process has any. */
export const ownRuns = (query: QueryBuilder, process: OwnProcess) =>
  query
    .select({ id: processRuns.id, requestedAt: processRuns.requestedAt })
    .from(processRuns)
    .where(
      and(
        sql`${processRuns.processId} = (select ${process.id} from ${process} where ${process.type} = 'cron')`,
        gt(processRuns.requestedAt, RUNS_EXPIRED),
      ),
    )
    .orderBy(desc(processRuns.requestedAt), desc(processRuns.id));

/** The rows of a page of {@link ownRuns}. */
export const runsIn = (query: QueryBuilder, page: PageOf<ReturnType<typeof ownRuns>>) =>
  query.select(getTableColumns(processRuns)).from(page).innerJoin(processRuns, eq(processRuns.id, page.id)).as("run");

/** The columns of `processes`, wherever they come from. */
export type ProcessRow = Record<keyof typeof processes.$inferSelect, SQLWrapper>;

interface List {
  limit(rows: number | Placeholder): { offset(rows: Placeholder): { as(alias: "listed"): unknown }; getSQL(): SQL };
}
type PageOf<L extends List> = ReturnType<ReturnType<ReturnType<L["limit"]>["offset"]>["as"]>;

/** The page of a list that the placeholders `limit` and `offset` choose. Takes the list: Drizzle changes it. */
export const pageOf = <L extends List>(list: L): PageOf<L> =>
  list.limit(sql.placeholder("limit")).offset(sql.placeholder("offset")).as("listed") as PageOf<L>;

/** How many rows a list has, as far as a page can be asked for. */
export const countOf = (list: List): SQL =>
  sql`(select count(*) from (${list.limit(PAGE.maxTotal).getSQL()}) as counted)`;

/** The key that asks, with its company's name, the token that was sent, and what it may do. */
export const ownKey = (query: QueryBuilder, access: KeyAccess) =>
  query
    .select({
      ...getTableColumns(apiKeys),
      companyName: sql`${companies.name}`.as("company_name"),
      masked: apiKeyTokens.masked,
      expiresFirst: earliest(apiKeys.expiresAt, apiKeyTokens.expiresAt).as("expires_first"),
      capabilities: capabilities.as("capabilities"),
    })
    .from(access)
    .innerJoin(apiKeys, eq(apiKeys.id, access.keyId))
    .innerJoin(apiKeyTokens, eq(apiKeyTokens.hash, access.tokenHash))
    .innerJoin(companies, eq(companies.id, access.companyId))
    .as("api_key");

/** A JSON array; a grant for one resource is left out beside a grant for all. */
const capabilities: SQL = sql`(
  select coalesce(json_agg(json_build_object('permission', granted.permission, 'resource_id', granted.resource_id)
    order by granted.permission, granted.resource_id), '[]')
  from ${apiKeyCapabilities} granted
  where granted.api_key_id = ${apiKeys.id} and (granted.resource_id is null or not exists (
    select from ${apiKeyCapabilities} wider
    where wider.api_key_id = granted.api_key_id and wider.permission = granted.permission and wider.resource_id is null
  ))
)`;
