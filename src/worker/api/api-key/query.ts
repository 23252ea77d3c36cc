import { eq, sql } from "drizzle-orm";
import { accessColumns, keyAccess, type Permission, runForKey } from "../../db/access.ts";
import type { Database } from "../../db/client.ts";
import { earliest, isoTimestamp } from "../../db/expressions.ts";
import { apiKeyCapabilities, apiKeys, apiKeyTokens, companies } from "../../db/schema.ts";
import { defineStatement } from "../../db/statement.ts";

interface Capability {
  permission: Permission;
  resource_id: string | null;
}

/** What the key may do; a grant for one resource is left out beside a grant for all. */
const effectiveCapabilities = sql<Capability[]>`(
  select coalesce(json_agg(json_build_object('permission', granted.permission, 'resource_id', granted.resource_id)
    order by granted.permission, granted.resource_id), '[]')
  from ${apiKeyCapabilities} granted
  where granted.api_key_id = ${apiKeys.id} and (granted.resource_id is null or not exists (
    select from ${apiKeyCapabilities} wider
    where wider.api_key_id = granted.api_key_id and wider.permission = granted.permission and wider.resource_id is null
  ))
)`;

const statement = defineStatement((db) => {
  const access = keyAccess(db, null, null);
  return db
    .with(access)
    .select({
      access: accessColumns(access),
      company: { id: companies.id, name: companies.name },
      name: apiKeys.name,
      isEnabled: apiKeys.isEnabled,
      masked: apiKeyTokens.masked,
      capabilities: effectiveCapabilities,
      expiresAt: isoTimestamp(earliest(apiKeys.expiresAt, apiKeyTokens.expiresAt)),
      lastUsedAt: isoTimestamp(apiKeys.lastUsedAt),
      createdAt: isoTimestamp(apiKeys.createdAt),
      updatedAt: isoTimestamp(apiKeys.updatedAt),
    })
    .from(access)
    .innerJoin(apiKeys, eq(apiKeys.id, access.keyId))
    .innerJoin(apiKeyTokens, eq(apiKeyTokens.hash, access.tokenHash))
    .innerJoin(companies, eq(companies.id, access.companyId))
    .prepare("get_own_api_key");
});

/**
 * The key whose token this is.
 *
 * @throws DatabaseError
 */
export async function getOwnApiKey(db: Database, params: { keyHash: string }) {
  const [row] = await runForKey(() => statement(db).execute(params));
  return row;
}
