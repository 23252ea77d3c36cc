// Purges the edge's copies of a key when the database has changed.

import type { DatabaseTarget } from "../../node/database.ts";
import { CommandError, EXIT_CODE } from "../../node/errors.ts";
import { FEED_BOUND_MS, SETTINGS } from "../../worker/shared/config.ts";
import { note } from "../support/output.ts";
import { purge, runningWorker, type Worker, workerAt } from "../support/worker.ts";

const { EDGE_FRESH_WITHOUT_FEED_SECONDS, EDGE_STALE_WHILE_REVALIDATE_SECONDS, EDGE_RESOURCE_TYPES_FRESH_SECONDS } =
  SETTINGS;

/** For those who ask whether a token is still used. */
export const UNCOUNTED_USES = `\
A last use is written down once a minute at most. Answers from the edge's cache
are not counted, so the true last use may be up to ${SETTINGS.EDGE_FRESH_SECONDS.default / 3_600} h later.`;

/** How long the edge goes on by default. */
const EDGE_BOUNDS = {
  feedSeconds: SETTINGS.EDGE_FRESH_SECONDS.default + EDGE_STALE_WHILE_REVALIDATE_SECONDS.default,
  reuseSeconds: EDGE_FRESH_WITHOUT_FEED_SECONDS.default + EDGE_STALE_WHILE_REVALIDATE_SECONDS.default,
  resourceTypesReuseSeconds: EDGE_RESOURCE_TYPES_FRESH_SECONDS.default + EDGE_STALE_WHILE_REVALIDATE_SECONDS.default,
  staleIfErrorSeconds: SETTINGS.EDGE_STALE_IF_ERROR_SECONDS.default,
};

/**
 * The Worker in front of a database: the one that was named, or that of `npm run dev` if this is its database. Asked
 * before anything changes, so that a mistake in it changes nothing.
 *
 * @throws CommandError if the one that was named will not do
 */
export function findEdge(purgeUrl: string | undefined, { isOfRunning }: DatabaseTarget): Worker | undefined {
  if (purgeUrl !== undefined) return workerAt(purgeUrl, "--purge-url");
  return isOfRunning ? runningWorker() : undefined;
}

/**
 * Makes a change to a key hold at the edge too, or says when it will.
 *
 * @param edge undefined if it is not known
 * @throws CommandError if the purge failed; the change stands all the same
 */
export async function settle(edge: Worker | undefined, keyId: string, { quiet }: { quiet?: boolean }): Promise<void> {
  const command = `npm run purge -- --key ${keyId} --url`;
  if (edge === undefined) {
    if (!quiet) note(`${BOUNDS}\nTo end that now: PURGE_SECRET=… ${command} <origin of the Worker>`);
    return;
  }
  try {
    await purge(edge, { keys: [keyId] });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const advice = `Purge it: ${command} ${edge.origin} --wait 60`;
    throw new CommandError(`The change stands, but the purge failed: ${error.message} ${advice}`, EXIT_CODE.notPurged);
  }
  if (!quiet) note(`Purged ${edge.origin}: what it answered for this key before is not used again.`);
}

/** Without a purge. */
export const BOUNDS = `\
What the edge holds for a key may still be used for ${FEED_BOUND_MS / 1_000} s while the feed runs, and
for ${EDGE_BOUNDS.feedSeconds} s if the feed has stopped. Where there is none, for ${EDGE_BOUNDS.reuseSeconds} s, and of machine sizes for
${EDGE_BOUNDS.resourceTypesReuseSeconds} s. While the database cannot be reached, for ${EDGE_BOUNDS.staleIfErrorSeconds / 3_600} h longer. The Worker's settings
may say otherwise.`;
