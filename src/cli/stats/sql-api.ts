// The SQL API of Workers Analytics Engine: https://developers.cloudflare.com/analytics/analytics-engine/sql-api/
import { z } from "zod";
import { accountUrl } from "../support/cloudflare.ts";
import { context } from "../support/context.ts";
import { CommandError, reasonOf, usageError } from "../support/errors.ts";
import { printable } from "../support/output.ts";
import { findRunning } from "../support/running.ts";

/** Where a dataset is queried. */
export interface SqlApi {
  url: string;
  token: string;
}

const TIMEOUT_MS = 30_000;

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
  let status: number;
  let text: string;
  try {
    const response = await context().fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: sql,
      // The token is for this origin alone.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    throw new CommandError(`${new URL(url).origin} cannot be reached: ${reasonOf(error)}.`);
  }
  const result = answer.safeParse(parseJson(text));
  if (status === 200 && result.success) return result.data.data;
  throw new CommandError(`The SQL API answered ${status}: ${printable(text.trim()).slice(0, 200)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
