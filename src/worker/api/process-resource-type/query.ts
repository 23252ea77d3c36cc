import { sql } from "drizzle-orm";
import { accessColumns, keyAccess, runForKey } from "../../db/access.ts";
import type { Database } from "../../db/client.ts";
import { processResourceTypes } from "../../db/schema.ts";
import { defineStatement } from "../../db/statement.ts";

const statement = defineStatement((db) => {
  const access = keyAccess(db, null, null);
  const { id, name, cpuMillicores, memoryMegabytes, category } = processResourceTypes;
  return db
    .with(access)
    .select({ access: accessColumns(access), resourceType: { id, name, cpuMillicores, memoryMegabytes, category } })
    .from(access)
    .leftJoin(processResourceTypes, sql`true`)
    .orderBy(cpuMillicores, memoryMegabytes, name)
    .prepare("list_process_resource_types_for_key");
});

/**
 * All machine sizes, the smallest first; one row with null for a live key when there are none.
 *
 * @throws DatabaseError
 */
export async function listProcessResourceTypesForKey(db: Database, params: { keyHash: string }) {
  return runForKey(() => statement(db).execute(params));
}
