// From a version that nobody sees to one that has the traffic, in steps, and back.
import { randomInt } from "node:crypto";
import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { DATASETS } from "../../worker/shared/analytics.ts";
import { PAGE } from "../../worker/shared/limits.ts";
import { Failure, type Target } from "../checks/deployment.ts";
import { expectForgotten, purgeReader, Skipped, store } from "../checks/index.ts";
import { smoke } from "../checks/run.ts";
import { excessOf } from "../stats/alerts.ts";
import { readErrors } from "../stats/read.ts";
import { note } from "../support/output.ts";
import type { Access } from "./environment.ts";
import { expectFeed, purgeEverything } from "./feed.ts";
import type { WorkerConfig } from "./worker-config.ts";
import { commitArgs, entryOf, WranglerError, wrangler } from "./wrangler.ts";

/** What deployments of the Worker have in common. */
export interface Deployable {
  config: WorkerConfig;
  reader: Target["reader"];
  access: Access;
  waitSeconds: number;
}

export interface Release extends Deployable {
  /** The secrets of the version, by name. */
  secrets: Record<string, string>;
  /** Scheme and host; undefined for that of workers.dev. */
  productionUrl: string | undefined;
  /** A URL of the database, directly, as the role that owns the schema. */
  ownerUrl: string;
  /** Whether it is given all of the traffic without steps in between. */
  isAtOnce: boolean;
}

/** A version of the Worker that can be asked. */
interface Version {
  id: string;
  /** Its own URL, whether or not it has traffic. */
  url: string;
}

/** Percentages of the traffic that a version is given before it is given all of it. */
const STEPS = [0, 10, 50];
const PAUSE_SECONDS = 300;
const WORKER_NOT_FOUND = 10_007;
/** The API refuses to go back past a change of secrets, unless it is forced to: wrangler 4.164, src/versions/rollback. */
const SECRETS_CHANGED = 10_220;
/** Versions that share the traffic must have the same `[exports]`: wrangler 4.164. */
const EXPORTS_CHANGED = 100_405;

/** What a deployment says that takes the traffic away from a newer version. */
const TAKEN_BACK = "The smoke test failed.";
const ROLLED_BACK = "Rolled back by hand.";

interface Deployment {
  created_on: string;
  versions: { version_id: string; percentage: number }[];
  annotations?: { "workers/message"?: string };
}

/** The ids of the versions that share the traffic, the newest deployment first. One with 0 % is there to be tried. */
async function listDeployments(): Promise<{ ids: string[]; message: string }[]> {
  try {
    const args = ["deployments", "list", "--json"];
    const { stdout } = await wrangler(args, { expects: [WORKER_NOT_FOUND], isQuiet: true });
    const all = (JSON.parse(stdout) as Deployment[]).toSorted((a, b) => b.created_on.localeCompare(a.created_on));
    return all.map(({ versions, annotations }) => ({
      ids: versions.filter(({ percentage }) => percentage > 0).map(({ version_id }) => version_id),
      message: annotations?.["workers/message"] ?? "",
    }));
  } catch (error) {
    if (error instanceof WranglerError && error.code === WORKER_NOT_FOUND) return [];
    throw error;
  }
}

/** The versions that have the traffic. None: the Worker has never been released. */
export const findActiveVersions = async (): Promise<string[]> => (await listDeployments())[0]?.ids ?? [];

/** The version to go back to: the last that had all of the traffic before, and did not lose it because it was taken back. */
export async function findVersionBefore(): Promise<string> {
  let [{ ids, message } = { ids: [], message: "" }, ...others] = await listDeployments();
  // One that shares the traffic with a newer one is what to go back to. Else its newest deployment decides about a version.
  const seen = new Set(ids.length === 1 ? ids : []);
  for (const before of others) {
    const [id = "", ...sharing] = before.ids;
    if (sharing.length === 0 && !seen.has(id)) {
      seen.add(id);
      if (![TAKEN_BACK, ROLLED_BACK].includes(message)) return id;
    }
    message = before.message;
  }
  throw new CommandError("There is no version to go back to.");
}

