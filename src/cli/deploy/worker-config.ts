import "../../node/quiet.ts";
import { context } from "../../node/context.ts";
import { usageError } from "../../node/errors.ts";
import { mistakeIn, SETTINGS, settingIn } from "../../worker/shared/config.ts";

/** The settings of wrangler.toml that a deployment needs. */
export interface WorkerConfig {
  name: string;
  requiredSecrets: readonly string[];
  /** Whether Workers Caching stands in front of the Api. */
  isCached: boolean;
  /** Whether responses are cached for so long that what changes must be purged, which the feed does. */
  hasFeed: boolean;
  customDomains: readonly { pattern: string }[];
  /** Whether the Worker is also at its workers.dev URL. */
  hasWorkersDev: boolean;
  /** How long the audit log is kept. */
  auditDays: number;
}

/** @throws CommandError if the Worker would not take AUDIT_DAYS */
export async function readWorkerConfig(): Promise<WorkerConfig> {
  // It takes a second to load: what is wrong with the environment is told before.
  const { unstable_readConfig: readConfig } = await import("wrangler");
  const { name, secrets, cache, exports, route, routes, workers_dev, triggers, vars } = readConfig({
    config: new URL("wrangler.toml", context().project).pathname,
  });
  if (name === undefined) throw new Error("wrangler.toml does not name the Worker");
  const allRoutes = [...(routes ?? []), ...(route === undefined ? [] : [route])];
  const api = exports.Api as { cache?: { enabled: boolean } } | undefined;
  const secondsOf = (setting: keyof typeof SETTINGS) => Number(vars[setting] ?? SETTINGS[setting].default);
  const isCached = (api?.cache?.enabled ?? cache?.enabled ?? false) && secondsOf("EDGE_FRESH_SECONDS") > 0;
  const auditDays = settingIn(vars, "AUDIT_DAYS");
  if (auditDays === undefined) throw usageError(`${mistakeIn("AUDIT_DAYS")} in wrangler.toml.`);
  return {
    name,
    auditDays,
    requiredSecrets: secrets?.required ?? [],
    isCached,
    hasFeed:
      isCached &&
      (triggers.crons ?? []).length > 0 &&
      secondsOf("EDGE_FRESH_SECONDS") > secondsOf("EDGE_FRESH_WITHOUT_FEED_SECONDS"),
    customDomains: allRoutes.flatMap((one) => {
      if (typeof one === "string" || !("custom_domain" in one && one.custom_domain)) return [];
      const { custom_domain: _, ...domain } = one;
      return [domain];
    }),
    // Wrangler's default: only where there is nothing else.
    hasWorkersDev: workers_dev ?? allRoutes.length === 0,
  };
}
