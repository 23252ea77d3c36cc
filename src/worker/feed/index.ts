// The feed: turns what has changed into purges. A run begins every minute, by cron, and stays until the next one begins.
import type { Reader } from "../db/client.ts";
import type { PurgeOptions, PurgeResult } from "../shared/cache.ts";
import { slowMissMs } from "../shared/config.ts";
import { PURGES } from "../shared/limits.ts";
import { log } from "../shared/log.ts";
import { type Change, forgetFuture, type Memory, type Poll, pollChanges, releaseLease } from "./query.ts";
import { SWEPT_TABLES, sweep } from "./sweeps.ts";
import { chainsOf, EVERYTHING, shorten, tagsOf } from "./tags.ts";

export interface FeedOptions {
  db: Reader;
  purge(options: PurgeOptions): Promise<PurgeResult>;
  /** The longest that a query may take. */
  databaseDeadlineMs: number;
  /** How long audit_log and api_key_events are kept. */
  auditDays: number;
  /** How long the run stays. */
  durationMs: number;
  /** The most that one purge may name. Default: the platform's. */
  maxTags?: number;
  /** The clock, in milliseconds. */
  now?: () => number;
  sleep?: (ms: number) => Promise<unknown>;
}

/** What a run of the feed has seen. */
export interface FeedReport {
  /** The longest that a purge was overdue at any poll; 0 if none was. */
  oldestChangeSeconds: number;
}

const POLL_MS = 2_000;
/**
 * A change waits for others to be purged with, so that the platform's bucket lasts for two minutes of steady changes: for
 * this long, …
 */
const GATHER_MS = 4_000;
/** … and until the last purge is this long ago, whichever comes first. */
const SPACING_MS = 5_000;
/** Until the platform's bucket gains a token. */
const TOKEN_MS = 60_000 / PURGES.callsPerMinute;
/** Until an empty bucket is full. */
const BUCKET_MS = PURGES.bucketSize * TOKEN_MS;
/** The last tokens are for urgent changes: others spend them no faster than the bucket gains new ones. */
const RESERVED_TOKENS = 2;
/** The platform's clock is not ours. */
const MARGIN_MS = 100;
/** Where no run has counted yet. At worst, one purge is refused. */
const FULL_BUCKET = { fullAt: Number.NEGATIVE_INFINITY, spentAt: Number.NEGATIVE_INFINITY };
/** A change that waits for longer was not purged in time: answers must not be kept for long then. */
const LATE_MS = 60_000;
/** What may end somebody's access does not wait for its turn. */
const URGENT: readonly Change["kind"][] = ["key", "company", "everything"];

/**
 * Drains the outbox for a while.
 *
 * A change is purged at once, and once more when no query can be under way any longer that had begun before its commit:
 * such a query may store the old row behind the first purge. Only then is the change deleted. So a run may end between
 * any two steps: the next one goes on where it has ended. When the platform refuses, changes gather, and too many are purged
 * with everything there is.
 *
 * @returns undefined if it was never this run's turn, or the database never answered
 */
