import { and, eq, gt, isNull, or, type SQL, sql } from "drizzle-orm";
import type { AnyPgColumn } from "drizzle-orm/pg-core";
import { type Database, run } from "./client.ts";
import { apiKeyCapabilities, apiKeys, apiKeyTokens } from "./schema.ts";
import { isUseUnrecorded } from "./usage.ts";

export type Permission = (typeof apiKeyCapabilities.permission.enumValues)[number];

/** What the holder of a live key may do. */
export interface Access {
  keyId: string;
  companyId: string;
  /** Until the key or the token expires, whichever is first; null if neither does. Never too many. */
  secondsLeft: number | null;
  isPermitted: boolean;
  /** Whether this use of the key is to be recorded. */
  isUseDue: boolean;
}

/**
 * The first part of every statement: the row of the key whose token hashes to the placeholder `keyHash`. Read by the
 * same statement as what it protects, so that the check costs no round trip and cannot be forgotten.
 *
 * @param permission what the key must be permitted; null if every live key will do
 * @param resourceId to which resource; null if the grant must be for all
 */
export function keyAccess(db: Database, permission: Permission | null, resourceId: SQL | null) {
  return db.$with("access").as(
    db
      .select({
        keyId: apiKeys.id,
        companyId: apiKeys.companyId,
        tokenHash: apiKeyTokens.hash,
        secondsLeft: sql<
          number | null
        >`extract(epoch from least(${apiKeys.expiresAt}, ${apiKeyTokens.expiresAt}) - now())::float8`.as(
          "seconds_left",
        ),
        isPermitted: sql<boolean>`${permission === null ? sql`true` : isGranted(permission, resourceId)}`.as(
          "is_permitted",
        ),
        isUseDue: sql<boolean>`${isUseUnrecorded()}`.as("is_use_due"),
      })
      .from(apiKeyTokens)
      .innerJoin(apiKeys, eq(apiKeys.id, apiKeyTokens.apiKeyId))
      .where(
        and(
          // A bare placeholder would go past the column's encoding.
          eq(apiKeyTokens.hash, sql.param(sql.placeholder("keyHash"), apiKeyTokens.hash)),
          apiKeys.isEnabled,
          isUnexpired(apiKeyTokens.expiresAt),
          isUnexpired(apiKeys.expiresAt),
        ),
      ),
  );
}

/** The columns of {@link Access}, for the select list of a statement that begins with {@link keyAccess}. */
export const accessColumns = (access: ReturnType<typeof keyAccess>) => ({
  keyId: access.keyId,
  companyId: access.companyId,
  secondsLeft: access.secondsLeft,
  isPermitted: access.isPermitted,
  isUseDue: access.isUseDue,
});

/**
 * Runs a statement that begins with {@link keyAccess}.
 *
 * @returns its rows; none means: no such key, or not any more
 * @throws DatabaseError
 */
export async function runForKey<T extends { access: Access }>(query: () => PromiseLike<T[]>): Promise<T[]> {
  const startedAt = Date.now();
  const rows = await run(query());
  // The database counted from some moment of this round trip. Take its beginning: a key may die early, never late.
  const elapsedSeconds = (Date.now() - startedAt) / 1000;
  for (const { access } of rows) {
    if (access.secondsLeft !== null) access.secondsLeft -= elapsedSeconds;
  }
  return rows;
}

function isUnexpired(expiresAt: AnyPgColumn): SQL | undefined {
  return or(isNull(expiresAt), gt(expiresAt, sql`now()`));
}

function isGranted(permission: Permission, resourceId: SQL | null): SQL {
  const { apiKeyId, permission: granted, resourceId: scope } = apiKeyCapabilities;
  const inScope = resourceId === null ? isNull(scope) : or(isNull(scope), eq(scope, resourceId));
  return sql`exists (select from ${apiKeyCapabilities} where ${and(eq(apiKeyId, apiKeys.id), eq(granted, permission), inScope)})`;
}
