import { usageError } from "../support/errors.ts";

/**
 * Secrets that the Worker needs, from the environment.
 *
 * @param names of wrangler.toml's `[secrets] required`
 * @throws CommandError that names all that are missing
 */
export function readSecrets(names: readonly string[]): Record<string, string> {
  const secrets = Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""]));
  const missing = names.filter((name) => secrets[name] === "");
  if (missing.length > 0) throw usageError(`The environment lacks ${missing.join(", ")}, which the Worker needs.`);
  return secrets;
}
