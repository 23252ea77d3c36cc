import { eq, getTableColumns, type SQL, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import { earliest } from "../../db/expressions.ts";
import { companies } from "../company/table.ts";
import type { KeyAccess } from "./access.ts";
import { apiKeyCapabilities, apiKeys, apiKeyTokens } from "./table.ts";

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
