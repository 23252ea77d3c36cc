// The feed: turns what has changed into purges. A run begins every minute, by cron, and stays until the next one begins.
import type { Reader } from "../db/client.ts";
import type { PurgeOptions, PurgeResult } from "../shared/cache.ts";
import { slowMissMs } from "../shared/config.ts";
import { PURGES } from "../shared/limits.ts";
import { log } from "../shared/log.ts";
import { type Change, pollChanges, releaseLease } from "./query.ts";
import { EVERYTHING, tagsFor } from "./tags.ts";

export interface FeedOptions {
  db: Reader;
  purge(options: PurgeOptions): Promise<PurgeResult>;
  /** The longest that a query may take. */
  databaseDeadlineMs: number;
  /** How long the run stays. */
  durationMs: number;
  /** The clock, in milliseconds. */
  now?: () => number;
  sleep?: (ms: number) => Promise<unknown>;
}

/** What a run of the feed has seen. */
export interface FeedReport {
  /** The longest that a change had waited for its first purge at any poll; 0 if none was waiting. */
  oldestChangeSeconds: number;
}

const POLL_MS = 2_000;
/** From one purge to the next, so that the platform's bucket lasts for minutes of steady changes rather than for one. */
const SPACING_MS = 4_000;
/** Until the platform's bucket has a token again. */
const REFUSED_PAUSE_MS = 60_000 / PURGES.callsPerMinute;

/** A change that waits for its purges. */
interface Waiting {
  change: Change;
  /** When it was seen first: its commit was before. */
  seenAt: number;
  isPurged: boolean;
}

/**
 * Drains the outbox for a while.
 *
 * A change is purged at once, and once more when no query can be under way any longer that had begun before its commit:
 * such a query may store the old row behind the first purge. Only then is the change deleted. So a run may end between
 * any two steps: the next one begins anew with what is left. When the platform refuses, changes gather.
 */
export async function runFeed({
  db,
  purge,
  databaseDeadlineMs,
  durationMs,
  now = Date.now,
  sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}: FeedOptions): Promise<FeedReport> {
  const holder = crypto.randomUUID();
  const quietMs = slowMissMs({ databaseDeadlineMs });
  const endsAt = now() + durationMs;
  let waiting = new Map<string, Waiting>();
  let done: string[] = [];
  let pausedUntil = 0;
  let hasFailed = false;
  let oldestChangeSeconds = 0;

  while (now() < endsAt) {
    await step();
    await sleep(POLL_MS);
  }
  // Deletes the changes that are done, and frees the lease for the next run.
  await poll();
  await releaseLease(db, holder).catch(() => {});
  return { oldestChangeSeconds };

  /** A failure of the database is in the log already; the next step asks again. */
  async function poll(): Promise<Change[] | undefined> {
    const changes = await pollChanges(db, holder, done).catch(() => undefined);
    if (changes !== undefined) done = [];
    return changes;
  }

  async function step(): Promise<void> {
    const changes = await poll();
    if (changes === undefined) return;
    const seenAt = now();
    waiting = new Map(
      changes.map((change) => [change.id, waiting.get(change.id) ?? { change, seenAt, isPurged: false }]),
    );
    for (const { change, isPurged } of waiting.values()) {
      if (!isPurged) oldestChangeSeconds = Math.max(oldestChangeSeconds, change.ageSeconds);
    }
    const due = [...waiting.values()].filter((one) => !one.isPurged || now() >= one.seenAt + quietMs);
    if (due.length === 0 || now() < pausedUntil) return;
    const startedAt = now();
    const { success } = await purgeAll(due);
    pausedUntil = now() + (success ? SPACING_MS : REFUSED_PAUSE_MS);
    if (!success) return;
    for (const one of due) {
      one.isPurged = true;
      if (startedAt >= one.seenAt + quietMs) done.push(one.change.id);
    }
  }

  async function purgeAll(due: readonly Waiting[]): Promise<{ success: boolean }> {
    const tags = tagsFor(
      due.map(({ change }) => change),
      PURGES.maxTagsPerCall,
    );
    try {
      const result = await purge(tags[0] === EVERYTHING ? { purgeEverything: true } : { tags });
      if (!result.success) warn(due, tags.length);
      return result;
    } catch {
      warn(due, tags.length);
      return { success: false };
    }
  }

  /** Once a run. A full bucket is nothing unusual; a change that waits for a minute is. */
  function warn(due: readonly Waiting[], tags: number): void {
    if (hasFailed) return;
    hasFailed = true;
    const oldestSeconds = Math.max(...due.map(({ change }) => change.ageSeconds));
    log(oldestSeconds > 60 ? "error" : "warn", "purge_refused", { changes: due.length, tags, oldestSeconds });
  }
}
