import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  jsonb,
  pgEnum,
  pgTable,
  timestamp,
  uuid,
} from "drizzle-orm/pg-core";
import { TAGGED } from "../shared/cache.ts";

/** Kinds of tags, and what stands for all of them. */
export const changeKind = pgEnum("change_kind", [...TAGGED, "everything"]);

const transactionId = customType<{ data: string }>({ dataType: () => "xid8" });

/**
 * The outbox: what has changed that a cached answer may show. Triggers write it in the writer's own transaction
 * (drizzle/0003_record_changes.sql); the feed (src/worker/feed) turns it into purges and deletes what is done.
 */
export const changes = pgTable(
  "changes",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    kind: changeKind("kind").notNull(),
    /** Null if there is only one of its kind. */
    resourceId: uuid("resource_id"),
    /** The coarser thing that may be purged in its place, where there are too many. */
    applicationId: uuid("application_id"),
    companyId: uuid("company_id"),
    changedAt: timestamp("changed_at", { withTimezone: true }).notNull().default(sql`clock_timestamp()`),
    /** Of the transaction, which a snapshot shows or does not: ids and times tell nothing of the order of commits. */
    xid: transactionId("xid").notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [
    index("changes_xid_idx").on(table.xid),
    check("changes_changed_at_finite", sql`isfinite(${table.changedAt})`),
  ],
);

/** The feed that drains {@link changes}: one row. */
export const feed = pgTable(
  "feed",
  {
    isOnly: boolean("is_only").primaryKey().default(true),
    /** The run that may purge. */
    holder: uuid("holder"),
    leasedUntil: timestamp("leased_until", { withTimezone: true }),
    /** When it was last heard of, and no change had waited for more than a minute. */
    healthyAt: timestamp("healthy_at", { withTimezone: true }),
    /** What it has done with the changes so far (`Memory` in query.ts). */
    memory: jsonb("memory")
      .notNull()
      .default({ drained: "1:1:", purged: "1:1:", batches: [], waitingSince: null, polledAt: null, isLost: false }),
  },
  (table) => [
    check("feed_is_only", sql`${table.isOnly}`),
    check("feed_leased_until_finite", sql`isfinite(${table.leasedUntil})`),
    check("feed_healthy_at_finite", sql`isfinite(${table.healthyAt})`),
  ],
);

/** What the Worker's role may do with it (src/cli/deploy/worker-role.ts). */
export const RIGHTS = [
  "select (ctid, xid, kind, resource_id, application_id, company_id, changed_at), update (xid), delete on changes",
  "select (holder, leased_until, healthy_at, memory), update (holder, leased_until, healthy_at, memory) on feed",
];
