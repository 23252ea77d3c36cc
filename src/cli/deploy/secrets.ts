import { usageError } from "../support/errors.ts";

/**
 * A value for every secret that the Worker needs.
 *
 * @param names wrangler.toml's `[secrets] required`
 * @param known those that are not the environment's to say
 * @throws CommandError that names all that are missing
 */
export function readSecrets(names: readonly string[], known: Record<string, string> = {}): Record<string, string> {
  const secrets = Object.fromEntries(names.map((name) => [name, known[name] ?? process.env[name] ?? ""]));
  const missing = names.filter((name) => secrets[name] === "");
  if (missing.length > 0) throw usageError(`The environment lacks ${missing.join(", ")}, which the Worker needs.`);
  return secrets;
}

/** Keeps values out of the log of a GitHub workflow, whoever may print them. */
export function mask(values: readonly string[]): void {
  if (process.env.GITHUB_ACTIONS !== "true") return;
  for (const value of values) process.stderr.write(`::add-mask::${value}\n`);
}
