// Custom domains of wrangler.toml: a name that is somebody's is not taken over, and a new one is waited for.
import { z } from "zod";
import { CommandError, usageError } from "../../node/errors.ts";
import { smoke } from "../checks/run.ts";
import { note } from "../support/output.ts";
import { askCloudflare } from "./cloudflare.ts";
import type { WorkerConfig } from "./worker-config.ts";
import { wrangler } from "./wrangler.ts";

/** A new name takes as many times longer than a new version: DNS and a certificate have to be made. */
const NAME_PATIENCE = 15;

const hostnames = z.array(z.object({ hostname: z.string() }));
const changeset = z.object({
  added: hostnames,
  updated: z.array(z.object({ id: z.string(), hostname: z.string(), modified: z.boolean().optional() })),
  conflicting: hostnames,
});
const record = z.object({ service: z.string() });

/**
 * Finds the custom domains that the Worker does not have yet. Without a terminal, wrangler would take each from whoever
 * has it, DNS records and other Workers alike, and ask nobody (4.164, publishCustomDomains): these are its own questions.
 *
 * @param isReleased whether the Worker is there to be given domains
 * @throws CommandError if somebody else has one, or the Worker has a second door beside them
 */
export async function findNewDomains(
  { name, customDomains, hasWorkersDev }: WorkerConfig,
  isReleased: boolean,
): Promise<string[]> {
  if (customDomains.length === 0) return [];
  if (!isReleased) {
    throw usageError(
      "A custom domain comes with the second release: its DNS and certificate take longer than a release waits for. Release without `routes` first.",
    );
  }
  const path = `/workers/scripts/${name}/domains/changeset?replace_state=true`;
  const origins = customDomains.map(({ pattern, ...rest }) => ({ hostname: pattern, ...rest }));
  const { added, updated, conflicting } = await askCloudflare("POST", path, changeset, origins);
  if (conflicting.length > 0) {
    const names = conflicting.map(({ hostname }) => hostname).join(", ");
    throw new CommandError(`There are DNS records already for ${names}: delete them first, if nobody needs them.`);
  }
  for (const { id, hostname } of updated.filter(({ modified }) => modified)) {
    const { service } = await askCloudflare("GET", `/workers/domains/records/${id}`, record);
    if (service === name) continue;
    throw new CommandError(`${hostname} is a domain of the Worker ${service}: take it away from there first.`);
  }
  if (added.length === 0 && hasWorkersDev) {
    throw usageError(
      `The workers.dev URL is a second door, which the firewall of ${customDomains[0]?.pattern}'s zone does not guard: set workers_dev = false in wrangler.toml.`,
    );
  }
  return added.map(({ hostname }) => hostname);
}

/**
 * Gives the Worker its new domains and waits until the version that has the traffic answers there.
 *
 * @throws CommandError if one does not answer in time
 */
export async function openDomains(hostnames: readonly string[], waitSeconds: number): Promise<void> {
  if (hostnames.length === 0) return;
  await wrangler(["triggers", "deploy"]);
  for (const hostname of hostnames) {
    const origin = `https://${hostname}`;
    note(`Waiting for ${hostname}.`);
    try {
      await smoke({ origin, isCached: false, waitSeconds: waitSeconds * NAME_PATIENCE });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new CommandError(
        `${error.message} Its DNS and certificate may take longer still: once npm run smoke -- --url ${origin} passes, release again.`,
      );
    }
  }
}
