import { type SQLWrapper, sql } from "drizzle-orm";
import type { ApiKey, ApiKeyValidation } from "../../../openapi/api-key.ts";
import { type Caller, keyAccess, queryForKey } from "../../db/access.ts";
import type { Database } from "../../db/client.ts";
import { isoTimestamp } from "../../db/expressions.ts";
import { jsonObject } from "../../db/json.ts";
import { type PayloadRow, selectPayload } from "../../db/payload.ts";
import { defineStatement } from "../../db/statement.ts";
import { ownKey } from "../../db/tenant.ts";

const getStatement = defineStatement((query) => {
  const access = keyAccess(query, null, null);
  const key = ownKey(query, access);
  const payload = query
    .select({
      json: jsonObject({
        id: key.id,
        company_id: key.companyId,
        company: jsonObject({ id: key.companyId, name: key.companyName }),
        name: key.name,
        source: key.source,
        is_enabled: key.isEnabled,
        masked_token: key.masked,
        capabilities: key.capabilities,
        expires_at: isoTimestamp(key.expiresFirst),
        last_used_at: isoTimestamp(key.lastUsedAt),
        created_at: isoTimestamp(key.createdAt),
        updated_at: isoTimestamp(key.updatedAt),
      } satisfies Record<keyof ApiKey, SQLWrapper>).as("json"),
    })
    .from(key)
    .limit(1)
    .as("payload");
  return selectPayload(query, access, [], payload);
});

const validateStatement = defineStatement((query) => {
  const access = keyAccess(query, null, null);
  const key = ownKey(query, access);
  const payload = query
    .select({
      json: jsonObject({
        name: key.name,
        expires_at: isoTimestamp(key.expiresFirst),
        company_id: key.companyId,
        // Any other is no key that a statement finds.
        status: sql`'active'`,
      } satisfies Record<keyof ApiKeyValidation, SQLWrapper>).as("json"),
    })
    .from(key)
    .limit(1)
    .as("payload");
  return selectPayload(query, access, [], payload);
});

/**
 * The key whose token this is.
 *
 * @throws DatabaseError
 */
export const getOwnApiKey = (db: Database, caller: Caller): Promise<PayloadRow | undefined> =>
  queryForKey(db, getStatement(), caller);

/**
 * What says that the key whose token this is can be used.
 *
 * @throws DatabaseError
 */
export const validateOwnApiKey = (db: Database, caller: Caller): Promise<PayloadRow | undefined> =>
  queryForKey(db, validateStatement(), caller);
