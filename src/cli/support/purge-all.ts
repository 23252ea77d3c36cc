import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { RefusedError } from "../../node/http.ts";
import { batchesOf } from "./batches.ts";
import { type Changed, purge, type Worker } from "./worker.ts";

export interface PurgeReport {
  /** Tags, as the Worker names them. */
  purged: string[];
  /** The ids that were not purged; empty if all were. */
  left: Changed;
  /** Why there is something left. */
  error?: PurgeFailure;
}

export interface PurgeFailure {
  message: string;
  /** After which the Worker wants to be asked again; undefined if asking again is of no use. */
  retryAfterSeconds: number | undefined;
  /** `Error-Reason` of the response. */
  reason: string | undefined;
}

export interface PurgeAllOptions {
  /** The most to wait in all for a Worker that refuses for a while. */
  waitSeconds: number;
  /** Told before every wait. */
  onWait(seconds: number, error: PurgeFailure): void;
}

/** Purges in as few calls as it takes, one after the other; stops at the first that fails for longer than it may wait. */
export async function purgeAll(
  worker: Worker,
  changed: Changed,
  { waitSeconds, onWait }: PurgeAllOptions,
): Promise<PurgeReport> {
  const batches = batchesOf(changed);
  const purged: string[] = [];
  let patienceSeconds = waitSeconds;
  for (let batch = batches[0]; batch !== undefined; batch = batches[0]) {
    try {
      purged.push(...(await purge(worker, batch)));
      batches.shift();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const failure = failureFrom(error);
      // At least a second, or an answer of 0 would be asked for without end.
      const seconds = Math.max(1, failure.retryAfterSeconds ?? Number.POSITIVE_INFINITY);
      if (seconds > patienceSeconds) return { purged, left: merged(batches), error: failure };
      patienceSeconds -= seconds;
      onWait(seconds, failure);
      await context().sleep(seconds * 1_000);
    }
  }
  return { purged, left: {} };
}

function failureFrom(error: CommandError): PurgeFailure {
  const { retryAfterSeconds, headers } = error instanceof RefusedError ? error.reply : {};
  return { message: error.message, retryAfterSeconds, reason: headers?.get("error-reason") ?? undefined };
}

function merged(batches: readonly Changed[]): Changed {
  const all: Record<string, string[]> = {};
  for (const batch of batches) {
    for (const [kind, ids] of Object.entries(batch)) all[kind] = [...(all[kind] ?? []), ...ids];
  }
  return all;
}
