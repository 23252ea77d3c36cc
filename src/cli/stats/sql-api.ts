// The SQL API of Workers Analytics Engine: https://developers.cloudflare.com/analytics/analytics-engine/sql-api/
import { z } from "zod";
import { context } from "../../node/context.ts";
import { usageError } from "../../node/errors.ts";
import { ask } from "../../node/http.ts";
import { findRunning } from "../../node/running.ts";
import { accountUrl } from "../deploy/cloudflare.ts";

const schema = z.object({ data: z.array(z.record(z.string(), z.unknown())) });

/**
 * Asks the account of the environment, or else a running `npm run dev`.
 *
 * @throws CommandError if there is neither, or it refuses
 */
export async function query(sql: string): Promise<Record<string, unknown>[]> {
  const { CLOUDFLARE_ACCOUNT_ID: account, CLOUDFLARE_API_TOKEN } = context().env;
  const running = findRunning();
  if (account && !CLOUDFLARE_API_TOKEN) {
    throw usageError("CLOUDFLARE_API_TOKEN is not set: a token with the permission Account Analytics: Read.");
  }
  if (!account && running === undefined) {
    throw usageError("Nothing to ask: set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN, or start `npm run dev`.");
  }
  const url = account ? accountUrl(account) : `${running?.url}/client/v4/accounts/local`;
  const token = account ? CLOUDFLARE_API_TOKEN : "local";
  return (await ask(`${url}/analytics_engine/sql`, schema, { method: "POST", token, body: sql })).data;
}
