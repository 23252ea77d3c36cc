// Whether a purge reaches the copies of both versions that share the traffic.
import { randomInt } from "node:crypto";
import { PAGE } from "../../worker/shared/limits.ts";
import { context } from "../support/context.ts";
import { CommandError } from "../support/errors.ts";
import { note } from "../support/output.ts";
import { purgeAll } from "../support/purge-all.ts";
import type { Worker } from "../support/worker.ts";
import { isCopied, type SmokeTarget } from "./smoke.ts";

const RETRY_MS = 1_000;

/**
 * Has one version purge what another one holds. Each has a cache of its own, and the documentation does not say that a purge
 * reaches them all; if it did not, what one version purges would be seen late at the other.
 *
 * @see https://developers.cloudflare.com/workers/cache/purge/#purge-modes (read 2026-11-25)
 * @throws CommandError if it does not
 */
export async function expectPurgeReaches(holder: SmokeTarget, purger: Worker): Promise<void> {
  const { reader, isCached, waitSeconds } = holder;
  if (reader === undefined || !isCached) return;
  // A page that nobody else asks for.
  const page = `limit=1&offset=${randomInt(PAGE.maxOffset)}`;
  const path = `/v3/applications/${reader.applicationId}/processes?${page}`;
  await isCopied(holder, path);
  if (!(await isCopied(holder, path))) return note("There is no copy that a purge could miss.");
  const { error } = await purgeAll(purger, { applications: [reader.applicationId] }, { waitSeconds, onWait: () => {} });
  if (error !== undefined) return note(`Not tried whether a purge reaches both versions: ${error.message}`);
  const deadline = context().now() + waitSeconds * 1_000;
  while (await isCopied(holder, path)) {
    if (context().now() + RETRY_MS > deadline) throw new CommandError(MISSED);
    await context().sleep(RETRY_MS);
  }
}

const MISSED =
  "A purge does not reach the copies of the other version: changes would show late while both have traffic. Release at once: npm run deploy -- --steps 100.";
