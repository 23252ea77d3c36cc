import { isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { Reader } from "../../db/client.ts";
import { toArray } from "../../db/expressions.ts";
import { defineStatement } from "../../db/statement.ts";
import type { Trace } from "../../shared/trace.ts";
import { apiKeys, apiKeyTokens } from "./table.ts";

/**
 * Whether a use of the token is to be written down: not within a minute of the last one that was. That covers its key, which
 * was last used when one of its tokens was.
 */
export const isUseUnrecorded = (): SQL | undefined =>
  or(isNull(apiKeyTokens.lastUsedAt), lt(apiKeyTokens.lastUsedAt, sql`now() - interval '1 minute'`));

/**
 * Writes both or neither. Skips tokens and keys that others are writing: to wait for them would be of no use, and might be a
 * deadlock.
 */
const useStatement = defineStatement(
  () => sql`with used as (
    select ${apiKeyTokens.hash}, ${apiKeyTokens.apiKeyId}
    from ${apiKeyTokens} join ${apiKeys} on ${apiKeys.id} = ${apiKeyTokens.apiKeyId}
    where ${apiKeyTokens.hash} = any(${sql.placeholder("keyHashes")}::bytea[]) and ${isUseUnrecorded()}
    for update skip locked
  ), used_tokens as (
    update ${apiKeyTokens} set last_used_at = now() where hash in (select hash from used)
  )
  update ${apiKeys} set last_used_at = now() where id in (select api_key_id from used)`,
);

/** Records uses of tokens. @param keyHashes SHA-256 of them in hexadecimal @throws DatabaseError */
export async function recordUses(db: Reader, keyHashes: Iterable<string>, trace: Trace): Promise<void> {
  const bytes = [...keyHashes].map((hash) => `\\x${hash}`);
  await db.query(useStatement(), { keyHashes: toArray(bytes) }, trace);
}

/** How long uses are gathered before they are written. */
const GATHER_MS = 1_000;
/** A request may end before it has written what was gathered: later ones do not wait for it. */
const GIVE_UP_MS = 10_000;

/**
 * Writes down when tokens and their keys were last used: all uses of a second with one statement, so that a busy isolate sends
 * one more query a second and not one more for each token. The request that begins a second writes it, after its answer. A
 * use that is lost with its isolate is due again at the token's next miss.
 */
export class UsageRecorder {
  readonly #db: Reader;
  #keyHashes = new Set<string>();
  #begunAt = 0;

  constructor(db: Reader) {
    this.#db = db;
  }

  /** @param keyHash SHA-256 of the token in hexadecimal */
  record(keyHash: string, trace: Trace, waitUntil: (work: Promise<unknown>) => void): void {
    this.#keyHashes.add(keyHash);
    const now = Date.now();
    if (now < this.#begunAt + GIVE_UP_MS) return;
    this.#begunAt = now;
    waitUntil(this.#writeLater(trace));
  }

  async #writeLater(trace: Trace): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    const keyHashes = this.#keyHashes;
    this.#keyHashes = new Set();
    this.#begunAt = 0;
    // A failure harms nobody; the database has logged it.
    await recordUses(this.#db, keyHashes, trace).catch(() => {});
  }
}
