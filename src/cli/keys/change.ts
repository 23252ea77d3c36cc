// Changes that operators make. Each is one transaction, and holds the lock of the key's row while it decides.
import { createHash, randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { and, eq, gt, inArray, isNull, lte, or, sql } from "drizzle-orm";
import { context } from "../../node/context.ts";
import type { Database } from "../../node/database.ts";
import { CommandError } from "../../node/errors.ts";
import { isoTimestamp } from "../../worker/db/expressions.ts";
import { apiKeyCapabilities, apiKeyEvents, apiKeys, apiKeyTokens } from "../../worker/resources/api-key/table.ts";
import { applications } from "../../worker/resources/application/table.ts";
import { type Event, findCompany, type Key, type Permission, readKey } from "./read.ts";

type Transaction = Parameters<Parameters<Database["transaction"]>[0]>[0];

/** The most tokens of one key at a time. Rotations without an end would otherwise leave any number of tokens valid. */
export const MAX_LIVE_TOKENS = 5;

/** Postgres takes later ones, ISO 8601 in four digits does not. */
const END_OF_TIME = Date.UTC(10_000, 0);

export interface KeyRequest {
  /** An id or an exact name. */
  company: string;
  name: string;
  permission: readonly Permission[];
  /** Ids; none means all of the company's, also those to come. */
  application?: readonly string[];
  /** A moment, or milliseconds from now. */
  expires?: Date | number;
}

/** A key and its new token, which can be had here and never again. */
export interface IssuedKey {
  key: Key;
  token: string;
}

/** @throws CommandError if the company, an application of it, or the expiry will not do */
export function issueKey(db: Database, { name, permission, ...request }: KeyRequest): Promise<IssuedKey> {
  return transact(db, async (tx) => {
    const company = await findCompany(tx, request.company);
    const resourceIds = await findApplications(tx, company, [...new Set(request.application)]);
    const createdAt = await clock(tx);
    const expiresAt = momentOf(request.expires, createdAt);
    const key = { companyId: company.id, name, source: "CLI" as const, expiresAt, createdAt, updatedAt: createdAt };
    const [row] = await tx.insert(apiKeys).values(key).returning({ id: apiKeys.id });
    if (row === undefined) throw new TypeError("an insert returns its row");
    const token = await addToken(tx, row.id, createdAt);
    const owner = { apiKeyId: row.id, companyId: company.id };
    const capabilities = [...new Set(permission)].flatMap((permission) =>
      resourceIds.map((resourceId) => ({ ...owner, permission, resourceId })),
    );
    await tx.insert(apiKeyCapabilities).values(capabilities);
    await recordEvent(tx, { id: row.id, company }, "issued");
    return { key: await readKey(tx, row.id), token };
  });
}

/**
 * Gives a key a new token, and its other ones at most `overlapMs` to live. Rotations at once take turns: each gives a
 * token of its own, and to those before it the overlap.
 *
 * @throws CommandError if the key has expired, has been revoked, or has {@link MAX_LIVE_TOKENS} live tokens already
 */
export async function rotateKey(db: Database, id: string, overlapMs: number): Promise<IssuedKey> {
  let token = "";
  const { key } = await changeKey(db, id, async (tx, key) => {
    assertNotRevoked(key);
    const now = await clock(tx);
    if (key.expires_at !== null && new Date(key.expires_at) <= now) {
      throw new CommandError(`The key expired at ${key.expires_at}, and with it every token: issue another.`);
    }
    const left = await endTokens(tx, id, now, new Date(now.getTime() + overlapMs));
    if (left >= MAX_LIVE_TOKENS) {
      throw new CommandError(
        `The key has ${left} live tokens, the most there may be: wait for one to expire, or end them with --overlap 0.`,
      );
    }
    token = await addToken(tx, id, now);
    return "rotated";
  });
  return { key, token };
}

export interface Change {
  key: Key;
  /** Whether the key was otherwise before. */
  isChanged: boolean;
}

export const setEnabled = (db: Database, id: string, isEnabled: boolean): Promise<Change> =>
  changeKey(db, id, async (tx, key) => {
    assertNotRevoked(key);
    if (isEnabled === (key.state !== "disabled")) return undefined;
    await tx.update(apiKeys).set({ isEnabled }).where(eq(apiKeys.id, id));
    return isEnabled ? "enabled" : "disabled";
  });

/** Ends every token for good. The key's row stays for the record, with its capabilities and its history. */
export const revokeKey = (db: Database, id: string): Promise<Change> =>
  changeKey(db, id, async (tx, key) => {
    if (key.state === "revoked") return undefined;
    await tx.delete(apiKeyTokens).where(eq(apiKeyTokens.apiKeyId, id));
    return "revoked";
  });

/** Locks a key and changes it. @param work says what it has done, if anything */
function changeKey(
  db: Database,
  id: string,
  work: (tx: Transaction, key: Key) => Promise<Event | undefined>,
): Promise<Change> {
  return transact(db, async (tx) => {
    await tx.select({ id: apiKeys.id }).from(apiKeys).where(eq(apiKeys.id, id)).for("update");
    const key = await readKey(tx, id);
    const event = await work(tx, key);
    if (event === undefined) return { key, isChanged: false };
    // A token's coming and going is a change of its key.
    await tx.update(apiKeys).set({ updatedAt: sql`clock_timestamp()` }).where(eq(apiKeys.id, id));
    await recordEvent(tx, key, event);
    return { key: await readKey(tx, id), isChanged: true };
  });
}

/**
 * Runs one transaction. Waits for others only where it locks rows.
 *
 * @throws CommandError also where the connection was lost in the commit, so that nobody knows
 */
async function transact<T>(db: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  let isWorkDone = false;
  try {
    return await db.transaction(
      async (tx) => {
        const result = await work(tx);
        isWorkDone = true;
        return result;
      },
      { isolationLevel: "read committed" },
    );
  } catch (error) {
    if (!isWorkDone) throw error;
    // No constraint is deferred: a commit fails only when the connection or the server does.
    throw new CommandError(
      "The database was lost during the commit: whether the change was made is unknown. Look with `list`.",
    );
  }
}

/** Writes down what is done to a key, who does it and when. */
async function recordEvent(tx: Transaction, { id, company }: Pick<Key, "id" | "company">, event: Event): Promise<void> {
  // The role that has logged in, whatever it does as another.
  const madeBy = sql`${operatorName()}::text || ' as ' || session_user`;
  const createdAt = sql`clock_timestamp()`;
  await tx.insert(apiKeyEvents).values({ apiKeyId: id, companyId: company.id, event, madeBy, createdAt });
}

/** In a workflow of GitHub the account that has started it, else `user@host`: what the environment says, and no proof. */
function operatorName(): string {
  const { GITHUB_ACTOR } = context().env;
  if (GITHUB_ACTOR) return `${GITHUB_ACTOR} (GitHub Actions)`;
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A container may run as a user that it does not know.
    return `uid ${process.getuid?.()}@${hostname()}`;
  }
}

