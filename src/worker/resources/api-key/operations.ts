import { type SQLWrapper, sql } from "drizzle-orm";
import type { Operations } from "../../api/operation.ts";
import { isoTimestamp } from "../../db/expressions.ts";
import { jsonObject } from "../../db/json.ts";
import { defineStatement } from "../../db/statement.ts";
import { selectPayload } from "../../statements/read.ts";
import { keyAccess } from "./access.ts";
import type * as contract from "./contract.ts";
import { ownKey } from "./rows.ts";

/** @param members of the payload, of the key that asks */
const defineOfKey = (members: (key: ReturnType<typeof ownKey>) => Record<string, SQLWrapper>) =>
  defineStatement((query) => {
    const access = keyAccess(query, null, null);
    const key = ownKey(query, access);
    const json = jsonObject(members(key)).as("json");
    return selectPayload(query, access, [], query.select({ json }).from(key).limit(1).as("payload"));
  });

const getStatement = defineOfKey(
  (key) =>
    ({
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
    }) satisfies Record<keyof contract.ApiKey, SQLWrapper>,
);

const validateStatement = defineOfKey(
  (key) =>
    ({
      name: key.name,
      expires_at: isoTimestamp(key.expiresFirst),
      company_id: key.companyId,
      // Any other is no key that a statement finds.
      status: sql`'active'`,
    }) satisfies Record<keyof contract.ApiKeyValidation, SQLWrapper>,
);

export const apiKeyOperations: Operations<typeof contract> = {
  // No Last-Modified: being used and being granted leave `updated_at` as it is.
  getCurrentApiKeyV3: { statement: getStatement, tags: () => ({}) },
  validateApiKeyV3: { statement: validateStatement, tags: () => ({}) },
};
