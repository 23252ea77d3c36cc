// Deletes previews that nobody needs any more.
import { z } from "zod";
import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { note } from "../support/output.ts";
import { askCloudflare } from "./cloudflare.ts";
import { findOpenPullRequests } from "./github.ts";
import * as neon from "./neon.ts";
import { WranglerError, wrangler } from "./wrangler.ts";

const PAGE_SIZE = 100;
/** Of a Worker and of a preview that do not exist. */
const NOT_FOUND = [10_007, 10_025];
const previewsAnswer = z.array(z.object({ name: z.string() }));

/** Deletes a preview and its database. What is gone already is no failure, and a failure does not keep the rest. */
export async function deletePreview(project: neon.NeonProject, name: string): Promise<void> {
  const outcomes = await Promise.allSettled([deleteWorker(name), deleteDatabase(project, name)]);
  const failed = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason);
  if (failed.length > 1) throw new CommandError(failed.map(({ message }) => message).join(" "));
  if (failed.length > 0) throw failed[0];
}

async function deleteWorker(name: string): Promise<void> {
  try {
    await wrangler(["preview", "delete", "--name", name, "--skip-confirmation"], { expects: NOT_FOUND });
  } catch (error) {
    if (!(error instanceof WranglerError) || !NOT_FOUND.includes(error.code ?? 0)) throw error;
    note(`There is no preview ${name}.`);
  }
}

export async function deleteDatabase(project: neon.NeonProject, name: string): Promise<void> {
  const branch = await neon.findBranch(project, name);
  if (branch === undefined) return note(`There is no Neon branch ${name}.`);
  await neon.deleteBranch(project, branch);
  note(`Deleted the Neon branch ${name}.`);
}

/**
 * Deletes the previews of pull requests that are closed, for a pull request with a merge conflict ends without a run of its
 * workflow; and those whose database has expired, which Cloudflare keeps.
 *
 * @see https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request (read 2026-11-25)
 * @returns their names
 */
export async function sweep(project: neon.NeonProject, worker: string): Promise<string[]> {
  // Before the pull requests: a preview that is made meanwhile is of one that is open.
  const previews = await listPreviews(worker);
  const branches = new Set((await neon.listPreviewBranches(project)).map(({ name }) => name));
  const closed = await findClosed([...previews, ...branches]);
  const expired = previews.filter((name) => !branches.has(name));
  const names = [...new Set([...closed, ...expired])].sort();
  for (const name of names) await deletePreview(project, name);
  return names;
}

/** Of these names, those of pull requests that are closed. */
async function findClosed(names: readonly string[]): Promise<string[]> {
  const open = await findOpenPullRequests();
  return names.filter((name) => {
    const number = /^pr-(\d+)$/.exec(name)?.[1];
    return number !== undefined && !open.has(Number(number));
  });
}

/** https://developers.cloudflare.com/workers/previews/api/ (read 2026-11-25) */
async function listPreviews(worker: string): Promise<string[]> {
  const names: string[] = [];
  for (let page = 1; ; page++) {
    const path = `/workers/workers/${worker}/previews?per_page=${PAGE_SIZE}&page=${page}`;
    const found = await askCloudflare("GET", path, previewsAnswer);
    names.push(...found.map(({ name }) => name));
    if (found.length < PAGE_SIZE) return names;
  }
}

/**
 * Makes room in a project that is full.
 *
 * @throws CommandError that says who takes the room, if nobody can be deleted
 */
export async function makeRoom(project: neon.NeonProject): Promise<void> {
  const branches = await neon.listPreviewBranches(project);
  const names = branches.map(({ name }) => name);
  const closed = context().env.GITHUB_TOKEN ? await findClosed(names) : [];
  for (const name of closed) await deletePreview(project, name);
  if (closed.length > 0) return;
  const list = branches.map(({ name, expires_at }) => `${name} until ${expires_at?.slice(0, 10)}`).join(", ");
  throw new CommandError(
    `The Neon project has all the branches that its plan allows, ten on Free (https://neon.com/docs/introduction/plans): ${list}. Delete one: npm run preview -- --name … --delete.`,
  );
}
