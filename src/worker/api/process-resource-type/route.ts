import { createRoute, z } from "@hono/zod-openapi";
import { EVERY } from "../../shared/cache.ts";
import { answer } from "../answer.ts";
import { authorize, keyHashOf } from "../authorize.ts";
import type { ApiApp } from "../context.ts";
import { EXAMPLE_IDS } from "../document/examples.ts";
import { conditional } from "../document/headers.ts";
import { getResponses } from "../document/responses.ts";
import { integer, uuid } from "../schemas.ts";
import { listProcessResourceTypesForKey } from "./query.ts";

const processResourceTypesSchema = z.array(
  z
    .strictObject({
      id: uuid(EXAMPLE_IDS.small).openapi({ description: "Identifier, as in a process's `resource_type_id`" }),
      name: z.string().openapi({ description: "Name", example: "s1" }),
      cpu_limit: integer(1).openapi({ description: "CPU in millicores", example: 500 }),
      memory_limit: integer(1).openapi({ description: "Memory in megabytes", example: 512 }),
      category: z.string().openapi({ description: "What it is made for", example: "standard" }),
    })
    .openapi("ProcessResourceType", { description: "A machine size" }),
);

const listProcessResourceTypes = createRoute({
  method: "get",
  path: "/resources/process-resource-types",
  operationId: "listProcessResourceTypesV3",
  tags: ["Resources"],
  summary: "List process resource types",
  description: "The machine sizes that a process can have, the smallest first. Any valid API key will do.",
  parameters: conditional("If-None-Match"),
  responses: getResponses({
    description: "All machine sizes.",
    schema: processResourceTypesSchema,
    examples: {
      all: {
        summary: "Two sizes",
        value: [
          { id: EXAMPLE_IDS.small, name: "s1", cpu_limit: 500, memory_limit: 512, category: "standard" },
          { id: EXAMPLE_IDS.large, name: "l2", cpu_limit: 4_000, memory_limit: 16_384, category: "standard" },
        ],
      },
    },
  }),
});

export function registerProcessResourceTypes(app: ApiApp): void {
  app.openapi(listProcessResourceTypes, async (c) => {
    const rows = await listProcessResourceTypesForKey(c.env.db, { keyHash: keyHashOf(c) });
    const { access } = authorize(c, rows[0], null);
    const types = rows.flatMap(({ resourceType }) => resourceType ?? []);
    const payload = types.map(({ id, name, cpuMillicores, memoryMegabytes, category }) => ({
      id,
      name,
      cpu_limit: cpuMillicores,
      memory_limit: memoryMegabytes,
      category,
    }));
    return answer(c, processResourceTypesSchema, payload, {
      access,
      tagged: { "resource-type": [...types.map(({ id }) => id), EVERY] },
      freshSeconds: c.env.config.cache.resourceTypesFreshSeconds,
    });
  });
}
