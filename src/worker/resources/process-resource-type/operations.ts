import type { SQLWrapper } from "drizzle-orm";
import type { Operations } from "../../api/operation.ts";
import { jsonArray, jsonObject } from "../../db/json.ts";
import { defineStatement } from "../../db/statement.ts";
import { EVERY } from "../../shared/cache.ts";
import { selectPayload } from "../../statements/read.ts";
import { keyAccess } from "../api-key/access.ts";
import type * as contract from "./contract.ts";
import { processResourceTypes } from "./rows.ts";

const statement = defineStatement((query) => {
  const { id, name, cpuMillicores, memoryMegabytes, category } = processResourceTypes;
  const json = jsonObject({
    id,
    name,
    cpu_limit: cpuMillicores,
    memory_limit: memoryMegabytes,
    category,
  } satisfies Record<keyof contract.ProcessResourceType, SQLWrapper>);
  const access = keyAccess(query, null, null);
  const payload = query
    .select({ json: jsonArray(json, cpuMillicores, memoryMegabytes, name).as("json") })
    .from(processResourceTypes)
    .as("payload");
  return selectPayload(query, access, [], payload);
});

export const processResourceTypeOperations: Operations<typeof contract> = {
  listProcessResourceTypesV3: {
    statement,
    tags: () => ({ "resource-type-list": [EVERY] }),
    tagsIn: (types) => ({ "resource-type": types.map(({ id }) => id) }),
    freshWithoutFeed: "resourceTypesFreshSeconds",
  },
};
