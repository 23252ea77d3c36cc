// What the release commands read from the environment. Nothing of it is ever said, only the names of variables.
import { context } from "../../node/context.ts";
import { assertPostgresUrl } from "../../node/database.ts";
import { usageError } from "../../node/errors.ts";
import { isUuid } from "../../worker/shared/uuid.ts";
import type { Reader } from "../checks/deployment.ts";

/** Keeps values out of the log of the GitHub workflow that runs the command, whoever may print them. */
export function mask(values: readonly string[]): void {
  if (context().env.GITHUB_ACTIONS !== "true") return;
  for (const value of values) if (value !== "") context().stderr.write(`::add-mask::${value}\n`);
}

/** A URL of the database as the role that owns the schema. @throws CommandError unless it is a direct one */
export function readOwnerUrl(): string {
  const url = readDatabaseUrl("MIGRATION_DATABASE_URL");
  assertDirect(url, "MIGRATION_DATABASE_URL");
  return url;
}

/** The Worker's URL of the database. @throws CommandError unless it leads to the owner's, through the pooler or not */
export function readWorkerUrl(ownerUrl: string): string {
  const url = readDatabaseUrl("DATABASE_URL");
  const [a, b] = [ownerUrl, url].map((text) => {
    const { hostname, pathname } = new URL(text);
    return hostname.replace(/^([^.]*)-pooler\./, "$1.") + pathname;
  });
  if (a !== b) throw usageError("MIGRATION_DATABASE_URL and DATABASE_URL lead to two databases.");
  return url;
}

function readDatabaseUrl(name: string): string {
  const value = context().env[name];
  if (!value) throw usageError(`${name} is not set.`);
  assertPostgresUrl(value, name);
  return value;
}

/**
 * Neon's pooler ends a session, and so a lock of one, with each transaction.
 *
 * @see https://neon.com/docs/connect/connection-pooling
 * @throws CommandError if the URL leads to it
 */
export function assertDirect(connectionString: string, name: string): void {
  if (!/^[^.]*-pooler(?:\.|$)/.test(new URL(connectionString).hostname)) return;
  throw usageError(`${name} is a pooled URL, and migrations need a direct one: take -pooler out of its host.`);
}

/**
 * Secrets that the Worker needs.
 *
 * @param names of wrangler.toml's `[secrets] required`
 * @throws CommandError that names all that are missing
 */
export function readSecrets(names: readonly string[]): Record<string, string> {
  const secrets = Object.fromEntries(names.map((name) => [name, context().env[name] ?? ""]));
  const missing = names.filter((name) => secrets[name] === "");
  if (missing.length > 0) throw usageError(`The environment lacks ${missing.join(", ")}, which the Worker needs.`);
  return secrets;
}

/** A key and a process to try a deployment with; undefined if there is neither. @throws CommandError for a part of it */
export function readReader(): Reader | undefined {
  const {
    SMOKE_TOKEN: token = "",
    SMOKE_APPLICATION: applicationId = "",
    SMOKE_PROCESS: processId = "",
  } = context().env;
  if (token + applicationId + processId === "") return undefined;
  if (!/^[\x21-\x7e]+$/.test(token) || !isUuid(applicationId) || !isUuid(processId)) {
    throw usageError(
      "SMOKE_TOKEN must be an API key, SMOKE_APPLICATION and SMOKE_PROCESS the ids of what it may read.",
    );
  }
  return { token, applicationId, processId };
}

/** The headers that let a request past Cloudflare Access, by the URL that it is for. */
export type Access = (url: string) => Record<string, string>;

/**
 * Reads the service token of Cloudflare Access, which guards the URLs of versions and previews. It is for these only.
 *
 * @see https://developers.cloudflare.com/cloudflare-one/access-controls/service-credentials/service-tokens/ (read 2026-11-25)
 * @throws CommandError if there is only a part of it
 */
export function readAccess(worker: string): Access {
  const { CF_ACCESS_CLIENT_ID: id = "", CF_ACCESS_CLIENT_SECRET: secret = "" } = context().env;
  if ((id === "") !== (secret === "")) {
    throw usageError("Set both CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET, or neither.");
  }
  mask([secret]);
  const headers = { "cf-access-client-id": id, "cf-access-client-secret": secret };
  return (url) => (id !== "" && isVersionUrl(url, worker) ? headers : ({} as Record<string, string>));
}

/**
 * Whether a URL is that of a version, a preview or a deployment of a preview.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-urls/#url-format (read 2026-11-25)
 */
export function isVersionUrl(url: string, worker: string): boolean {
  const { protocol, hostname } = new URL(url);
  const [label = "", ...rest] = hostname.split(".");
  return protocol === "https:" && label.endsWith(`-${worker}`) && /^[^.]+\.workers\.dev$/.test(rest.join("."));
}
