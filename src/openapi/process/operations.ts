import { createRoute, z } from "@hono/zod-openapi";
import { RUN_DAYS } from "../../worker/shared/limits.ts";
import { EXAMPLE_IDS } from "../components/examples.ts";
import { FORBIDDEN, INVALID_BODY, INVALID_PATCH, NOT_FOUND } from "../components/failures.ts";
import { headerParameters } from "../components/headers.ts";
import { applicationId, dryRun, pagination, processId } from "../components/parameters.ts";
import { getResponses, writeResponses } from "../components/responses.ts";
import { createProcessBody, updateProcessBody } from "./body.ts";
import {
  CREATE_PROCESS_EXAMPLES,
  PROCESS_EXAMPLES,
  PROCESS_LIST_EXAMPLES,
  RUN_LIST_EXAMPLES,
  UPDATE_PROCESS_EXAMPLES,
  WRITTEN_PROCESS_EXAMPLES,
} from "./examples.ts";
import { deletedSchema, processListSchema, processSchema, runListSchema, triggeredSchema } from "./schema.ts";

const ofApplication = z.object({ id: applicationId });
const ofProcess = (example: string) => z.object({ id: applicationId, process_id: processId(example) });

export const listProcesses = createRoute({
  method: "get",
  path: "/applications/{id}/processes",
  operationId: "listProcessesV3",
  tags: ["Applications"],
  summary: "List an application's processes",
  description:
    "Returns the processes of an application in the order in which they are displayed and then of their creation, one page at a time. Needs the permission `APP:READ` for the application.",
  parameters: headerParameters("If-None-Match", "Cache-Control"),
  request: { params: ofApplication, query: pagination },
  responses: {
    ...getResponses({
      description: "A page of processes",
      schema: processListSchema,
      examples: PROCESS_LIST_EXAMPLES,
    }),
    ...FORBIDDEN,
    ...NOT_FOUND,
  },
});

export const getProcess = createRoute({
  method: "get",
  path: "/applications/{id}/processes/{process_id}",
  operationId: "getProcessV3",
  tags: ["Applications"],
  summary: "Get a process",
  description:
    "Returns the full details of one process: runtime configuration, scaling strategy, resource limits and probe settings. Needs the permission `APP:READ` for the application.",
  parameters: headerParameters("If-None-Match", "If-Modified-Since", "Cache-Control"),
  request: { params: ofProcess(EXAMPLE_IDS.web) },
  responses: {
    ...getResponses({
      description: "The process",
      schema: processSchema,
      examples: PROCESS_EXAMPLES,
      isDated: true,
    }),
    ...FORBIDDEN,
    ...NOT_FOUND,
  },
});

const NEEDS_UPDATE = "Needs the permission `APP:UPDATE` for the application.";

export const createProcess = createRoute({
  method: "post",
  path: "/applications/{id}/processes",
  operationId: "createProcessV3",
  tags: ["Applications"],
  summary: "Create a process",
  description: `Creates a process, which takes effect with the next deployment. An application has at most one web process, which begins with ingress by \`http\`. \`key\` is \`web\` for the web process and otherwise made of \`display_name\`; it never changes. ${NEEDS_UPDATE}`,
  parameters: headerParameters("Idempotency-Key"),
  request: {
    params: ofApplication,
    query: dryRun,
    body: {
      required: true,
      content: { "application/json": { schema: createProcessBody, examples: CREATE_PROCESS_EXAMPLES } },
    },
  },
  responses: {
    ...writeResponses({
      description: "The new process",
      schema: processSchema,
      examples: WRITTEN_PROCESS_EXAMPLES,
      isDated: true,
    }),
    ...INVALID_BODY,
  },
});

export const updateProcess = createRoute({
  method: "patch",
  path: "/applications/{id}/processes/{process_id}",
  operationId: "updateProcessV3",
  tags: ["Applications"],
  summary: "Update a process",
  description: `Changes what is sent, and leaves everything else as it is; null clears \`port\` and the probes. Reads show the new values at once; the machine size, scaling and probes take effect with the next deployment. ${NEEDS_UPDATE}`,
  parameters: headerParameters("If-Match", "Idempotency-Key"),
  request: {
    params: ofProcess(EXAMPLE_IDS.web),
    query: dryRun,
    body: {
      required: true,
      content: { "application/json": { schema: updateProcessBody, examples: UPDATE_PROCESS_EXAMPLES } },
    },
  },
  responses: {
    ...writeResponses({
      description: "The process as it is now",
      schema: processSchema,
      examples: WRITTEN_PROCESS_EXAMPLES,
      isDated: true,
    }),
    ...INVALID_PATCH,
  },
});

export const deleteProcess = createRoute({
  method: "delete",
  path: "/applications/{id}/processes/{process_id}",
  operationId: "deleteProcessV3",
  tags: ["Applications"],
  summary: "Delete a process",
  description: `Deletes a process and its runs. The web process of an application cannot be deleted. A body is ignored. ${NEEDS_UPDATE}`,
  parameters: headerParameters("If-Match", "Idempotency-Key"),
  request: { params: ofProcess(EXAMPLE_IDS.worker), query: dryRun },
  responses: writeResponses({
    description: "The process is deleted",
    schema: deletedSchema,
    examples: { deleted: { summary: "Deleted", value: { message: "Process deleted" } } },
  }),
});

export const triggerProcess = createRoute({
  method: "post",
  path: "/applications/{id}/processes/{process_id}/trigger",
  operationId: "triggerProcessCronV3",
  tags: ["Applications"],
  summary: "Trigger a cron process",
  description: `Asks for a run of a cron process now, beside its schedule; the list of its runs shows what becomes of it. A body is ignored. ${NEEDS_UPDATE}`,
  parameters: headerParameters("Idempotency-Key"),
  request: { params: ofProcess(EXAMPLE_IDS.cron), query: dryRun },
  responses: writeResponses({
    description: "The run is asked for",
    schema: triggeredSchema,
    examples: { triggered: { summary: "Triggered", value: { message: "Cron job triggered" } } },
  }),
});

export const listProcessRuns = createRoute({
  method: "get",
  path: "/applications/{id}/processes/{process_id}/runs",
  operationId: "listProcessRunsV3",
  tags: ["Applications"],
  summary: "List the runs of a cron process",
  description: `Returns the runs of a cron process, by its schedule and by request, the newest first, one page at a time: when each was due, started and finished, and how it ended. A run is kept for ${RUN_DAYS} days once it was due; a cached response may show it for as long as the response is cached. Processes of other types have no runs. Needs the permission \`APP:READ\` for the application.`,
  parameters: headerParameters("If-None-Match", "Cache-Control"),
  request: { params: ofProcess(EXAMPLE_IDS.cron), query: pagination },
  responses: {
    ...getResponses({ description: "A page of runs", schema: runListSchema, examples: RUN_LIST_EXAMPLES }),
    ...FORBIDDEN,
    ...NOT_FOUND,
  },
});
