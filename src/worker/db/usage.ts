import { isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { Trace } from "../shared/trace.ts";
import type { Reader } from "./client.ts";
import { apiKeys } from "./schema.ts";
import { defineStatement } from "./statement.ts";

/** Whether a use of the key is to be written down: not within a minute of the last one that was. */
export const isUseUnrecorded = (): SQL | undefined =>
  or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, sql`now() - interval '1 minute'`));

/** Skips keys that others are writing: to wait for them would be of no use, and might be a deadlock. */
const recordUses = defineStatement(
  () => sql`update ${apiKeys} set last_used_at = now() where id in (
    select id from ${apiKeys}
    where id = any(${sql.placeholder("keyIds")}::uuid[]) and ${isUseUnrecorded()}
    for update skip locked
  )`,
);

/** How long uses are gathered before they are written. */
const GATHER_MS = 1_000;
/** A request may end before it has written what was gathered: later ones do not wait for it. */
const GIVE_UP_MS = 10_000;

/**
 * Writes down when keys were last used: all uses of a second with one statement, so that a busy isolate sends one more
 * query a second and not one more for each key. The request that begins a second writes it, after its answer. A use that
 * is lost with its isolate is due again at the key's next miss.
 */
export class UsageRecorder {
  readonly #db: Reader;
  #keyIds = new Set<string>();
  #begunAt = 0;

  constructor(db: Reader) {
    this.#db = db;
  }

  record(keyId: string, trace: Trace, waitUntil: (work: Promise<unknown>) => void): void {
    this.#keyIds.add(keyId);
    const now = Date.now();
    if (now < this.#begunAt + GIVE_UP_MS) return;
    this.#begunAt = now;
    waitUntil(this.#writeLater(trace));
  }

  async #writeLater(trace: Trace): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    const keyIds = `{${[...this.#keyIds].join(",")}}`;
    this.#keyIds = new Set();
    this.#begunAt = 0;
    // A failure harms nobody; the database has logged it.
    await this.#db.query(recordUses(), { keyIds }, trace).catch(() => {});
  }
}
