import { bigint, check, pgEnum, pgTable, text } from "drizzle-orm/pg-core";
import {
  createdAt,
  hasLength,
  id,
  isBetween,
  isIsoMoment,
  isUuid,
  MAX_SAFE_INTEGER,
  updatedAt,
} from "../../db/columns.ts";

export const resourceTypeCategory = pgEnum("resource_type_category", [
  "hobby",
  "standard",
  "cpuOptimized",
  "memoryOptimized",
]);

export const processResourceTypes = pgTable(
  "process_resource_types",
  {
    id: id(),
    name: text("name").notNull().unique("process_resource_types_name_key"),
    cpuMillicores: bigint("cpu_millicores", { mode: "number" }).notNull(),
    memoryMegabytes: bigint("memory_megabytes", { mode: "number" }).notNull(),
    category: resourceTypeCategory("category").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    check("process_resource_types_id_uuid", isUuid(table.id)),
    check("process_resource_types_name_length", hasLength(table.name, 1, 255)),
    check("process_resource_types_cpu_millicores_range", isBetween(table.cpuMillicores, 1, MAX_SAFE_INTEGER)),
    check("process_resource_types_memory_megabytes_range", isBetween(table.memoryMegabytes, 1, MAX_SAFE_INTEGER)),
    check("process_resource_types_updated_at_iso", isIsoMoment(table.updatedAt)),
  ],
);

/** What the Worker's role may do with it (src/cli/deploy/worker-role.ts). */
export const RIGHTS = [
  "select (id, name, cpu_millicores, memory_megabytes, category, updated_at) on process_resource_types",
];
