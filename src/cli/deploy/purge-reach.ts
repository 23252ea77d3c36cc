// Whether a purge reaches the cached responses of both versions that share the traffic.
import { randomInt } from "node:crypto";
import { CommandError } from "../../node/errors.ts";
import { PAGE } from "../../worker/shared/limits.ts";
import { Deployment, Failure, type Target } from "../checks/deployment.ts";
import { expectForgotten, purgeReader, Skipped, store } from "../checks/index.ts";
import { note } from "../support/output.ts";

/**
 * Has one version purge what another one holds. Each has a cache of its own, and the documentation does not say that a purge
 * reaches them all; if it did not, what one version purges would be seen late at the other.
 *
 * @param holder a version, with a reader and a secret to purge with; nothing is tried without
 * @param purger the headers that choose the other
 * @see https://developers.cloudflare.com/workers/cache/purge/#purge-modes (read 2026-11-25)
 * @throws CommandError if it does not
 */
export async function expectPurgeReaches(holder: Target, purger: Record<string, string>): Promise<void> {
  const { reader, purgeSecret, isCached: hasCache } = holder;
  if (reader === undefined || purgeSecret === undefined || !hasCache) return;
  const deployment = new Deployment(holder);
  // A page that nobody else asks for.
  const page = `limit=1&offset=${randomInt(PAGE.maxOffset)}`;
  const path = `/v3/applications/${reader.applicationId}/processes?${page}`;
  try {
    await store(deployment, path);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new CommandError(`The version before caches nothing that a purge could miss: ${error.message}.`);
  }
  try {
    await purgeReader(new Deployment({ ...holder, headers: purger }));
    await expectForgotten(deployment, { path });
  } catch (error) {
    if (error instanceof Skipped) return note(`Not tried whether a purge reaches both versions: ${error.message}`);
    throw error instanceof Failure ? new CommandError(`${MISSED} (${error.message})`) : error;
  }
}

const MISSED =
  "A purge by one version does not reach what the other has cached, so changes would show late while both have traffic. Move the traffic at once: npm run deploy -- --steps 100.";
