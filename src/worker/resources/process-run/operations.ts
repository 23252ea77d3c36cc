import { desc, type SQLWrapper, sql } from "drizzle-orm";
import type { Operations } from "../../api/operation.ts";
import { isoTimestamp } from "../../db/expressions.ts";
import { jsonArray, jsonObject } from "../../db/json.ts";
import { defineStatement } from "../../db/statement.ts";
import { EVERY } from "../../shared/cache.ts";
import { pageOf, pagePayload } from "../../statements/list.ts";
import { selectPayload } from "../../statements/read.ts";
import { defineWrite, messageOf } from "../../statements/write.ts";
import { keyAccess } from "../api-key/access.ts";
import { ownApplication } from "../application/rows.ts";
import { lockProcess, ownProcess } from "../process/rows.ts";
import type * as contract from "./contract.ts";
import { createRun, insertRun, ownRuns, runsIn } from "./rows.ts";

const id = sql`${sql.placeholder("id")}`;
const processId = sql`${sql.placeholder("process_id")}`;

const triggerStatement = defineWrite((_query, application) => ({
  target: lockProcess(application, sql`${processId}::uuid`),
  parts: { run: createRun },
  subject: sql`select from target`,
  refusals: { no_cron_process: sql`exists (select from target where type is distinct from 'cron')` },
  answer: messageOf("Cron job triggered"),
  effects: { requested: insertRun },
  audited: {
    operation: "trigger",
    from: sql`run`,
    process: sql`run.process_id`,
    before: sql`null`,
    after: sql`to_jsonb(run)`,
  },
}));

const listStatement = defineStatement((query) => {
  const access = keyAccess(query, "APP:READ", id);
  const application = ownApplication(query, access, id);
  const process = ownProcess(query, application, processId);
  const run = runsIn(query, pageOf(ownRuns(query, process)));
  const json = jsonObject({
    id: run.id,
    process_id: run.processId,
    trigger: sql`coalesce(${run.trigger}, 'manual')`,
    due_at: isoTimestamp(run.requestedAt),
    started_at: isoTimestamp(run.startedAt),
    finished_at: isoTimestamp(run.finishedAt),
    outcome: run.outcome,
    failure_reason: run.failureReason,
    exit_code: run.exitCode,
    retry_count: sql`coalesce(${run.retryCount}, 0)`,
  } satisfies Record<keyof contract.ProcessRun, SQLWrapper>);
  const data = query.select({ data: jsonArray(json, desc(run.requestedAt), desc(run.id)) }).from(run);
  const payload = pagePayload(query, data, ownRuns(query, process), process).as("payload");
  return selectPayload(query, access, [application, process], payload);
});

export const processRunOperations: Operations<typeof contract> = {
  triggerProcessCronV3: {
    statements: triggerStatement,
    failureOf: () => ({ reason: "no_cron_process" }),
    tags: ({ process_id }) => ({ "run-list": [process_id] }),
  },
  listProcessRunsV3: {
    statement: listStatement,
    tags: ({ id, process_id }) => ({ application: [id], process: [process_id], "run-list": [process_id, EVERY] }),
  },
};
