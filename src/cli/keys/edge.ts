// Purges the edge's cached responses of a key when the database has changed.
import type { DatabaseTarget } from "../../node/database.ts";
import { CommandError, EXIT_CODE } from "../../node/errors.ts";
import { FEED_BOUND_MS, SETTINGS } from "../../worker/shared/config.ts";
import { note } from "../support/output.ts";
import { purgeAll, runningWorker, type Worker, workerAt } from "../support/purge.ts";

const secondsOf = (setting: keyof typeof SETTINGS) => SETTINGS[setting].default;
const hoursOf = (setting: keyof typeof SETTINGS) => secondsOf(setting) / 3_600;
/** How long a response is served at most, once it is that old. */
const reuseOf = (setting: keyof typeof SETTINGS) =>
  secondsOf(setting) + secondsOf("EDGE_STALE_WHILE_REVALIDATE_SECONDS");

/** Without a purge. */
export const BOUNDS = `\
What the edge holds for a key may still be used for ${FEED_BOUND_MS / 1_000} s while the feed runs, and
for ${reuseOf("EDGE_FRESH_SECONDS")} s if the feed has stopped. Where there is none, for ${reuseOf("EDGE_FRESH_WITHOUT_FEED_SECONDS")} s, and of machine sizes for
${reuseOf("EDGE_RESOURCE_TYPES_FRESH_SECONDS")} s. While the database cannot be reached, for ${hoursOf("EDGE_STALE_IF_ERROR_SECONDS")} h longer. The Worker's settings
may say otherwise.`;

/** For those who ask whether a token is still used. */
export const UNCOUNTED_USES = `
A last use is written down once a minute at most. Responses from the edge's cache
are not counted, so the true last use may be up to ${hoursOf("EDGE_FRESH_SECONDS")} h later.`;

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
export async function settle(edge: Worker | undefined, keyId: string, isQuiet = false): Promise<void> {
  const command = `npm run purge -- --key ${keyId} --url`;
  if (edge === undefined) {
    if (!isQuiet) note(`${BOUNDS}\nTo end that now: PURGE_SECRET=… ${command} <origin of the Worker>`);
    return;
  }
  const { error } = await purgeAll(edge, { keys: [keyId] });
  if (error !== undefined) {
    const advice = `Purge it: ${command} ${edge.origin} --wait 60`;
    throw new CommandError(`The change stands, but the purge failed: ${error.message} ${advice}`, EXIT_CODE.notPurged);
  }
  if (!isQuiet) note(`Purged ${edge.origin}: what it cached for this key before is not used again.`);
}
