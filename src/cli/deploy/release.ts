// From a version that nobody sees to one that has the traffic, and back.
import { CommandError } from "../support/errors.ts";
import { note } from "../support/output.ts";
import { messageArgs } from "./commit.ts";
import { type SmokeTarget, smoke } from "./smoke.ts";
import { entryOf, WranglerError, wrangler } from "./wrangler.ts";

export interface Release {
  /** The secrets of the version, by name. */
  secrets: Record<string, string>;
  /** Options that name its commit. */
  commit: readonly string[];
  reader: SmokeTarget["reader"];
  /** Scheme and host; undefined for that of workers.dev. */
  productionUrl: string | undefined;
  /** Whether a cache stands in front of the Api. */
  isCached: boolean;
  waitSeconds: number;
}

const WORKER_NOT_FOUND = 10_007;

/**
 * The version that has the traffic.
 *
 * @returns undefined for a Worker that has never been deployed
 * @throws CommandError if two share it
 */
export async function findActiveVersion(): Promise<string | undefined> {
  const deployments = await listDeployments();
  const latest = deployments.toSorted((a, b) => a.created_on.localeCompare(b.created_on)).at(-1);
  const versions = latest?.versions ?? [];
  if (versions.length > 1) {
    throw new CommandError(
      "Two versions share the traffic: give it to one of them first (npx wrangler versions deploy).",
    );
  }
  return versions[0]?.version_id;
}

interface Deployment {
  created_on: string;
  versions: { version_id: string }[];
}

async function listDeployments(): Promise<Deployment[]> {
  try {
    const args = ["deployments", "list", "--json"];
    return JSON.parse((await wrangler(args, { expects: [WORKER_NOT_FOUND], isQuiet: true })).stdout);
  } catch (error) {
    if (error instanceof WranglerError && error.code === WORKER_NOT_FOUND) return [];
    throw error;
  }
}

/** There is no version that could be tried before, and none to go back to. */
export async function deployFirst(release: Release): Promise<void> {
  const result = await wrangler(["deploy", ...release.commit], { secrets: release.secrets });
  const { targets } = entryOf(result, "deploy") as { targets?: string[] };
  const origin = release.productionUrl ?? targets?.find((target) => target.startsWith("https://"));
  if (origin === undefined) throw new CommandError("The Worker has no URL: set PRODUCTION_URL.");
  try {
    await smoke(targetAt(origin, release));
  } catch (error) {
    throw withNote(error, "There is no version to go back to.");
  }
}

/** @param before the version that has the traffic */
export async function deployNext(release: Release, before: string): Promise<void> {
  const upload = await wrangler(["versions", "upload", ...release.commit], { secrets: release.secrets });
  const { version_id, preview_url } = entryOf(upload, "version-upload") as {
    version_id?: string;
    preview_url?: string;
  };
  if (version_id === undefined || preview_url === undefined) {
    throw new CommandError("The version has no URL to try it at: wrangler.toml must say preview_urls = true.");
  }
  try {
    // Not for its cache: whether there is one at the URL of a version is not documented.
    await smoke({ ...targetAt(preview_url, release), isCached: false });
  } catch (error) {
    throw withNote(error, "It has no traffic: nothing has changed for anyone.");
  }
  try {
    await wrangler(["versions", "deploy", `${version_id}@100%`, "--yes", ...messageArgs(release.commit)]);
    // Routes, domains and schedules of wrangler.toml, which are not of a version.
    await wrangler(["triggers", "deploy"]);
    await smoke(targetAt(release.productionUrl ?? withoutVersion(preview_url), release));
  } catch (error) {
    await rollBack(before, error);
  }
}

async function rollBack(version: string, cause: unknown): Promise<never> {
  note(`Going back to version ${version}.`);
  try {
    // Unlike `versions deploy`, it goes back past a change of secrets.
    await wrangler(["rollback", version, "--yes", "--message", "The smoke test failed."]);
  } catch {
    throw withNote(cause, `And the way back FAILED. By hand: npx wrangler rollback ${version}`);
  }
  throw withNote(cause, `Version ${version} has the traffic again.`);
}

const targetAt = (origin: string, { reader, isCached, waitSeconds }: Release): SmokeTarget => ({
  origin,
  reader,
  isCached,
  waitSeconds,
});

/** `https://1a2b3c4d-name.account.workers.dev` without the version. */
const withoutVersion = (versionUrl: string): string => versionUrl.replace(/^https:\/\/[0-9a-f]{8}-/, "https://");

function withNote(error: unknown, words: string): unknown {
  return error instanceof CommandError ? new CommandError(`${error.message} ${words}`) : error;
}
