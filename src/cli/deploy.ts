// `npm run deploy`: the production release, in the one order that can be taken back.

import { z } from "zod";
import { context } from "../node/context.ts";
import { CommandError, usageError } from "../node/errors.ts";
import { askCloudflare } from "./deploy/cloudflare.ts";
import { mask, readAccess, readOwnerUrl, readReader, readSecrets, readWorkerUrl } from "./deploy/environment.ts";
import { runMigrations } from "./deploy/migrations.ts";
import { deployFirst, deployNext, findActiveVersions, type Release } from "./deploy/release.ts";
import { readWorkerConfig, type WorkerConfig } from "./deploy/worker-config.ts";
import { asOwner, grantRights } from "./deploy/worker-role.ts";
import { note } from "./support/output.ts";
import { parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

const NOTES = `
Tries a version without traffic, gives it 10, 50, then all of the traffic, and takes
it back where it fails: src/cli/README.md, Releases.

Of the environment:
  MIGRATION_DATABASE_URL  the database, directly, as the role that owns the schema
  DATABASE_URL            the same database for the Worker, through the pooler
  PURGE_SECRET            and every other secret that wrangler.toml requires
  PURGE_SECRET_PREVIOUS   the one before, while it is rotated
  PRODUCTION_URL          where clients find it (default: its custom domain, or else
                          its workers.dev URL)
  SMOKE_TOKEN, SMOKE_APPLICATION, SMOKE_PROCESS
                          a key and a process to try it with; without, less is tried
  CF_ACCESS_CLIENT_ID, CF_ACCESS_CLIENT_SECRET
                          if Cloudflare Access guards the URLs of versions; sent to
                          these alone
  CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID
                          or whoever is logged in (npx wrangler login)

If it fails, the previous version still has the traffic or has it again, unless the last
line says otherwise.`;

async function deploy({
  atOnce: isAtOnce = false,
  wait: waitSeconds,
}: {
  atOnce?: boolean;
  wait: number;
}): Promise<void> {
  const ownerUrl = readOwnerUrl();
  const databaseUrl = readWorkerUrl(ownerUrl);
  const reader = readReader();
  const productionUrl = readProductionUrl();
  const config = await readWorkerConfig();
  const access = readAccess(config.name);
  const secrets = readSecrets(config.requiredSecrets);
  // A secret that is not sent is inherited from the version before (wrangler 4.164, keepSecrets): a rotation ends with today's.
  const previous = context().env.PURGE_SECRET_PREVIOUS || secrets.PURGE_SECRET;
  if (previous !== undefined) secrets.PURGE_SECRET_PREVIOUS = previous;
  mask([ownerUrl, new URL(ownerUrl).password, ...Object.values(secrets), new URL(databaseUrl).password]);

  // Before the migration: what stands in the way of the rest must not be found after it.
  const [active, other] = await findActiveVersions();
  if (other !== undefined) {
    throw new CommandError(
      "Two versions share the traffic: give all of it to one of them first (npm run rollback takes the one before).",
    );
  }
  const [domain] = config.customDomains;
  if (active === undefined && domain !== undefined) {
    throw usageError("A custom domain comes after the first release: release without `routes` first.");
  }
  await assertOwnDomains(config);
  const release: Release = {
    config,
    secrets,
    reader,
    access,
    ownerUrl,
    productionUrl: productionUrl ?? (domain && `https://${domain.pattern}`),
    isAtOnce,
    waitSeconds,
  };
  await runMigrations(ownerUrl, (name) => note(`migrated ${name}`));
  await asOwner(ownerUrl, "The Worker's role was given no rights", grantRights);
  await (active === undefined ? deployFirst(release) : deployNext(release, active));
}

function readProductionUrl(): string | undefined {
  const { PRODUCTION_URL } = context().env;
  if (!PRODUCTION_URL) return undefined;
  const url = URL.parse(PRODUCTION_URL);
  if (url?.protocol !== "https:") throw usageError("PRODUCTION_URL is no https:// URL.");
  return url.origin;
}

const hostnames = z.array(z.object({ hostname: z.string(), modified: z.boolean().optional() }));
const changeset = z.object({ added: hostnames, updated: hostnames, conflicting: hostnames });

/**
 * Without a terminal, wrangler takes a custom domain from whoever has it, DNS records and other Workers alike, and asks nobody
 * (4.164, publishCustomDomains). So a release gives the Worker none.
 *
 * @throws CommandError if wrangler.toml has a domain that the Worker has not, or beside it the URL that no firewall guards
 */
async function assertOwnDomains({ name, customDomains, hasWorkersDev }: WorkerConfig): Promise<void> {
  if (customDomains.length === 0) return;
  if (hasWorkersDev) {
    throw usageError(
      `The workers.dev URL is a second door, which the firewall of ${customDomains[0]?.pattern}'s zone does not guard: set workers_dev = false in wrangler.toml.`,
    );
  }
  const body = customDomains.map(({ pattern, ...rest }) => ({ hostname: pattern, ...rest }));
  const path = `/workers/scripts/${name}/domains/changeset?replace_state=true`;
  const { added, updated, conflicting } = await askCloudflare(path, changeset, { method: "POST", body });
  const others = [...added, ...conflicting, ...updated.filter(({ modified }) => modified)];
  if (others.length === 0) return;
  const names = others.map(({ hostname }) => hostname).join(", ");
  throw new CommandError(
    `${names}: not the Worker's yet. At a terminal, npx wrangler triggers deploy adds it, and asks before it takes it from somebody else.`,
  );
}

export default await command(import.meta, () =>
  createProgram("deploy")
    .description("Migrates and deploys to production, trying it before and after it has traffic.")
    .option("--at-once", "move all of the traffic at once, not in steps")
    .option("--wait <seconds>", "how long to wait for a URL to answer as it should", parseWholeNumber, 60)
    .addHelpText("after", NOTES)
    .action(deploy),
);