function assertNotRevoked(key: Key): void {
  if (key.state === "revoked") throw new CommandError("The key has been revoked, and that is for good: issue another.");
}

/** Makes a token for its holder alone, of which only the hash is kept, by which the Worker finds it, and its ends, for people. */
async function addToken(tx: Transaction, apiKeyId: string, createdAt: Date): Promise<string> {
  const token = `svl_${randomBytes(32).toString("hex")}`;
  const hash = createHash("sha256").update(token).digest("hex");
  await tx
    .insert(apiKeyTokens)
    .values({ hash, apiKeyId, masked: `${token.slice(0, 6)}…${token.slice(-4)}`, createdAt });
  return token;
}

/**
 * Tokens that are over are removed: nothing else would, and a key that is rotated for years would collect them.
 *
 * @returns how many are left
 */
async function endTokens(tx: Transaction, apiKeyId: string, now: Date, at: Date): Promise<number> {
  const { expiresAt } = apiKeyTokens;
  const isOfKey = eq(apiKeyTokens.apiKeyId, apiKeyId);
  const isLater = or(isNull(expiresAt), gt(expiresAt, at));
  await tx.update(apiKeyTokens).set({ expiresAt: at }).where(and(isOfKey, isLater));
  await tx.delete(apiKeyTokens).where(and(isOfKey, lte(expiresAt, now)));
  return tx.$count(apiKeyTokens, isOfKey);
}

/** @returns the ids, or null for all. @throws CommandError if one is not of this company */
async function findApplications(
  tx: Transaction,
  company: { id: string; name: string },
  ids: readonly string[],
): Promise<readonly (string | null)[]> {
  if (ids.length === 0) return [null];
  const { id } = applications;
  const found = await tx
    .select({ id })
    .from(applications)
    .where(and(inArray(id, [...ids]), eq(applications.companyId, company.id)));
  const missing = ids.find((id) => !found.some((row) => row.id === id));
  if (missing === undefined) return ids;
  throw new CommandError(`The company ${JSON.stringify(company.name)} has no application ${missing}.`);
}

function momentOf(expires: Date | number | undefined, now: Date): Date | null {
  if (expires === undefined) return null;
  const moment = typeof expires === "number" ? new Date(now.getTime() + expires) : expires;
  if (moment <= now) throw new CommandError("The expiry is in the past.");
  if (moment.getTime() >= END_OF_TIME) throw new CommandError("The expiry is after the year 9999: leave it out.");
  return moment;
}

/** The database's time, to which expiries are held; not `now()`, which stands still while a lock is waited for. */
async function clock(tx: Transaction): Promise<Date> {
  const { rows } = await tx.execute<{ now: string }>(sql`select ${isoTimestamp(sql`clock_timestamp()`)} as now`);
  return new Date(String(rows[0]?.now));
}
