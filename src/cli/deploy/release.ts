// From a version that nobody sees to one that has the traffic, in steps, and back.

import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import type { Target } from "../checks/deployment.ts";
import { smoke } from "../checks/run.ts";
import { note } from "../support/output.ts";
import { isVersionUrl } from "./access.ts";
import { messageArgs } from "./commit.ts";
import { openDomains } from "./domains.ts";
import { expectFewErrors } from "./error-rate.ts";
import { expectFeed, purgeEverything } from "./feed.ts";
import { expectPurgeReaches } from "./purge-reach.ts";
import { entryOf, WranglerError, wrangler } from "./wrangler.ts";

/** What deployments of the Worker have in common. */
export interface Deployable {
  /** Its name. */
  worker: string;
  reader: Target["reader"];
  /** Whether a cache stands in front of the Api. */
  isCached: boolean;
  /** Headers for the URLs of versions. */
  access: Record<string, string>;
  waitSeconds: number;
}

export interface Release extends Deployable {
  /** The secrets of the version, by name. */
  secrets: Record<string, string>;
  /** Options that name its commit. */
  commit: readonly string[];
  /** Scheme and host; undefined for that of workers.dev. */
  productionUrl: string | undefined;
  /** A URL of the database, directly, as the role that owns the schema. */
  migrationUrl: string;
  /** Whether what is cached must be purged when it changes. */
  hasFeed: boolean;
  /** Percentages of the traffic that it is given, one after the other; the last is 100. */
  steps: readonly number[];
  pauseSeconds: number;
  /** Custom domains of wrangler.toml that the Worker does not have yet. */
  newDomains: readonly string[];
}

/** A version of the Worker that can be asked. */
export interface Version {
  id: string;
  /** Its own URL, whether or not it has traffic. */
  url: string;
}

const WORKER_NOT_FOUND = 10_007;
/** The API refuses to go back past a change of secrets, unless it is forced to: wrangler 4.164, src/versions/rollback. */
const SECRETS_CHANGED = 10_220;
/** Versions that share the traffic must have the same `[exports]`: wrangler 4.164. */
const EXPORTS_CHANGED = 100_405;
const CANNOT_SHARE: readonly (number | undefined)[] = [SECRETS_CHANGED, EXPORTS_CHANGED];

/**
 * The versions that have the traffic, the one with more of it first. None: the Worker has never been released.
 *
 * @throws CommandError if Cloudflare does not tell
 */
export async function findActiveVersions(): Promise<string[]> {
  const [latest] = await listDeployments();
  return latest === undefined ? [] : withTraffic(latest);
}

/** One with 0 % is there to be tried. */
function withTraffic({ versions }: Deployment): string[] {
  const sharing = versions.filter(({ percentage }) => percentage > 0);
  return sharing.toSorted((a, b) => b.percentage - a.percentage).map(({ version_id }) => version_id);
}

/**
 * The version to go back to: the last that had all of the traffic before, and did not lose it because it was taken back.
 *
 * @throws CommandError if there is none
 */
export async function findVersionBefore(): Promise<string> {
  const deployments = await listDeployments();
  const [active = [], ...others] = deployments.map(withTraffic);
  // One that shares the traffic with a newer one is what to go back to. Else its newest deployment decides about a version.
  const seen = new Set(active.length === 1 ? active : []);
  for (const [index, [id = "", ...sharing]] of others.entries()) {
    if (sharing.length > 0 || seen.has(id)) continue;
    seen.add(id);
    const { annotations } = deployments[index] as Deployment;
    if (!WAYS_BACK.includes(annotations?.["workers/message"] ?? "")) return id;
  }
  throw new CommandError("There is no version to go back to.");
}

interface Deployment {
  created_on: string;
  versions: { version_id: string; percentage: number }[];
  annotations?: { "workers/message"?: string };
}

/** What a deployment says that takes the traffic away from a newer version. */
const TAKEN_BACK = "The smoke test failed.";
const ROLLED_BACK = "Rolled back by hand.";
const WAYS_BACK = [TAKEN_BACK, ROLLED_BACK];

/** The newest comes first. */
export async function listDeployments(): Promise<Deployment[]> {
  try {
    const args = ["deployments", "list", "--json"];
    const { stdout } = await wrangler(args, { expects: [WORKER_NOT_FOUND], isQuiet: true });
    return (JSON.parse(stdout) as Deployment[]).toSorted((a, b) => b.created_on.localeCompare(a.created_on));
  } catch (error) {
    if (error instanceof WranglerError && error.code === WORKER_NOT_FOUND) return [];
    throw error;
  }
}

