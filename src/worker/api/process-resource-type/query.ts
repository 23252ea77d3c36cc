import type { SQLWrapper } from "drizzle-orm";
import type { ProcessResourceType } from "../../../openapi/process-resource-type.ts";
import { type Caller, keyAccess, queryForKey } from "../../db/access.ts";
import type { Database } from "../../db/client.ts";
import { jsonArray, jsonObject } from "../../db/json.ts";
import { type PayloadRow, selectPayload } from "../../db/payload.ts";
import { defineStatement } from "../../db/statement.ts";
import { processResourceTypes } from "../../db/tenant.ts";

const statement = defineStatement((query) => {
  const { id, name, cpuMillicores, memoryMegabytes, category } = processResourceTypes;
  const json = jsonObject({
    id,
    name,
    cpu_limit: cpuMillicores,
    memory_limit: memoryMegabytes,
    category,
  } satisfies Record<keyof ProcessResourceType, SQLWrapper>);
  const access = keyAccess(query, null, null);
  const payload = query
    .select({ json: jsonArray(json, cpuMillicores, memoryMegabytes, name).as("json") })
    .from(processResourceTypes)
    .as("payload");
  return selectPayload(query, access, [], payload);
});

/**
 * All machine sizes, the smallest first.
 *
 * @throws DatabaseError
 */
export const listProcessResourceTypesForKey = (db: Database, caller: Caller): Promise<PayloadRow | undefined> =>
  queryForKey(db, statement(), caller);