export async function runFeed({
  db,
  purge,
  databaseDeadlineMs,
  auditDays,
  durationMs,
  maxTags = PURGES.maxTagsPerCall,
  now = Date.now,
  sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}: FeedOptions): Promise<FeedReport | undefined> {
  const holder = crypto.randomUUID();
  const quietMs = slowMissMs({ databaseDeadlineMs });
  const endsAt = now() + durationMs;
  let memory: Memory | null = null;
  /** Tables that may have something to delete, in the order of their turns. */
  const unswept = new Set(SWEPT_TABLES);
  let sleepMs = POLL_MS;
  let hasFailed = false;
  let isRestoreKnown = false;
  let oldestChangeSeconds = 0;

  while (now() < endsAt) {
    sleepMs = POLL_MS;
    await step(now());
    await sleep(sleepMs);
  }
  await releaseLease(db, holder, memory).catch(() => {});
  return memory === null ? undefined : { oldestChangeSeconds };

  /** A failure of the database is in the log already; the next step asks again. */
  async function step(begunAt: number): Promise<void> {
    isRestoreKnown ||= await forgetFuture(db).then(
      () => true,
      () => false,
    );
    if (!isRestoreKnown) return;
    const isHealthy = memory !== null && waitMs(memory) < LATE_MS;
    const poll = await pollChanges(db, holder, memory, isHealthy).catch(() => undefined);
    if (poll === undefined) return;
    const { polledAt } = poll.memory;
    memory = { ...poll.memory, polledAt: now() };
    // They have committed since the last poll, however long ago they were made.
    const madeAt = Math.min(...poll.changes.map(({ changedAt }) => changedAt));
    if (poll.changes.length === 0 && !memory.isLost) memory.waitingSince = null;
    else memory.waitingSince ??= Math.min(now(), Math.max(madeAt, polledAt ?? madeAt));
    oldestChangeSeconds = Math.max(oldestChangeSeconds, waitMs(memory) / 1_000);
    await purgeDue(memory, poll, begunAt);
    await sweepNext(memory);
  }

  /** One batch at each poll. A table from which nothing was deleted, or could be, has its next turn in the next run. */
  async function sweepNext({ drained }: Memory): Promise<void> {
    const [table] = unswept;
    if (table === undefined) return;
    unswept.delete(table);
    const count = await sweep(db, table, { drained, auditDays }).catch(() => 0);
    if (count > 0) unswept.add(table);
  }

  /** For how long the first or a second purge is overdue. */
  function waitMs({ waitingSince, batches: [oldest] }: Memory): number {
    const dueAt = oldest === undefined ? now() : oldest.seenAt + quietMs;
    return Math.max(0, now() - Math.min(waitingSince ?? dueAt, dueAt));
  }

  async function purgeDue(memory: Memory, { snapshot, changes }: Poll, begunAt: number): Promise<void> {
    const startedAt = now();
    const due = memory.batches.filter(({ seenAt }) => startedAt >= seenAt + quietMs);
    const ofChanges = memory.isLost ? [[EVERYTHING]] : changes.flatMap(chainsOf);
    if (ofChanges.length === 0 && due.length === 0) return;
    const isUrgent = memory.isLost || changes.some(({ kind }) => URGENT.includes(kind));
    const untilTurnMs = turnOf(memory, isUrgent) - startedAt;
    if (untilTurnMs > 0) {
      sleepMs = Math.min(POLL_MS, untilTurnMs);
      return;
    }
    const chains = shorten([...ofChanges, ...due.flatMap(({ chains }) => chains)], maxTags);
    const isPurged = await purgeTags(tagsOf(chains));
    const { fullAt } = memory.bucket ?? FULL_BUCKET;
    memory.bucket = { fullAt: isPurged ? Math.max(fullAt, now()) + TOKEN_MS : now() + BUCKET_MS, spentAt: begunAt };
    if (!isPurged) {
      warn(memory);
      return;
    }
    memory.batches = memory.batches.slice(due.length);
    const drained = due.at(-1)?.snapshot;
    if (drained !== undefined) {
      memory.drained = drained;
      unswept.add("changes");
    }
    if (ofChanges.length === 0) return;
    memory.batches.push({ snapshot, seenAt: startedAt, chains: shorten(ofChanges, maxTags) });
    memory.purged = snapshot;
    memory.waitingSince = null;
    memory.isLost = false;
  }

  /** When a purge may be made. Others spend tokens as well, so a refusal says that there are none. */
  function turnOf({ bucket = FULL_BUCKET, waitingSince }: Memory, isUrgent: boolean): number {
    const { fullAt, spentAt } = bucket;
    const hasTokensAt = (count: number) => fullAt - BUCKET_MS + count * TOKEN_MS + MARGIN_MS;
    if (isUrgent) return hasTokensAt(1);
    const gatheredAt = Math.min((waitingSince ?? spentAt) + GATHER_MS, spentAt + SPACING_MS);
    const sparedAt = Math.min(hasTokensAt(1 + RESERVED_TOKENS), spentAt + TOKEN_MS);
    return Math.max(hasTokensAt(1), gatheredAt, sparedAt);
  }

  async function purgeTags(tags: string[]): Promise<boolean> {
    const options = tags[0] === EVERYTHING ? { purgeEverything: true } : { tags };
    return purge(options).then(
      ({ success }) => success,
      () => false,
    );
  }

  /** Once a run. That others have spent the tokens is nothing unusual; a change that waits for a minute is. */
  function warn(memory: Memory): void {
    if (hasFailed) return;
    hasFailed = true;
    const oldestSeconds = waitMs(memory) / 1_000;
    log(oldestSeconds > 60 ? "error" : "warn", "purge_refused", { oldestSeconds });
  }
}