/** There is no version that could be tried before, and none to go back to. */
export async function deployFirst(release: Release): Promise<void> {
  const result = await wrangler(["deploy", ...release.commit], { secrets: release.secrets });
  const { targets, version_id } = entryOf(result, "deploy") as { targets?: string[]; version_id?: string };
  const origin = release.productionUrl ?? targets?.find((target) => target.startsWith("https://"));
  if (origin === undefined) throw new CommandError("The Worker has no URL: set PRODUCTION_URL.");
  try {
    const target = { ...targetAt(origin, release), version: version_id };
    await smoke({ ...target, purgeSecret: purgeSecretOf(release) });
    if (release.hasFeed) await expectFeed(target, release.migrationUrl);
  } catch (error) {
    throw withNote(error, "There is no version to go back to.");
  }
}

/** @param before the id of the version that has the traffic */
export async function deployNext(release: Release, before: string): Promise<void> {
  const version = await upload(release);
  const old = { id: before, url: version.url.replace(version.id.slice(0, 8), before.slice(0, 8)) };
  const productionUrl = release.productionUrl ?? version.url.replace(`${version.id.slice(0, 8)}-`, "");
  try {
    await smoke({ ...targetOf(version, release), purgeSecret: purgeSecretOf(release) });
    await openDomains(release.newDomains, release.waitSeconds);
  } catch (error) {
    throw withNote(error, "It has no traffic: nothing has changed for anyone.");
  }
  const production = { ...targetAt(productionUrl, release), version: version.id };
  let share = 0;
  try {
    const isShared = release.steps.length > 1 && (await tryWithoutTraffic(release, version, old, production));
    const message = messageArgs(release.commit);
    for (share of release.steps) {
      if (share < 100 && isShared) await giveShare(release, version, old, production, share);
    }
    await wrangler(["versions", "deploy", `${version.id}@100%`, "--yes", ...message]);
    await smoke(production);
    // Routes, domains and schedules of wrangler.toml, which are not of a version: no way back brings those of before.
    await wrangler(["triggers", "deploy"]);
    if (release.hasFeed) await expectFeed(production, release.migrationUrl);
  } catch (error) {
    await rollBack(release, old, productionUrl, { error, hadTraffic: share > 0 });
  }
}

async function upload({ commit, secrets }: Release): Promise<Version> {
  const result = await wrangler(["versions", "upload", ...commit], { secrets });
  const { version_id: id, preview_url: url } = entryOf(result, "version-upload") as {
    version_id?: string;
    preview_url?: string;
  };
  if (id === undefined || url === undefined) {
    throw new CommandError("The version has no URL to try it at: wrangler.toml must say preview_urls = true.");
  }
  return { id, url };
}

/**
 * Tries a version at the production URL, past its firewall and through its domain, before anybody else is given it.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-overrides/ (read 2026-11-30)
 * @returns whether the two versions may share the traffic: if not, all of it moves at once
 */
async function tryWithoutTraffic(release: Release, version: Version, old: Version, production: Target) {
  try {
    if (!(await split(release, version, old, 0))) return false;
    await smoke({ ...production, headers: overrideFor(release.worker, version) });
  } catch (error) {
    throw withNote(error, NOT_CHOSEN);
  }
  const holder = { ...production, headers: overrideFor(release.worker, old), purgeSecret: purgeSecretOf(release) };
  await expectPurgeReaches(holder, overrideFor(release.worker, version));
  return true;
}

const NOT_CHOSEN =
  "If only the version was wrong, Cloudflare ignored the version override header: npm run deploy -- --steps 100 does without it.";

/**
 * Gives a version a part of the traffic for a while, and tries it at the production URL.
 *
 * In steps, because its cache is empty at first, and the database must not get all requests at once: the numbers, and why
 * `cross_version_cache` is off, stand in src/cli/README.md, Deploy.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/gradual-deployments/ (read 2026-11-25)
 */
async function giveShare(release: Release, version: Version, old: Version, production: Target, percentage: number) {
  const sinceMs = context().now();
  await split(release, version, old, percentage);
  await smoke({ ...production, headers: overrideFor(release.worker, version) });
  note(`Waiting for ${release.pauseSeconds} s at ${percentage} %.`);
  await context().sleep(release.pauseSeconds * 1_000);
  await expectFewErrors(version.id, sinceMs);
}

