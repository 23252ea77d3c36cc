import { z } from "@hono/zod-openapi";
import { EXAMPLE_IDS } from "../../../openapi/components/examples.ts";
import { integer, uuid } from "../../../openapi/components/schemas.ts";
import { read } from "../../../openapi/contract.ts";
import { resourceTypeCategory } from "./table.ts";

const processResourceTypesSchema = z.array(
  z
    .strictObject({
      id: uuid(EXAMPLE_IDS.small).openapi({ description: "Identifier, as in a process's `resource_type_id`" }),
      name: z.string().openapi({ description: "Name of the machine size", example: "s1" }),
      cpu_limit: integer(1).openapi({ description: "CPU in millicores", example: 500 }),
      memory_limit: integer(1).openapi({ description: "Memory in megabytes", example: 512 }),
      category: z
        .enum(resourceTypeCategory.enumValues)
        .openapi({ description: "Purpose of the machine size", example: "standard" }),
    })
    .openapi("ProcessResourceType", { description: "A machine size" }),
);

export type ProcessResourceType = z.infer<typeof processResourceTypesSchema>[number];

export const listProcessResourceTypesV3 = read({
  path: "/resources/process-resource-types",
  tags: ["Resources"],
  summary: "List process resource types",
  description: "Returns the machine sizes that a process can have, the smallest first. Any valid API key will do.",
  permission: null,
  resource: null,
  response: {
    description: "All machine sizes",
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
  },
});
