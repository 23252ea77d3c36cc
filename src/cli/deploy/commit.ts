import { execFileSync } from "node:child_process";
import { context } from "../../node/context.ts";

/** As long as Cloudflare keeps a message. https://developers.cloudflare.com/workers/previews/api/ */
const MAX_MESSAGE_LENGTH = 100;
const MESSAGE = "--message=";

/**
 * Options that tell a version by the commit it is of. Without them, wrangler sends the whole message on CI and none
 * elsewhere.
 *
 * @returns none where there is no commit to be had
 */
export function commitArgs(): string[] {
  const sha = git("rev-parse", "--short=10", "HEAD");
  const subject = git("log", "-1", "--format=%s");
  if (sha === undefined || subject === undefined) return [];
  // As one argument each: a subject may begin with a hyphen.
  return [`--tag=${sha}`, MESSAGE + [...subject].slice(0, MAX_MESSAGE_LENGTH).join("")];
}

/** The part of {@link commitArgs} that a deployment has, too: it has no tag. */
export const messageArgs = (args: readonly string[]): string[] => args.filter((arg) => arg.startsWith(MESSAGE));

/**
 * The environment in which wrangler labels a preview with the commit that is checked out. GitHub names the merge with main,
 * which nobody knows (wrangler 4.164, getCommitSha).
 */
export function commitEnv(): Record<string, string> {
  const sha = git("rev-parse", "HEAD");
  return sha === undefined ? {} : { GITHUB_SHA: sha };
}

/** The branch that is checked out; undefined if none is. */
export const currentBranch = (): string | undefined => git("symbolic-ref", "--quiet", "--short", "HEAD");

function git(...args: string[]): string | undefined {
  try {
    const { project: cwd } = context();
    return execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
