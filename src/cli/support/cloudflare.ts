import { context } from "../../node/context.ts";
import { usageError } from "../../node/errors.ts";
import { parseWorkerUrl } from "../../node/loopback.ts";

const API_URL = "https://api.cloudflare.com/client/v4";

/**
 * Where Cloudflare's API has an account, without a slash at the end.
 *
 * @throws CommandError if CLOUDFLARE_API_BASE_URL would send the token in plain text
 */
export function accountUrl(account: string): string {
  const base = parseWorkerUrl(context().env.CLOUDFLARE_API_BASE_URL || API_URL);
  if (base === undefined) throw usageError("CLOUDFLARE_API_BASE_URL is no https:// URL.");
  // A URL without a path ends with a slash.
  return `${base.href.replace(/\/$/, "")}/accounts/${account}`;
}
