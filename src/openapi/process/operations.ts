import { createRoute, z } from "@hono/zod-openapi";
import { FORBIDDEN, INVALID_PARAMETER, NOT_FOUND } from "../components/failures.ts";
import { conditional } from "../components/headers.ts";
import { applicationId, pagination, processId } from "../components/parameters.ts";
import { getResponses } from "../components/responses.ts";
import { PROCESS_EXAMPLES, PROCESS_LIST_EXAMPLES } from "./examples.ts";
import { processListSchema, processSchema } from "./schema.ts";

export const listProcesses = createRoute({
  method: "get",
  path: "/applications/{id}/processes",
  operationId: "listProcessesV3",
  tags: ["Applications"],
  summary: "List an application's processes",
  description:
    "Returns the processes of an application in the order in which they are displayed and then of their creation, one page at a time. Needs the permission `APP:READ` for the application.",
  parameters: conditional("If-None-Match"),
  request: { params: z.object({ id: applicationId }), query: pagination },
  responses: {
    ...getResponses({
      description: "A page of processes",
      schema: processListSchema,
      examples: PROCESS_LIST_EXAMPLES,
    }),
    ...INVALID_PARAMETER,
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
  parameters: conditional("If-None-Match", "If-Modified-Since"),
  request: { params: z.object({ id: applicationId, process_id: processId }) },
  responses: {
    ...getResponses({
      description: "The process",
      schema: processSchema,
      examples: PROCESS_EXAMPLES,
      isDated: true,
    }),
    ...INVALID_PARAMETER,
    ...FORBIDDEN,
    ...NOT_FOUND,
  },
});
