import { randomUUID } from "node:crypto";
import { processResourceTypes } from "../../../../src/worker/resources/process-resource-type/table.ts";
import type { Fixture } from "../../../support/fixtures.ts";
import { counts, iso, length, uuids } from "../../../support/rules.ts";

export const fixtures: Fixture[] = [
  {
    table: processResourceTypes,
    row: () => ({ name: randomUUID(), cpuMillicores: 1, memoryMegabytes: 1, category: "standard" }),
    rules: {
      ...uuids("id"),
      ...length("name", 1, 255),
      ...counts("cpu_millicores memory_megabytes"),
      ...iso("updated_at"),
    },
    change: "cpu_millicores = 2",
  },
];