/** There is no version that could be tried before, and none to go back to. */
export async function deployFirst(release: Release): Promise<void> {
  const result = await wrangler(["deploy", ...commitArgs()], { secrets: release.secrets });
  const { targets, version_id } = entryOf(result, "deploy") as { targets?: string[]; version_id?: string };
  const origin = release.productionUrl ?? targets?.find((target) => target.startsWith("https://"));
  if (origin === undefined) throw new CommandError("The Worker has no URL: set PRODUCTION_URL.");
  try {
    const production = { ...targetAt(origin, release), version: version_id };
    await smoke({ ...production, purgeSecret: purgeSecretOf(release) });
    if (release.config.hasFeed) await expectFeed(production, release.ownerUrl);
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
  } catch (error) {
    throw withNote(error, "It has no traffic: nothing has changed for anyone.");
  }
  const production = { ...targetAt(productionUrl, release), version: version.id };
  let share = 0;
  try {
    for (share of release.isAtOnce ? [] : STEPS) {
      if (!(await giveShare(release, version, old, production, share))) break;
    }
    share = 100;
    await wrangler(["versions", "deploy", `${version.id}@100%`, "--yes"]);
    await smoke(production);
    // Routes, domains and schedules of wrangler.toml, which are not of a version: no way back brings those of before.
    await wrangler(["triggers", "deploy"]);
    if (release.config.hasFeed) await expectFeed(production, release.ownerUrl);
  } catch (error) {
    throw withNote(error, await takeBack(release, old, productionUrl, share > 0));
  }
}

async function upload({ secrets }: Release): Promise<Version> {
  const result = await wrangler(["versions", "upload", ...commitArgs()], { secrets });
  const { version_id: id, preview_url: url } = entryOf(result, "version-upload") as Record<string, string | undefined>;
  if (id === undefined || url === undefined) {
    throw new CommandError("The version has no URL to try it at: wrangler.toml must say preview_urls = true.");
  }
  return { id, url };
}

/**
 * Gives a version a part of the traffic for a while, and tries it at the production URL. With none of it, past the firewall
 * and through the domain, before anybody else is given it.
 *
 * In steps, because its cache is empty at first, and the database must not get all requests at once: the numbers, and why
 * `cross_version_cache` is off, stand in src/cli/README.md, Deploy.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/gradual-deployments/ (read 2026-11-25)
 * @returns whether the platform splits the traffic between the two: if not, all of it moves at once
 */
async function giveShare(release: Release, version: Version, old: Version, production: Target, percentage: number) {
  const sinceMs = context().now();
  try {
    const shares = [`${version.id}@${percentage}%`, `${old.id}@${100 - percentage}%`];
    await wrangler(["versions", "deploy", ...shares, "--yes"], { expects: [SECRETS_CHANGED, EXPORTS_CHANGED] });
  } catch (error) {
    if (!(error instanceof WranglerError && [SECRETS_CHANGED, EXPORTS_CHANGED].includes(error.code ?? 0))) throw error;
    note("Cloudflare cannot split traffic between versions whose secrets or exports differ: it moves at once.");
    return false;
  }
  const chosen = { ...production, headers: overrideFor(release, version) };
  try {
    await smoke(chosen);
  } catch (error) {
    throw percentage === 0 ? withNote(error, NOT_CHOSEN) : error;
  }
  if (percentage === 0) {
    const holder = { ...production, headers: overrideFor(release, old), purgeSecret: purgeSecretOf(release) };
    await expectPurgeReaches(holder, { ...holder, headers: chosen.headers });
  } else {
    note(`Waiting for ${PAUSE_SECONDS} s at ${percentage} %.`);
    await context().sleep(PAUSE_SECONDS * 1_000);
    await expectFewErrors(version, sinceMs);
  }
  return true;
}

const NOT_CHOSEN =
  "If only the version was wrong, Cloudflare ignored the version override header: npm run deploy -- --at-once does without it.";

/**
 * The header that chooses one of the versions that share the traffic.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-overrides/ (read 2026-11-25)
 */
const overrideFor = ({ config }: Release, { id }: Version): Record<string, string> => ({
  "cloudflare-workers-version-overrides": `${config.name}="${id}"`,
});

/**
 * Has one version purge what another one holds. Each has a cache of its own, and the documentation does not say that a purge
 * reaches them all; if it did not, what one version purges would be seen late at the other.
 *
 * @param holder a version, with a reader and a secret to purge with; nothing is tried without
 * @see https://developers.cloudflare.com/workers/cache/purge/#purge-modes (read 2026-11-25)
 */
