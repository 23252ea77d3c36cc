// Messages of a command to the GitHub workflow that runs it, and to nobody else.
import { appendFileSync } from "node:fs";

/** Keeps values out of the workflow's log, whoever may print them. */
export function mask(values: readonly string[]): void {
  if (process.env.GITHUB_ACTIONS !== "true") return;
  for (const value of values) if (value !== "") process.stderr.write(`::add-mask::${value}\n`);
}

/** Hands a value on to later steps and jobs, also if this step fails after that. */
export function setOutput(name: string, value: object): void {
  const { GITHUB_OUTPUT } = process.env;
  if (GITHUB_OUTPUT) appendFileSync(GITHUB_OUTPUT, `${name}=${JSON.stringify(value)}\n`);
}
