// The errors of a version that has a part of the traffic.

import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { DATASETS } from "../../worker/shared/analytics.ts";
import { excessOf } from "../stats/alerts.ts";
import { readErrors } from "../stats/read.ts";
import { findSqlApi } from "../stats/sql-api.ts";
import { note } from "../support/output.ts";

/**
 * Asks what the version has answered so far, and holds it to the threshold of the alert.
 *
 * @param sinceMs when it was given traffic
 * @throws CommandError if too much failed; not if nobody can tell
 */
export async function expectFewErrors(version: string, sinceMs: number): Promise<void> {
  // Without an account the statistics are those of `npm run dev`.
  if (!context().env.CLOUDFLARE_ACCOUNT_ID) return note("CLOUDFLARE_ACCOUNT_ID is not set: errors are not counted.");
  let excess: string | undefined;
  try {
    const figures = await readErrors(findSqlApi(), DATASETS.production, version, Math.floor(sinceMs / 1_000));
    note(`${figures.requests} requests, ${figures.errors} failed with 5xx.`);
    excess = excessOf(figures);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return note(`Errors are not counted: ${error.message}`);
  }
  if (excess !== undefined) throw new CommandError(`The new version fails too often: ${excess}.`);
}