async function expectPurgeReaches(holder: Target, purger: Target): Promise<void> {
  if (holder.reader === undefined || holder.purgeSecret === undefined || !holder.isCached) return;
  // A page that nobody else asks for.
  const page = `limit=1&offset=${randomInt(PAGE.maxOffset)}`;
  const path = `/v3/applications/${holder.reader.applicationId}/processes?${page}`;
  try {
    await store(holder, path).catch((error) => {
      throw error instanceof Failure
        ? new CommandError(`The version before stores nothing. (${error.message})`)
        : error;
    });
    await purgeReader(purger);
    await expectForgotten(holder, path);
  } catch (error) {
    if (error instanceof Skipped) return note(`Not tried whether a purge reaches both versions: ${error.message}`);
    throw error instanceof Failure ? new CommandError(`${MISSED} (${error.message})`) : error;
  }
}

const MISSED =
  "A purge by one version does not reach what the other has cached, so changes would show late while both have traffic. Move the traffic at once: npm run deploy -- --at-once.";

/** Holds what the version has responded so far to the threshold of the alert. It passes if nobody can tell. */
async function expectFewErrors({ id }: Version, sinceMs: number): Promise<void> {
  // Without an account the statistics are those of `npm run dev`.
  if (!context().env.CLOUDFLARE_ACCOUNT_ID) return note("CLOUDFLARE_ACCOUNT_ID is not set: errors are not counted.");
  const asked = readErrors(DATASETS.production, id, Math.floor(sinceMs / 1_000));
  const figures = await asked.catch((error) => {
    if (!(error instanceof CommandError)) throw error;
    note(`Errors are not counted: ${error.message}`);
  });
  if (figures === undefined) return;
  note(`${figures.requests} requests, ${figures.errors} failed with 5xx.`);
  const excess = excessOf(figures);
  if (excess !== undefined) throw new CommandError(`The new version fails too often: ${excess}.`);
}

/** Gives the version before its traffic back, and has purged what no purge may have reached meanwhile. @returns the outcome */
async function takeBack(release: Release, old: Version, productionUrl: string, hadTraffic: boolean): Promise<string> {
  note(`Going back to version ${old.id}.`);
  try {
    await goBackTo(old, release);
  } catch (error) {
    return `And the way back FAILED: ${(error as Error).message} By hand: npm run rollback -- ${old.id}`;
  }
  let words = `Version ${old.id} has the traffic again.`;
  try {
    // Even if it has kept a part of the traffic: the feed may have been the new version's.
    if (hadTraffic) await purgeEverything(release.ownerUrl);
    await smoke({ ...targetAt(productionUrl, release), version: old.id });
  } catch (error) {
    words += ` But: ${(error as Error).message}`;
  }
  return words;
}

/** It brings its secrets along: if they have changed, it must still work. */
async function goBackTo(old: Version, deployable: Deployable): Promise<void> {
  try {
    const args = ["versions", "deploy", `${old.id}@100%`, "--yes", "--message", TAKEN_BACK];
    await wrangler(args, { expects: [SECRETS_CHANGED] });
  } catch (error) {
    if (!(error instanceof WranglerError) || error.code !== SECRETS_CHANGED) throw error;
    note("Secrets have changed since: it is tried with those that it brings back.");
    await forceBack(old, deployable, TAKEN_BACK);
  }
}

/**
 * Gives a version that had traffic once all of it, also past a change of secrets, which `versions deploy` does not; but tries
 * it first, with the secrets of its time and the database of today.
 *
 * @throws CommandError that says what to do instead
 */
export async function forceBack(version: Version, deployable: Deployable, message = ROLLED_BACK): Promise<void> {
  try {
    // Not its cache: what is wrong with that may be why.
    await smoke({ ...targetOf(version, deployable), isCached: false });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(
      `Version ${version.id} does not work with the secrets that it would bring back and the database of today: it gets no traffic. To run its code with today's secrets, check out its commit (npx wrangler versions view ${version.id}) and release that: npm run deploy.`,
    );
  }
  await wrangler(["rollback", version.id, "--yes", "--message", message]);
}

const purgeSecretOf = ({ config, secrets }: Release): string | undefined =>
  config.hasFeed ? secrets.PURGE_SECRET : undefined;

const targetAt = (origin: string, { config, reader, waitSeconds }: Deployable): Target => ({
  origin,
  reader,
  isCached: config.isCached,
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
  headers: deployable.access(url),
});

function withNote(error: unknown, words: string): unknown {
  return error instanceof CommandError ? new CommandError(`${error.message} ${words}`) : error;
}
