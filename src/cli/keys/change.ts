// Changes that operators make. Each is one transaction, and holds the lock of the key's row while it decides.
import { and, eq, gt, inArray, isNull, lte, or, sql } from "drizzle-orm";
import { type Database, type Transaction, transact } from "../../node/database.ts";
import { CommandError } from "../../node/errors.ts";
import { isoTimestamp } from "../../worker/db/expressions.ts";
import {
  apiKeyCapabilities,
  type apiKeyEvent,
  apiKeyEvents,
  apiKeys,
  apiKeyTokens,
} from "../../worker/resources/api-key/table.ts";
import { applications } from "../../worker/resources/application/table.ts";
import { operatorName } from "../support/operator.ts";
import type { Ending } from "../support/parse.ts";
import { findCompany, type Key, type Permission, readKey } from "./read.ts";
import { newToken } from "./token.ts";

/** The most tokens of one key at a time. Rotations without an end would otherwise leave any number of tokens valid. */
export const MAX_LIVE_TOKENS = 5;

/** Postgres takes later ones, ISO 8601 in four digits does not. */
const END_OF_TIME = Date.UTC(10_000, 0);

export interface KeyRequest {
  /** An id or an exact name. */
  company: string;
  name: string;
  permissions: readonly Permission[];
  /** Ids; none means all of the company's, also those to come. */
  applications: readonly string[];
  expires: Ending | undefined;
}

/** A key and its new token, which can be had here and never again. */
export interface IssuedKey {
  key: Key;
  token: string;
}

/** @throws CommandError if the company, an application of it, or the expiry will not do */
export function issueKey(db: Database, request: KeyRequest): Promise<IssuedKey> {
  return transact(db, async (tx) => {
    const company = await findCompany(tx, request.company);
    await assertApplications(tx, company, request.applications);
    const now = await clock(tx);
    const expiresAt = momentOf(request.expires, now);
    const [row] = await tx
      .insert(apiKeys)
      .values({ companyId: company.id, name: request.name, source: "CLI", expiresAt, createdAt: now, updatedAt: now })
      .returning({ id: apiKeys.id });
    if (row === undefined) throw new TypeError("an insert returns its row");
    const token = newToken();
    await tx.insert(apiKeyTokens).values({ hash: token.hash, apiKeyId: row.id, masked: token.masked, createdAt: now });
    const scopes = request.applications.length === 0 ? [null] : request.applications;
    await tx
      .insert(apiKeyCapabilities)
      .values(
        request.permissions.flatMap((permission) =>
          scopes.map((resourceId) => ({ apiKeyId: row.id, companyId: company.id, permission, resourceId })),
        ),
      );
    await recordEvent(tx, { id: row.id, company }, "issued");
    return { key: await readKey(tx, row.id), token: token.plain };
  });
}

/**
 * Gives a key a new token, and its other ones at most `overlapMs` to live. Rotations at once take turns: each gives a
 * token of its own, and to those before it the overlap.
 *
 * @throws CommandError if the key has expired, has been revoked, or has {@link MAX_LIVE_TOKENS} live tokens already
 */
export function rotateKey(db: Database, id: string, overlapMs: number): Promise<IssuedKey> {
  return transact(db, async (tx) => {
    const key = await lockKey(tx, id);
    assertNotRevoked(key);
    const now = await clock(tx);
    if (key.expires_at !== null && new Date(key.expires_at) <= now) {
      throw new CommandError(`The key expired at ${key.expires_at}, and with it every token: issue another.`);
    }
    await endTokens(tx, id, now, new Date(now.getTime() + overlapMs));
    const left = await tx.$count(apiKeyTokens, eq(apiKeyTokens.apiKeyId, id));
    if (left >= MAX_LIVE_TOKENS) {
      throw new CommandError(
        `The key has ${left} live tokens, the most there may be: wait for one to expire, or end them with --overlap 0.`,
      );
    }
    const token = newToken();
    await tx.insert(apiKeyTokens).values({ hash: token.hash, apiKeyId: id, masked: token.masked, createdAt: now });
    await touch(tx, id);
    await recordEvent(tx, key, "rotated");
    return { key: await readKey(tx, id), token: token.plain };
  });
}

