import { and, eq, gt, isNull, or, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { AnyPgColumn, QueryBuilder } from "drizzle-orm/pg-core";
import type { Database } from "../../db/client.ts";
import type { Statement } from "../../db/statement.ts";
import { feed } from "../../feed/table.ts";
import type { Trace } from "../../shared/trace.ts";
import { apiKeyCapabilities, apiKeys, apiKeyTokens } from "./table.ts";
import { isUseUnrecorded } from "./usage.ts";

/** For a list: which of its rows the key may read is for the list to say. */
export const ANY_RESOURCE = "any";

export type Permission = (typeof apiKeyCapabilities.permission.enumValues)[number];

/** The access that a live key gives. */
export interface Access {
  keyId: string;
  companyId: string;
  /**
   * Seconds until the key or the token expires, whichever is first; null if neither does. Rounded in disfavour of the
   * key.
   */
  secondsLeft: number | null;
  isPermitted: boolean;
  /** Whether this use of the token is to be recorded. */
  isUseDue: boolean;
  /** Whether somebody purges what changes, so that answers may be kept for long. */
  isFeedHealthy: boolean;
  /** Whether somebody has, and does not any more: not where there never was a feed. */
  isFeedSilent: boolean;
}

/** Who asks, in the values of a statement that begins with {@link keyAccess}. */
export interface Caller {
  /** SHA-256 of the token in hexadecimal. */
  keyHash: string;
  trace: Trace;
}

/**
 * The first part of every statement: the row of the key whose token hashes to the placeholder `keyHash`. Read by the
 * same statement as what it protects, so that the check costs no round trip and cannot be forgotten.
 *
 * @param permission what the key must be permitted; null if every live key will do
 * @param resourceId to which resource; null if the grant must be for all, {@link ANY_RESOURCE} if one for any will do
 */
export function keyAccess(
  query: QueryBuilder,
  permission: Permission | null,
  resourceId: SQL | null | typeof ANY_RESOURCE,
) {
  return query.$with("access").as(
    query
      .select({
        keyId: apiKeys.id,
        companyId: apiKeys.companyId,
        tokenHash: apiKeyTokens.hash,
        secondsLeft: sql<
          number | null
        >`extract(epoch from least(${apiKeys.expiresAt}, ${apiKeyTokens.expiresAt}) - now())::float8`.as(
          "seconds_left",
        ),
        isPermitted:
          sql<boolean>`${permission === null ? sql`true` : isGranted(apiKeys.id, permission, resourceId)}`.as(
            "is_permitted",
          ),
        isUseDue: sql<boolean>`${isUseUnrecorded()}`.as("is_use_due"),
        isFeedHealthy: isFeedHealthy.as("is_feed_healthy"),
        isFeedSilent: isFeedSilent.as("is_feed_silent"),
      })
      .from(apiKeyTokens)
      .innerJoin(apiKeys, eq(apiKeys.id, apiKeyTokens.apiKeyId))
      .where(and(isToken, apiKeys.isEnabled, isUnexpired(apiKeyTokens.expiresAt), isUnexpired(apiKeys.expiresAt))),
  );
}

/**
 * The rows by which {@link keyAccess} says that a key is permitted, held until the transaction is over against everybody who
 * would change them.
 */
export const holdGrants = (permission: Permission, resourceId: SQL): SQL =>
  sql`select from ${apiKeyTokens} join ${apiKeys} on ${apiKeys.id} = ${apiKeyTokens.apiKeyId}
    join ${apiKeyCapabilities} on ${grants(apiKeys.id, permission, resourceId)} where ${isToken} for share`;

export type KeyAccess = ReturnType<typeof keyAccess>;

/** The columns of {@link Access}, for the select list of a statement that begins with {@link keyAccess}. */
export const accessColumns = (access: KeyAccess) => ({
  keyId: access.keyId,
  companyId: access.companyId,
  secondsLeft: access.secondsLeft,
  isPermitted: access.isPermitted,
  isUseDue: access.isUseDue,
  isFeedHealthy: access.isFeedHealthy,
  isFeedSilent: access.isFeedSilent,
});

/**
 * Sends a statement that begins with {@link keyAccess} and has one row for a live key.
 *
 * @returns undefined if there is no such key, or not any more
 * @throws DatabaseError
 */
export async function queryForKey<Row extends Access>(
  db: Database,
  statement: Statement<Row>,
  { trace, ...values }: Caller,
): Promise<Row | undefined> {
  const startedAt = Date.now();
  const [row] = await db.query(statement, values, trace);
  if (row === undefined || row.secondsLeft === null) return row;
  // The database counted from some moment of this round trip. Take its beginning: a key may die early, never late.
  return { ...row, secondsLeft: row.secondsLeft - (Date.now() - startedAt) / 1000 };
}

// A bare placeholder would go past the column's encoding.
const isToken = eq(apiKeyTokens.hash, sql.param(sql.placeholder("keyHash"), apiKeyTokens.hash));

/** The feed is silent for longer only where it has died, or cannot purge. A moment to come is none at which it was heard. */
const isHeard = sql`healthy_at between now() - interval '2 minutes' and now() + interval '1 minute'`;
const isFeedHealthy: SQL<boolean> = sql`coalesce((select ${isHeard} from ${feed}), false)`;
const isFeedSilent: SQL<boolean> = sql`coalesce((select not (${isHeard}) from ${feed}), false)`;

/** Now, and not when its transaction began, which may have waited since. */
function isUnexpired(expiresAt: AnyPgColumn): SQL | undefined {
  return or(isNull(expiresAt), gt(expiresAt, sql`statement_timestamp()`));
}

/** Whether a row of the grants is one that permits it to the key. */
function grants(
  keyId: SQLWrapper,
  permission: Permission,
  resourceId: SQL | null | typeof ANY_RESOURCE,
): SQL | undefined {
  const { apiKeyId, permission: granted, resourceId: scope } = apiKeyCapabilities;
  const inScope =
    resourceId === ANY_RESOURCE
      ? undefined
      : resourceId === null
        ? isNull(scope)
        : or(isNull(scope), eq(scope, resourceId));
  return and(eq(apiKeyId, keyId), eq(granted, permission), inScope);
}

const isGranted = (...grant: Parameters<typeof grants>): SQL =>
  sql`exists (select from ${apiKeyCapabilities} where ${grants(...grant)})`;

/** Whether a key is permitted something else as well. */
export const isAlsoPermitted = (access: KeyAccess, permission: Permission, resourceId: SQL): SQL =>
  isGranted(sql`(select ${access.keyId} from ${access})`, permission, resourceId);
