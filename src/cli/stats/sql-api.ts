// The SQL API of Workers Analytics Engine: https://developers.cloudflare.com/analytics/analytics-engine/sql-api/
import { z } from "zod";
import { context } from "../../node/context.ts";
import { usageError } from "../../node/errors.ts";
import { ask } from "../../node/http.ts";
import { findRunning } from "../../node/running.ts";
import { accountUrl } from "../support/cloudflare.ts";

/** Where a dataset is queried. */
export interface SqlApi {
  url: string;
  token: string;
}

const answer = z.object({ data: z.array(z.record(z.string(), z.unknown())) });

/**
 * The account of the environment, or else a running `npm run dev`.
 *
 * @throws CommandError if there is neither
 */
export function findSqlApi(): SqlApi {
  const { CLOUDFLARE_ACCOUNT_ID: account, CLOUDFLARE_API_TOKEN: token } = context().env;
  if (account) {
    if (!token)
      throw usageError("CLOUDFLARE_API_TOKEN is not set: a token with the permission Account Analytics: Read.");
    return { url: `${accountUrl(account)}/analytics_engine/sql`, token };
  }
  const running = findRunning();
  if (running === undefined) {
    throw usageError("Nothing to ask: set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN, or start `npm run dev`.");
  }
  return { url: `${running.url}/client/v4/accounts/local/analytics_engine/sql`, token: "local" };
}

/** @throws CommandError if the API refuses or cannot be reached */
export async function query({ url, token }: SqlApi, sql: string): Promise<Record<string, unknown>[]> {
  return (await ask(url, answer, { method: "POST", token, body: sql })).data;
}
