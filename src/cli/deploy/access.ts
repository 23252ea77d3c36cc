// Cloudflare Access in front of the URLs of versions and previews.
import { context } from "../../node/context.ts";
import { usageError } from "../../node/errors.ts";
import { mask } from "./github.ts";

/**
 * Reads the service token of the environment.
 *
 * @see https://developers.cloudflare.com/cloudflare-one/access-controls/service-credentials/service-tokens/ (read 2026-11-25)
 * @returns headers; none if there is no token
 * @throws CommandError if there is only a part of it
 */
export function readAccessToken(): Record<string, string> {
  const { CF_ACCESS_CLIENT_ID: id, CF_ACCESS_CLIENT_SECRET: secret } = context().env;
  if (!id && !secret) return {};
  if (!id || !secret) throw usageError("Set both CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET, or neither.");
  mask([secret]);
  return { "cf-access-client-id": id, "cf-access-client-secret": secret };
}

/**
 * Whether an origin is that of a version, a preview or a deployment of a preview. The token is for these alone.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-urls/#url-format (read 2026-11-25)
 */
export function isVersionUrl(origin: string, worker: string): boolean {
  const { protocol, hostname } = new URL(origin);
  const [label = "", ...rest] = hostname.split(".");
  return protocol === "https:" && label.endsWith(`-${worker}`) && /^[^.]+\.workers\.dev$/.test(rest.join("."));
}
