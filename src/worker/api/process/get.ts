import { createRoute, z } from "@hono/zod-openapi";
import { answer, notFound } from "../answer.ts";
import { authorize, keyHashOf } from "../authorize.ts";
import type { ApiApp } from "../context.ts";
import { FORBIDDEN, INVALID_PARAMETER, NOT_FOUND } from "../document/failures.ts";
import { conditional } from "../document/headers.ts";
import { getResponses } from "../document/responses.ts";
import { applicationId, processId } from "../parameters.ts";
import { PROCESS_EXAMPLES } from "./examples.ts";
import { toPayload } from "./payload.ts";
import { getProcessForKey } from "./query.ts";
import { processSchema } from "./schema.ts";

const getProcess = createRoute({
  method: "get",
  path: "/applications/{id}/processes/{process_id}",
  operationId: "getProcessV3",
  tags: ["Applications"],
  summary: "Get a process",
  description:
    "All there is to know of one process: what it runs, how it scales, which resources it may use and how its health is probed. Needs the permission `APP:READ` for the application.",
  parameters: conditional("If-None-Match", "If-Modified-Since"),
  request: { params: z.object({ id: applicationId, process_id: processId }) },
  responses: {
    ...getResponses({
      description: "The process.",
      schema: processSchema,
      examples: PROCESS_EXAMPLES,
      isDated: true,
    }),
    ...INVALID_PARAMETER,
    ...FORBIDDEN,
    ...NOT_FOUND,
  },
});

export function registerGetProcess(app: ApiApp): void {
  app.openapi(getProcess, async (c) => {
    const { id, process_id } = c.req.valid("param");
    const row = authorize(
      c,
      await getProcessForKey(c.env.db, { keyHash: keyHashOf(c), applicationId: id, processId: process_id }),
      "APP:READ",
    );
    const { access, application, process, resourceType, lastModified } = row;
    const tagged = {
      application: [id],
      process: [process_id],
      ...(resourceType && { "resource-type": [resourceType.id] }),
    };
    if (application === null || process === null) throw notFound(c, "Process", { access, tagged });
    return answer(c, processSchema, toPayload({ application, process, resourceType }), {
      access,
      tagged,
      lastModified,
    });
  });
}
