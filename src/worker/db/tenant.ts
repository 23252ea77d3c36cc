// The wall between companies. Statements of the Api reach a company's rows through these functions alone, each of which
// begins with the key's company: the linter keeps the tables themselves (schema.ts) out of src/worker/api.
import { and, eq, getTableColumns, type SQL, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import type { KeyAccess } from "./access.ts";
import { earliest } from "./expressions.ts";
import { apiKeyCapabilities, apiKeys, apiKeyTokens, applications, companies, processes } from "./schema.ts";

/** Machine sizes belong to no company. */
export { processResourceTypes } from "./schema.ts";

/** The application of that id, if it belongs to the key's company: any other is as absent as one that does not exist. */
export const ownApplication = (query: QueryBuilder, access: KeyAccess, id: SQL) =>
  query
    .$with("application")
    .as(
      query
        .select(getTableColumns(applications))
        .from(applications)
        .innerJoin(access, eq(access.companyId, applications.companyId))
        .where(eq(applications.id, id)),
    );

export type OwnApplication = ReturnType<typeof ownApplication>;

/** The processes of an {@link ownApplication}, or the one of that id. */
export const processesOf = (query: QueryBuilder, application: OwnApplication, id?: SQL) =>
  query
    .select(getTableColumns(processes))
    .from(processes)
    .innerJoin(application, eq(application.id, processes.applicationId))
    .where(and(id && eq(processes.id, id)));

/** A subquery of {@link processesOf}. */
export type OwnProcess = ReturnType<ReturnType<typeof processesOf>["as"]>;

/** How many processes an {@link ownApplication} has. */
export const processCount = (application: OwnApplication): SQL =>
  sql`(select count(*) from ${processes} where ${eq(processes.applicationId, application.id)})`;

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
