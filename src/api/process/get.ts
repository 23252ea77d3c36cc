import { createRoute, z } from "@hono/zod-openapi";
import { authorize, keyHashOf } from "../access.ts";
import { answer, notFound } from "../answer.ts";
import type { ApiApp } from "../context.ts";
import { getResponses } from "../openapi.ts";
import { pathUuid } from "../parameters.ts";
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
  request: {
    params: z.object({
      id: pathUuid("Identifier of the application"),
      process_id: pathUuid("Identifier of the process"),
    }),
  },
  responses: getResponses(processSchema, "The process"),
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
