import { sql } from "drizzle-orm";
import { bigint, boolean, check, foreignKey, index, pgEnum, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import { createdAt, hasLength, hexBytes, id, isIsoMoment, isUuid, moment, updatedAt } from "../../db/columns.ts";
import { applications } from "../application/table.ts";
import { companies } from "../company/table.ts";

export const apiKeySource = pgEnum("api_key_source", ["DASHBOARD", "CLI", "EXTERNAL", "SUPPORT_MCP"]);
export const apiKeyEvent = pgEnum("api_key_event", ["issued", "rotated", "disabled", "enabled", "revoked"]);
export const apiKeyPermission = pgEnum("api_key_permission", ["APP:READ", "APP:CREATE", "APP:UPDATE", "APP:DELETE"]);

export const apiKeys = pgTable(
  "api_keys",
  {
    id: id(),
    companyId: uuid("company_id")
      .notNull()
      .references(() => companies.id),
    name: text("name").notNull(),
    /** Where the key was made. */
    source: apiKeySource("source").notNull().default("EXTERNAL"),
    isEnabled: boolean("is_enabled").notNull().default(true),
    expiresAt: moment("expires_at"),
    lastUsedAt: moment("last_used_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    index("api_keys_company_id_created_at_id_idx").on(table.companyId, table.createdAt, table.id).concurrently(),
    unique("api_keys_id_company_id_key").on(table.id, table.companyId),
    check("api_keys_id_uuid", isUuid(table.id)),
    check("api_keys_name_length", hasLength(table.name, 1, 255)),
    check("api_keys_expires_at_iso", isIsoMoment(table.expiresAt)),
    check("api_keys_last_used_at_iso", isIsoMoment(table.lastUsedAt)),
    check("api_keys_created_at_iso", isIsoMoment(table.createdAt)),
    check("api_keys_updated_at_iso", isIsoMoment(table.updatedAt)),
  ],
);

/** A key being rotated has two live tokens. The token itself is stored nowhere. */
export const apiKeyTokens = pgTable(
  "api_key_tokens",
  {
    /** SHA-256 of the whole token, `svl_` included. */
    hash: hexBytes("hash").primaryKey(),
    apiKeyId: uuid("api_key_id")
      .notNull()
      .references(() => apiKeys.id, { onDelete: "cascade" }),
    masked: text("masked").notNull(),
    expiresAt: moment("expires_at"),
    lastUsedAt: moment("last_used_at"),
    createdAt: createdAt(),
  },
  (table) => [
    index("api_key_tokens_api_key_id_idx").on(table.apiKeyId),
    check("api_key_tokens_hash_length", sql`octet_length(${table.hash}) = 32`),
    check("api_key_tokens_masked_pattern", sql`${table.masked} ~ '^svl_[0-9a-f]{2}…[0-9a-f]{4}$'`),
    check("api_key_tokens_expires_at_iso", isIsoMoment(table.expiresAt)),
    check("api_key_tokens_last_used_at_iso", isIsoMoment(table.lastUsedAt)),
  ],
);

/** A permission of a key, and the resource that it is for: `resource_id` null means all of its company's. */
export const apiKeyCapabilities = pgTable(
  "api_key_capabilities",
  {
    id: id(),
    apiKeyId: uuid("api_key_id").notNull(),
    /** The key's company and the resource's: one column, so that they cannot differ. */
    companyId: uuid("company_id").notNull(),
    permission: apiKeyPermission("permission").notNull(),
    resourceId: uuid("resource_id"),
  },
  (table) => [
    unique("api_key_capabilities_api_key_id_permission_resource_id_key")
      .on(table.apiKeyId, table.permission, table.resourceId)
      .nullsNotDistinct(),
    index("api_key_capabilities_resource_id_idx").on(table.resourceId),
    foreignKey({
      name: "api_key_capabilities_api_key_fk",
      columns: [table.apiKeyId, table.companyId],
      foreignColumns: [apiKeys.id, apiKeys.companyId],
    }).onDelete("cascade"),
    foreignKey({
      name: "api_key_capabilities_application_fk",
      columns: [table.resourceId, table.companyId],
      foreignColumns: [applications.id, applications.companyId],
    }).onDelete("cascade"),
  ],
);

/**
 * What `npm run keys` has done to keys, written in the transaction of the change. It refers to nothing, so that it outlives
 * what it tells of.
 */
export const apiKeyEvents = pgTable(
  "api_key_events",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    apiKeyId: uuid("api_key_id").notNull(),
    companyId: uuid("company_id").notNull(),
    event: apiKeyEvent("event").notNull(),
    /** The operator and the role in Postgres. */
    madeBy: text("made_by").notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index("api_key_events_api_key_id_id_idx").on(table.apiKeyId, table.id),
    index("api_key_events_created_at_idx").on(table.createdAt).concurrently(),
  ],
);

/** What the Worker's role may do with it (src/cli/deploy/worker-role.ts): updates of an id only to lock a row. */
export const RIGHTS = [
  "select, update (last_used_at) on api_keys",
  "select (hash, api_key_id, masked, expires_at, last_used_at), update (last_used_at) on api_key_tokens",
  "select (api_key_id, permission, resource_id), update (id) on api_key_capabilities",
  "execute on function delete_expired_key_events(integer)",
];
