import { and, desc, eq, getTableColumns, gt, type SQL, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import { RUN_DAYS } from "../../shared/limits.ts";
import type { PageOf } from "../../statements/list.ts";
import { insertFrom } from "../../statements/write.ts";
import type { OwnProcess } from "../process/rows.ts";
import { processRuns } from "./table.ts";

/** The moment up to which runs that were due are kept no longer. In hours: a day of a session's time zone may have 23 or 25. */
export const RUNS_EXPIRED: SQL = sql`now() - interval '${sql.raw(String(RUN_DAYS * 24))} hours'`;

/** The runs of an {@link ownProcess} that are kept, the newest first; only a cron process has any. */
export const ownRuns = (query: QueryBuilder, process: OwnProcess) =>
  query
    .select({ id: processRuns.id, requestedAt: processRuns.requestedAt })
    .from(processRuns)
    .where(
      and(
        sql`${processRuns.processId} = (select ${process.id} from ${process} where ${process.type} = 'cron')`,
        gt(processRuns.requestedAt, RUNS_EXPIRED),
      ),
    )
    .orderBy(desc(processRuns.requestedAt), desc(processRuns.id));

/** The rows of a page of {@link ownRuns}. */
export const runsIn = (query: QueryBuilder, page: PageOf<ReturnType<typeof ownRuns>>) =>
  query.select(getTableColumns(processRuns)).from(page).innerJoin(processRuns, eq(processRuns.id, page.id)).as("run");

/** A run of the part `target`, due now, in the part `run`. */
export const createRun: SQL = sql`select run.* from target, jsonb_populate_record(null::${processRuns}, jsonb_build_object(
  'id', gen_random_uuid(), 'process_id', target.id, 'requested_at', now(), 'trigger', 'manual', 'retry_count', 0)) as run`;

export const insertRun: SQL = insertFrom("run", processRuns);
