import { z } from "zod";
import { CommandError, usageError } from "../../node/errors.ts";
import { askCloudflare } from "./cloudflare.ts";
import type { WorkerConfig } from "./worker-config.ts";

const hostnames = z.array(z.object({ hostname: z.string(), modified: z.boolean().optional() }));
const changeset = z.object({ added: hostnames, updated: hostnames, conflicting: hostnames });

/**
 * Without a terminal, wrangler takes a custom domain from whoever has it, DNS records and other Workers alike, and asks nobody
 * (4.164, publishCustomDomains). So a release gives the Worker none.
 *
 * @throws CommandError if wrangler.toml has a domain that the Worker has not, or beside it the URL that no firewall guards
 */
export async function assertOwnDomains({ name, customDomains, hasWorkersDev }: WorkerConfig): Promise<void> {
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
