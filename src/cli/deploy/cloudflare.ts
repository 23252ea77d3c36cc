// Cloudflare's API, for the few things that wrangler does not tell.
import { z } from "zod";
import { context } from "../../node/context.ts";
import { usageError } from "../../node/errors.ts";
import { ask, type RequestOptions } from "../../node/http.ts";
import { parseWorkerUrl } from "../../node/loopback.ts";
import { wrangler } from "./wrangler.ts";

/**
 * Where Cloudflare's API has an account, without a slash at the end.
 *
 * @throws CommandError if CLOUDFLARE_API_BASE_URL would send the token in plain text
 */
export function accountUrl(account: string): string {
  const base = parseWorkerUrl(context().env.CLOUDFLARE_API_BASE_URL || "https://api.cloudflare.com/client/v4");
  if (base === undefined) throw usageError("CLOUDFLARE_API_BASE_URL is no https:// URL.");
  // A URL without a path ends with a slash.
  return `${base.href.replace(/\/$/, "")}/accounts/${account}`;
}

/** Asks for something of the account that CLOUDFLARE_ACCOUNT_ID names. @throws CommandError with the words of the API */
export async function askCloudflare<T>(path: string, result: z.ZodType<T>, options?: RequestOptions): Promise<T> {
  const { CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_API_TOKEN } = context().env;
  if (!CLOUDFLARE_ACCOUNT_ID) throw usageError("CLOUDFLARE_ACCOUNT_ID is not set.");
  const url = accountUrl(CLOUDFLARE_ACCOUNT_ID) + path;
  const token = CLOUDFLARE_API_TOKEN || (await readLoginToken());
  return (await ask(url, z.object({ result }), { ...options, token })).result;
}

/** That of `wrangler login`. */
async function readLoginToken(): Promise<string> {
  const { stdout } = await wrangler(["auth", "token", "--json"], { isQuiet: true });
  return z.object({ token: z.string() }).parse(JSON.parse(stdout)).token;
}
