// The wall between companies. Statements of the Api reach a company's rows through these functions alone, each of which
// begins with the key's company: the linter keeps the tables themselves (schema.ts) out of src/worker/api.
import { and, eq, exists, getTableColumns, gt, isNull, or, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import { PAGE, RUN_DAYS } from "../shared/limits.ts";
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

/** Applications of the key's company that the key is permitted, all or those that it is granted one by one. */
export const ownApplications = (query: QueryBuilder, access: KeyAccess, permission: Permission) => {
  // About the key alone, so that Postgres looks the grants up once and not for each application.
  const granted = sql`from ${apiKeyCapabilities} where ${apiKeyCapabilities.apiKeyId} = (select ${access.keyId} from ${access}) and ${eq(apiKeyCapabilities.permission, permission)}`;
  return query
    .select(getTableColumns(applications))
    .from(applications)
    .innerJoin(access, eq(access.companyId, applications.companyId))
    .where(
      or(
        sql`exists (select ${granted} and ${isNull(apiKeyCapabilities.resourceId)})`,
        sql`${applications.id} in (select ${apiKeyCapabilities.resourceId} ${granted})`,
      ),
    );
};

/** A row of `applications`, of the key's company. */
export type ApplicationRow = OwnApplication | ReturnType<ReturnType<typeof ownApplications>["as"]>;

/** The processes of an {@link ownApplication}, or the one of that id. */
export const processesOf = (query: QueryBuilder, application: OwnApplication, id?: SQL) =>
  query
    .select(getTableColumns(processes))
    .from(processes)
    .innerJoin(application, eq(application.id, processes.applicationId))
    .where(and(id && eq(processes.id, id)));

/** The process of that id of an {@link ownApplication}. */
export const ownProcess = (query: QueryBuilder, application: OwnApplication, id: SQL) =>
  query.$with("process").as(processesOf(query, application, id));

type OwnProcess = ReturnType<typeof ownProcess>;

/** The moment up to which runs that were due are kept no longer. In hours: a day of a session's time zone may have 23 or 25. */
export const RUNS_EXPIRED: SQL = sql`now() - interval '${sql.raw(String(RUN_DAYS * 24))} hours'`;

/** The runs of the {@link ownProcess} of that id that are kept; only a cron process has any. */
export const runsOf = (query: QueryBuilder, process: OwnProcess, id: SQL) =>
  query
    .select(getTableColumns(processRuns))
    .from(processRuns)
    .where(
      and(
        // No join: where Postgres knows the id, it knows how many there may be, and reads a page in the order of the index.
        eq(processRuns.processId, id),
        exists(
          query
            .select({ id: process.id })
            .from(process)
            .where(and(eq(process.id, id), eq(process.type, "cron"))),
        ),
        gt(processRuns.requestedAt, RUNS_EXPIRED),
      ),
    );

/** The columns of `processes`, wherever they come from. */
export type ProcessRow = Record<keyof typeof processes.$inferSelect, SQLWrapper>;

/** How many rows a list has, as far as a page can be asked for. */
export const countOf = (list: { limit(rows: number): { getSQL(): SQL } }): SQL =>
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
