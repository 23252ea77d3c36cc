import { context } from "../../node/context.ts";
import { usageError } from "../../node/errors.ts";

/**
 * Secrets that the Worker needs, from the environment.
 *
 * @param names of wrangler.toml's `[secrets] required`
 * @throws CommandError that names all that are missing
 */
export function readSecrets(names: readonly string[]): Record<string, string> {
  const secrets = Object.fromEntries(names.map((name) => [name, context().env[name] ?? ""]));
  const missing = names.filter((name) => secrets[name] === "");
  if (missing.length > 0) throw usageError(`The environment lacks ${missing.join(", ")}, which the Worker needs.`);
  return secrets;
}

/**
 * The secrets of a release. PURGE_SECRET_PREVIOUS is always among them: a secret that is not sent is inherited from the
 * version before (wrangler 4.164, keepSecrets), so the end of a rotation is to send today's in its place.
 *
 * @throws CommandError that names all that are missing
 */
export function readReleaseSecrets(names: readonly string[]): Record<string, string> {
  const secrets = readSecrets(names);
  const previous = context().env.PURGE_SECRET_PREVIOUS || secrets.PURGE_SECRET;
  return previous === undefined ? secrets : { ...secrets, PURGE_SECRET_PREVIOUS: previous };
}
