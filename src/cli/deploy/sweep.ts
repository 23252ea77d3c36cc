// Deletes previews that nobody needs any more.
import { spawnSync } from "node:child_process";
import { z } from "zod";
import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { note } from "../support/output.ts";
import { askCloudflare } from "./cloudflare.ts";
import { deleteBranch, findBranch, listPreviewBranches } from "./neon.ts";
import { WranglerError, wrangler } from "./wrangler.ts";

const PAGE_SIZE = 100;
/** Of a Worker and of a preview that do not exist. */
const NOT_FOUND = [10_007, 10_025];
const previewsSchema = z.array(z.object({ name: z.string() }));

/** Deletes a preview and its database. What is gone already is no failure, and a failure does not keep the rest. */
export async function deletePreview(name: string): Promise<void> {
  const outcomes = await Promise.allSettled([deleteWorker(name), deleteDatabase(name)]);
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.message] : []));
  if (failures.length > 0) throw new CommandError(failures.join(" "));
}

async function deleteWorker(name: string): Promise<void> {
  try {
    await wrangler(["preview", "delete", "--name", name, "--skip-confirmation"], { expects: NOT_FOUND });
  } catch (error) {
    if (!(error instanceof WranglerError) || !NOT_FOUND.includes(error.code ?? 0)) throw error;
    note(`There is no preview ${name}.`);
  }
}

async function deleteDatabase(name: string): Promise<void> {
  const branch = await findBranch(name);
  if (branch !== undefined) await deleteBranch(branch);
  note(branch === undefined ? `There is no Neon branch ${name}.` : `Deleted the Neon branch ${name}.`);
}

/**
 * Deletes the previews of pull requests that are closed, for a pull request with a merge conflict ends without a run of its
 * workflow; and those whose database has expired, which Cloudflare keeps.
 *
 * @see https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request (read 2026-11-25)
 * @returns their names
 */
export async function sweep(worker: string): Promise<string[]> {
  // Before the pull requests: a preview that is made meanwhile is of one that is open.
  const previews = await listPreviews(worker);
  const branches = (await listPreviewBranches()).map(({ name }) => name);
  const open = findOpenPullRequests();
  const closed = [...previews, ...branches].filter((name) => /^pr-\d+$/.test(name) && !open.has(name));
  const expired = previews.filter((name) => !branches.includes(name));
  const names = [...new Set([...closed, ...expired])].sort();
  for (const name of names) await deletePreview(name);
  return names;
}

/** The names that their previews have. @throws CommandError unless gh tells all of them */
function findOpenPullRequests(): Set<string> {
  const { env, project: cwd } = context();
  const path = "repos/{owner}/{repo}/pulls?state=open&per_page=100";
  const args = ["api", path, "--paginate", "--jq", ".[].number"];
  const { status, stdout, stderr, error } = spawnSync("gh", args, { cwd, env, encoding: "utf8" });
  if (status !== 0) {
    throw new CommandError(`gh does not tell which pull requests are open: ${error?.message ?? stderr.trim()}`);
  }
  return new Set(stdout.split("\n").map((number) => `pr-${number}`));
}

/** https://developers.cloudflare.com/workers/previews/api/ (read 2026-11-25) */
async function listPreviews(worker: string): Promise<string[]> {
  const names: string[] = [];
  for (let page = 1; ; page++) {
    const path = `/workers/workers/${worker}/previews?per_page=${PAGE_SIZE}&page=${page}`;
    const found = await askCloudflare(path, previewsSchema);
    names.push(...found.map(({ name }) => name));
    if (found.length < PAGE_SIZE) return names;
  }
}