/** @returns whether the platform splits the traffic between the two */
async function split({ commit }: Release, version: Version, old: Version, percentage: number): Promise<boolean> {
  const shares = [`${version.id}@${percentage}%`, `${old.id}@${100 - percentage}%`];
  try {
    const args = ["versions", "deploy", ...shares, "--yes", ...messageArgs(commit)];
    await wrangler(args, { expects: [SECRETS_CHANGED, EXPORTS_CHANGED] });
    return true;
  } catch (error) {
    if (!(error instanceof WranglerError && CANNOT_SHARE.includes(error.code))) throw error;
    note("Cloudflare cannot split traffic between versions whose secrets or exports differ: it moves at once.");
    return false;
  }
}

/**
 * The header that chooses one of the versions that share the traffic.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-overrides/ (read 2026-11-25)
 */
const overrideFor = (worker: string, { id }: Version): Record<string, string> => ({
  "cloudflare-workers-version-overrides": `${worker}="${id}"`,
});

/** @param failure why, and whether the new version has had traffic */
async function rollBack(
  release: Release,
  old: Version,
  productionUrl: string,
  { error: cause, hadTraffic }: { error: unknown; hadTraffic: boolean },
): Promise<never> {
  note(`Going back to version ${old.id}.`);
  try {
    await goBackTo(old, release);
  } catch (error) {
    const why = error instanceof BrokenVersionError ? error.message : `By hand: npm run rollback -- ${old.id}`;
    throw withNote(cause, `And the way back FAILED. ${why}`);
  }
  let words = `Version ${old.id} has the traffic again.`;
  const check = async () => {
    try {
      await smoke({ ...targetAt(productionUrl, release), version: old.id });
    } catch {
      words = `Version ${old.id} has the traffic again, but fails its smoke test, too.`;
    }
  };
  try {
    // Even if it has kept a part of the traffic: the feed may have been the new version's.
    await (hadTraffic ? purgeEverything(release.migrationUrl, check) : check());
  } catch (error) {
    throw withNote(withNote(cause, words), (error as Error).message);
  }
  throw withNote(cause, words);
}

/** Gives the version before its traffic back. It brings its secrets along: if they have changed, it must still work. */
async function goBackTo(old: Version, deployable: Deployable): Promise<void> {
  try {
    const args = ["versions", "deploy", `${old.id}@100%`, "--yes", "--message", TAKEN_BACK];
    await wrangler(args, { expects: [SECRETS_CHANGED] });
  } catch (error) {
    if (!(error instanceof WranglerError) || error.code !== SECRETS_CHANGED) throw error;
    note("Secrets have changed since: it is tried with those that it brings back.");
    await assertWorks(old, deployable);
    await forceBack(old, TAKEN_BACK);
  }
}

/** A version must not have traffic, for it does not work. */
class BrokenVersionError extends CommandError {}

/**
 * Tries a version that had traffic once, with the secrets of its time and the database of today.
 *
 * @throws CommandError that says what to do instead
 */
export async function assertWorks(version: Version, deployable: Deployable): Promise<void> {
  try {
    // Not its cache: what is wrong with that may be why.
    await smoke({ ...targetOf(version, deployable), isCached: false });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new BrokenVersionError(
      `Version ${version.id} does not work with the secrets that it would bring back and the database of today: it gets no traffic. To run its code with today's secrets, check out its commit${await commitOf(version)} and release that: npm run deploy.`,
    );
  }
}

/** Gives a version all of the traffic, also past a change of secrets, which `versions deploy` does not. */
export async function forceBack({ id }: Version, message = ROLLED_BACK): Promise<void> {
  await wrangler(["rollback", id, "--yes", "--message", message]);
}

async function commitOf({ id }: Version): Promise<string> {
  const { stdout } = await wrangler(["versions", "view", id, "--json"], { isQuiet: true });
  const tag = JSON.parse(stdout).annotations?.["workers/tag"];
  return typeof tag === "string" ? ` (${tag})` : "";
}

const purgeSecretOf = ({ hasFeed, secrets }: Release): string | undefined =>
  hasFeed ? secrets.PURGE_SECRET : undefined;

const targetAt = (origin: string, { reader, isCached, waitSeconds }: Deployable): Target => ({
  origin,
  reader,
  isCached,
  waitSeconds,
});

/**
 * A version at its own URL, where it has a cache of its own, too.
 *
 * @see https://developers.cloudflare.com/workers/cache/#what-gets-cached (read 2026-11-25)
 */
const targetOf = ({ id, url }: Version, deployable: Deployable): Target => ({
  ...targetAt(url, deployable),
  version: id,
  headers: isVersionUrl(url, deployable.worker) ? deployable.access : {},
});

function withNote(error: unknown, words: string): unknown {
  return error instanceof CommandError ? new CommandError(`${error.message} ${words}`) : error;
}
