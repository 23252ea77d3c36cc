import { type SQL, sql } from "drizzle-orm";
import { bigint, check, date, index, jsonb, pgEnum, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { createdAt, hexBytes, isBetween, MAX_SAFE_INTEGER, moment } from "../db/columns.ts";
import { apiKeys } from "../resources/api-key/table.ts";
import { RESPONSE_HOURS } from "../shared/limits.ts";

export const auditedOperation = pgEnum("audited_operation", ["create", "update", "delete", "trigger"]);

/**
 * Every effect of a write through the API, written by the same statement. It refers to nothing, so that it outlives what it
 * tells of.
 */
export const auditLog = pgTable(
  "audit_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    createdAt: createdAt(),
    apiKeyId: uuid("api_key_id").notNull(),
    companyId: uuid("company_id").notNull(),
    applicationId: uuid("application_id").notNull(),
    processId: uuid("process_id").notNull(),
    operation: auditedOperation("operation").notNull(),
    /**
     * The payload of the process as it was and as it is now, null where there is none; of an update, only the fields that
     * differ, but in rows of earlier versions all of them. A run, of a trigger.
     */
    before: jsonb("before"),
    after: jsonb("after"),
    requestId: uuid("request_id"),
  },
  (table) => [
    index("audit_log_process_id_id_idx").on(table.processId, table.id),
    index("audit_log_api_key_id_id_idx").on(table.apiKeyId, table.id).concurrently(),
    index("audit_log_application_id_id_idx").on(table.applicationId, table.id).concurrently(),
    index("audit_log_request_id_idx").on(table.requestId).concurrently(),
    index("audit_log_created_at_idx").on(table.createdAt),
  ],
);

/** Answers to writes that came with an `Idempotency-Key`, to be given again for a day. */
export const idempotentAnswers = pgTable(
  "idempotent_answers",
  {
    apiKeyId: uuid("api_key_id")
      .notNull()
      .references(() => apiKeys.id, { onDelete: "cascade" }),
    /** Method and path, as in `POST /v3/applications/…/processes`. */
    operation: text("operation").notNull(),
    key: text("key").notNull(),
    /** SHA-256 of what was asked for. */
    fingerprint: hexBytes("fingerprint").notNull(),
    body: text("body").notNull(),
    etag: text("etag"),
    lastModified: moment("last_modified"),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.apiKeyId, table.operation, table.key] }),
    index("idempotent_answers_created_at_idx").on(table.createdAt),
  ],
);

/**
 * How much a key has written in the day (UTC) on which it wrote last: one row for each key, so that nothing is left to sweep.
 * Not columns of the key: all writes of a key at once share its row, and a change of that is purged.
 */
export const apiKeyWrites = pgTable(
  "api_key_writes",
  {
    apiKeyId: uuid("api_key_id")
      .primaryKey()
      .references(() => apiKeys.id, { onDelete: "cascade" }),
    day: date("day").notNull(),
    bytes: bigint("bytes", { mode: "number" }).notNull(),
  },
  (table) => [
    check("api_key_writes_day_finite", sql`isfinite(${table.day})`),
    check("api_key_writes_bytes_range", isBetween(table.bytes, 0, MAX_SAFE_INTEGER)),
  ],
);

/** The moment up to which responses are kept no longer for their `Idempotency-Key`. */
export const RESPONSES_EXPIRED: SQL = sql`now() - interval '${sql.raw(String(RESPONSE_HOURS))} hours'`;

/** What the Worker's role may do with it (src/cli/deploy/worker-role.ts). */
export const RIGHTS = [
  "select (id, created_at) on audit_log",
  "insert (api_key_id, company_id, application_id, process_id, operation, before, after, request_id) on audit_log",
  "execute on function delete_expired_audit(integer)",
  "select, delete on idempotent_answers",
  "insert (api_key_id, operation, key, fingerprint, body, etag, last_modified) on idempotent_answers",
  "update (fingerprint, body, etag, last_modified, created_at) on idempotent_answers",
  "select (api_key_id, day, bytes), insert (api_key_id, day, bytes), update (day, bytes) on api_key_writes",
];
