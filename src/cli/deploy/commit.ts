import { execFileSync } from "node:child_process";

/** As long as Cloudflare keeps a message. https://developers.cloudflare.com/workers/previews/api/ */
const MAX_MESSAGE_LENGTH = 100;

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
  return ["--tag", sha, "--message", [...subject].slice(0, MAX_MESSAGE_LENGTH).join("")];
}

/** The branch that is checked out; undefined if none is. */
export const currentBranch = (): string | undefined => git("symbolic-ref", "--quiet", "--short", "HEAD");

function git(...args: string[]): string | undefined {
  try {
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
