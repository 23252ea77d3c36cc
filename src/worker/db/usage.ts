import { and, eq, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import { type Database, run } from "./client.ts";
import { apiKeys } from "./schema.ts";
import { defineStatement } from "./statement.ts";

/** Whether a use of the key is to be written down: not within a minute of the last one that was. */
export const isUseUnrecorded = (): SQL | undefined =>
  or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, sql`now() - interval '1 minute'`));

const statement = defineStatement((db) =>
  db
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    // Once more, because others may have been as quick.
    .where(and(eq(apiKeys.id, sql.placeholder("keyId")), isUseUnrecorded()))
    .prepare("record_use"),
);

/** @throws DatabaseError */
export async function recordUse(db: Database, keyId: string): Promise<void> {
  await run(statement(db).execute({ keyId }));
}