/** @returns the key, and whether it was otherwise before */
export function setEnabled(db: Database, id: string, isEnabled: boolean): Promise<{ key: Key; isChanged: boolean }> {
  return transact(db, async (tx) => {
    const key = await lockKey(tx, id);
    assertNotRevoked(key);
    const changed = await tx
      .update(apiKeys)
      .set({ isEnabled })
      .where(and(eq(apiKeys.id, id), eq(apiKeys.isEnabled, !isEnabled)))
      .returning({ id: apiKeys.id });
    const isChanged = changed.length > 0;
    if (isChanged) await recordEvent(tx, key, isEnabled ? "enabled" : "disabled");
    return { key: await readKey(tx, id), isChanged };
  });
}

/**
 * Ends every token for good. The key's row stays for the record, with its capabilities and its history.
 *
 * @returns the key, and whether it had a token
 */
export function revokeKey(db: Database, id: string): Promise<{ key: Key; isChanged: boolean }> {
  return transact(db, async (tx) => {
    const key = await lockKey(tx, id);
    const ended = await tx
      .delete(apiKeyTokens)
      .where(eq(apiKeyTokens.apiKeyId, id))
      .returning({ id: apiKeyTokens.apiKeyId });
    const isChanged = ended.length > 0;
    if (isChanged) {
      await touch(tx, id);
      await recordEvent(tx, key, "revoked");
    }
    return { key: await readKey(tx, id), isChanged };
  });
}

/** @returns the key as it is once nobody else changes it */
async function lockKey(tx: Transaction, id: string): Promise<Key> {
  await tx.select({ id: apiKeys.id }).from(apiKeys).where(eq(apiKeys.id, id)).for("update");
  return readKey(tx, id);
}

/** Writes down what is done to a key, who does it and when. */
async function recordEvent(
  tx: Transaction,
  { id, company }: Pick<Key, "id" | "company">,
  event: (typeof apiKeyEvent.enumValues)[number],
): Promise<void> {
  await tx.insert(apiKeyEvents).values({
    apiKeyId: id,
    companyId: company.id,
    event,
    // The role that has logged in, whatever it does as another.
    madeBy: sql`${operatorName()}::text || ' as ' || session_user`,
    createdAt: sql`clock_timestamp()`,
  });
}

function assertNotRevoked(key: Key): void {
  if (key.state === "revoked") throw new CommandError("The key has been revoked, and that is for good: issue another.");
}

/** Tokens that are over are removed: nothing else would, and a key that is rotated for years would collect them. */
async function endTokens(tx: Transaction, apiKeyId: string, now: Date, at: Date): Promise<void> {
  const { expiresAt } = apiKeyTokens;
  const isOfKey = eq(apiKeyTokens.apiKeyId, apiKeyId);
  await tx
    .update(apiKeyTokens)
    .set({ expiresAt: at })
    .where(and(isOfKey, or(isNull(expiresAt), gt(expiresAt, at))));
  await tx.delete(apiKeyTokens).where(and(isOfKey, lte(expiresAt, now)));
}

/** A token's coming and going is a change of its key. */
async function touch(tx: Transaction, id: string): Promise<void> {
  await tx.update(apiKeys).set({ updatedAt: sql`clock_timestamp()` }).where(eq(apiKeys.id, id));
}

async function assertApplications(
  tx: Transaction,
  company: { id: string; name: string },
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const found = await tx
    .select({ id: applications.id })
    .from(applications)
    .where(and(inArray(applications.id, [...ids]), eq(applications.companyId, company.id)));
  const missing = ids.find((id) => !found.some((row) => row.id === id));
  if (missing === undefined) return;
  throw new CommandError(`The company ${JSON.stringify(company.name)} has no application ${missing}.`);
}

function momentOf(ending: Ending | undefined, now: Date): Date | null {
  if (ending === undefined) return null;
  const moment = "at" in ending ? ending.at : new Date(now.getTime() + ending.inMs);
  if (moment <= now) throw new CommandError("The expiry is in the past.");
  if (moment.getTime() >= END_OF_TIME) throw new CommandError("The expiry is after the year 9999: leave it out.");
  return moment;
}

/**
 * The database's time, which is what expiries are held against; not `now()`, which stands still while a lock is
 * waited for.
 */
async function clock(tx: Transaction): Promise<Date> {
  const { rows } = await tx.execute<{ now: string }>(sql`select ${isoTimestamp(sql`clock_timestamp()`)} as now`);
  return new Date(String(rows[0]?.now));
}
