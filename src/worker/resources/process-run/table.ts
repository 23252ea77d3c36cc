import { sql } from "drizzle-orm";
import { check, index, integer as int, pgEnum, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { hasLength, id, isBetween, isIsoMoment, isOnlyFor, isUuid, moment } from "../../db/columns.ts";
import { processes } from "../process/table.ts";

export const runTrigger = pgEnum("run_trigger", ["scheduled", "manual"]);
export const runOutcome = pgEnum("run_outcome", ["succeeded", "failed"]);

/**
 * Runs of cron processes. A request through the API writes a row of a run that is due now. The control plane takes those that
 * have not started, adds those of the schedule, and writes what becomes of them. The feed deletes what is older than
 * `RUN_DAYS`.
 */
export const processRuns = pgTable(
  "process_runs",
  {
    id: id(),
    processId: uuid("process_id")
      .notNull()
      .references(() => processes.id, { onDelete: "cascade" }),
    /** When the run is due: when somebody asked for it, or what the schedule says. */
    requestedAt: moment("requested_at").notNull().defaultNow(),
    startedAt: moment("started_at"),
    finishedAt: moment("finished_at"),
    // Versions before these columns write null into both: a manual run, never retried.
    trigger: runTrigger("trigger").default("manual"),
    retryCount: int("retry_count").default(0),
    /** Null if nobody has said. */
    outcome: runOutcome("outcome"),
    failureReason: text("failure_reason"),
    exitCode: int("exit_code"),
  },
  (table) => [
    index("process_runs_process_id_requested_at_id_idx").on(table.processId, table.requestedAt, table.id),
    index("process_runs_requested_at_idx").on(table.requestedAt),
    index("process_runs_waiting").on(table.requestedAt).where(sql`${table.startedAt} is null`),
    check("process_runs_id_uuid", isUuid(table.id)),
    check("process_runs_requested_at_iso", isIsoMoment(table.requestedAt)),
    check("process_runs_started_at_iso", isIsoMoment(table.startedAt)),
    check("process_runs_finished_at_iso", isIsoMoment(table.finishedAt)),
    check("process_runs_starts_once_requested", sql`${table.startedAt} >= ${table.requestedAt}`),
    check(
      "process_runs_finishes_once_started",
      sql`${table.finishedAt} is null or (${table.finishedAt} >= ${table.startedAt}) is true`,
    ),
    check(
      "process_runs_result_once_finished",
      sql`${table.finishedAt} is not null or (${table.outcome} is null and ${table.exitCode} is null)`,
    ),
    check(
      "process_runs_failure_reason_only_if_failed",
      isOnlyFor("failed", table.outcome, sql`${table.failureReason} is null`),
    ),
    check("process_runs_failure_reason_length", hasLength(table.failureReason, 1, 1024)),
    check("process_runs_exit_code_range", isBetween(table.exitCode, 0, 255)),
    check("process_runs_retry_count_range", isBetween(table.retryCount, 0, 2_147_483_647)),
  ],
);

/** What the Worker's role may do with it (src/cli/deploy/worker-role.ts): the update only to lock those that have expired. */
export const RIGHTS = ["select, insert, update (id), delete on process_runs"];
