import { createRoute, z } from "@hono/zod-openapi";
import { answer, notFound } from "../answer.ts";
import { authorize, keyHashOf } from "../authorize.ts";
import type { ApiApp } from "../context.ts";
import { FORBIDDEN, INVALID_PARAMETER, NOT_FOUND } from "../document/failures.ts";
import { conditional } from "../document/headers.ts";
import { getResponses } from "../document/responses.ts";
import { applicationId, pagination } from "../parameters.ts";
import { integer } from "../schemas.ts";
import { PROCESS_LIST_EXAMPLES } from "./examples.ts";
import { toPayload } from "./payload.ts";
import { listProcessesForKey } from "./query.ts";
import { processSchema } from "./schema.ts";

const processListSchema = z
  .strictObject({
    data: z.array(processSchema).openapi({ description: "Oldest first" }),
    total: integer(0).openapi({ description: "How many processes the application has", example: 4 }),
    offset: integer(0).openapi({ description: "How many were skipped", example: 0 }),
    limit: integer(1).openapi({ description: "How many there are at most in `data`", example: 2 }),
  })
  .openapi("ProcessList", { description: "A page of an application's processes" });

const listProcesses = createRoute({
  method: "get",
  path: "/applications/{id}/processes",
  operationId: "listProcessesV3",
  tags: ["Applications"],
  summary: "List an application's processes",
  description:
    "The processes of an application in the order of their creation, a page at a time. Needs the permission `APP:READ` for the application.",
  parameters: conditional("If-None-Match"),
  request: { params: z.object({ id: applicationId }), query: pagination },
  responses: {
    ...getResponses({
      description: "A page of processes.",
      schema: processListSchema,
      examples: PROCESS_LIST_EXAMPLES,
    }),
    ...INVALID_PARAMETER,
    ...FORBIDDEN,
    ...NOT_FOUND,
  },
});

export function registerListProcesses(app: ApiApp): void {
  app.openapi(listProcesses, async (c) => {
    const { id } = c.req.valid("param");
    const { limit, offset } = c.req.valid("query");
    const rows = await listProcessesForKey(c.env.db, { keyHash: keyHashOf(c), applicationId: id, limit, offset });
    const { access, application, total } = authorize(c, rows[0], "APP:READ");
    if (application === null) throw notFound(c, "Application", { access, tagged: { application: [id] } });
    const found = rows.flatMap(({ process, resourceType }) =>
      process === null ? [] : [{ process, application, resourceType }],
    );
    const tagged = {
      application: [id],
      process: found.map(({ process }) => process.id),
      "resource-type": found.flatMap(({ resourceType }) => resourceType?.id ?? []),
    };
    // No Last-Modified: a process that is deleted changes the list and leaves no later moment behind.
    return answer(c, processListSchema, { data: found.map(toPayload), total, offset, limit }, { access, tagged });
  });
}
