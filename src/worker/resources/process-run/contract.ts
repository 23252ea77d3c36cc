import { z } from "@hono/zod-openapi";
import { EXAMPLE_IDS, type Examples } from "../../../openapi/components/examples.ts";
import { ofProcess, pagination } from "../../../openapi/components/parameters.ts";
import { integer, listOf, message, text, timestamp, uuid } from "../../../openapi/components/schemas.ts";
import { read, write } from "../../../openapi/contract.ts";
import { RUN_DAYS } from "../../shared/limits.ts";
import { runOutcome, runTrigger } from "./table.ts";

export const triggerProcessCronV3 = write({
  method: "post",
  path: "/applications/{id}/processes/{process_id}/trigger",
  tags: ["Applications"],
  summary: "Trigger a cron process",
  description:
    "Asks for a run of a cron process now, beside its schedule; the list of its runs shows what becomes of it. A body is ignored.",
  permission: "APP:UPDATE",
  resource: "Process",
  ids: ofProcess(EXAMPLE_IDS.cron),
  response: {
    description: "The run is asked for",
    schema: message("Cron job triggered").openapi("ProcessTriggered", { description: "A run is asked for" }),
    examples: { triggered: { summary: "Triggered", value: { message: "Cron job triggered" } } },
  },
});

const runSchema = z
  .strictObject({
    id: uuid(EXAMPLE_IDS.run).openapi({ description: "Identifier of the run" }),
    process_id: uuid(EXAMPLE_IDS.cron).openapi({ description: "Identifier of the process" }),
    trigger: z.enum(runTrigger.enumValues).openapi({
      description: "`scheduled`: by the schedule. `manual`: by a request",
      example: "scheduled",
    }),
    due_at: timestamp().openapi({ description: "When the run was due; a manual one, when it was asked for" }),
    started_at: timestamp().nullable().openapi({ description: "When it started; null: it is waiting" }),
    finished_at: timestamp().nullable().openapi({ description: "When it finished; null: it has not yet" }),
    outcome: z.enum(runOutcome.enumValues).nullable().openapi({
      description: "How it ended; null: it has not finished, or its outcome was not recorded",
      example: "failed",
    }),
    failure_reason: text(1, 1024).nullable().openapi({
      description: "Why it failed; null unless `outcome` is `failed`",
      example: "DeadlineExceeded",
    }),
    exit_code: integer(0, 255).nullable().openapi({
      description: "Exit code of the command in its last try; null: it has not finished, or has none",
      example: 137,
    }),
    retry_count: integer(0, 2_147_483_647).openapi({ description: "How often it was tried again", example: 2 }),
  })
  .openapi("ProcessRun", {
    description: "A run of a cron process. The names of the fields are this API's own.",
  });

const runListSchema = listOf(runSchema, "runs", {
  data: "The runs, newest first",
  total: "Number of runs that are kept",
  example: { total: 1, limit: 25 },
}).openapi("ProcessRunList", { description: "A page of a process's runs" });

export type ProcessRun = z.infer<typeof runSchema>;
type ProcessRunList = z.infer<typeof runListSchema>;

const EXAMPLES = {
  page: {
    summary: "A run that was asked for, after one of the schedule that has failed",
    value: {
      data: [
        {
          id: EXAMPLE_IDS.manualRun,
          process_id: EXAMPLE_IDS.cron,
          trigger: "manual",
          due_at: "2025-01-30T09:12:07.000Z",
          started_at: null,
          finished_at: null,
          outcome: null,
          failure_reason: null,
          exit_code: null,
          retry_count: 0,
        },
        {
          id: EXAMPLE_IDS.run,
          process_id: EXAMPLE_IDS.cron,
          trigger: "scheduled",
          due_at: "2025-01-30T08:00:00.000Z",
          started_at: "2025-01-30T08:00:05.000Z",
          finished_at: "2025-01-30T08:30:05.000Z",
          outcome: "failed",
          failure_reason: "DeadlineExceeded",
          exit_code: 137,
          retry_count: 2,
        },
      ],
      total: 2,
      offset: 0,
      limit: 25,
    },
  },
} satisfies Examples<ProcessRunList>;

export const listProcessRunsV3 = read({
  path: "/applications/{id}/processes/{process_id}/runs",
  tags: ["Applications"],
  summary: "List the runs of a cron process",
  description: `Returns the runs of a cron process, by its schedule and by request, the newest first, one page at a time: when each was due, started and finished, and how it ended. A run is kept for ${RUN_DAYS} days once it was due; a cached response may show it for as long as the response is cached. Processes of other types have no runs.`,
  permission: "APP:READ",
  resource: "Process",
  ids: ofProcess(EXAMPLE_IDS.cron),
  query: pagination,
  response: { description: "A page of runs", schema: runListSchema, examples: EXAMPLES },
});
