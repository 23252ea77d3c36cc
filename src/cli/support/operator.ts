import { hostname, userInfo } from "node:os";
import { context } from "../../node/context.ts";

/**
 * Who runs this command: in a workflow of GitHub the account that has started it, else `user@host`. It is what the environment
 * says, and no proof.
 */
export function operatorName(): string {
  const { GITHUB_ACTOR } = context().env;
  return GITHUB_ACTOR ? `${GITHUB_ACTOR} (GitHub Actions)` : `${userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a user that it does not know.
    return `uid ${process.getuid?.()}`;
  }
}
