// Messages of a command to the GitHub workflow that runs it, and to nobody else; and what it asks GitHub.
import { appendFileSync } from "node:fs";
import { z } from "zod";
import { context } from "../../node/context.ts";
import { CommandError, usageError } from "../../node/errors.ts";

/** Keeps values out of the workflow's log, whoever may print them. */
export function mask(values: readonly string[]): void {
  if (context().env.GITHUB_ACTIONS !== "true") return;
  for (const value of values) if (value !== "") context().stderr.write(`::add-mask::${value}\n`);
}

/** Hands a value on to later steps and jobs, also if this step fails after that. */
export function setOutput(name: string, value: object): void {
  const { GITHUB_OUTPUT } = context().env;
  if (GITHUB_OUTPUT) appendFileSync(GITHUB_OUTPUT, `${name}=${JSON.stringify(value)}\n`);
}

const API_URL = "https://api.github.com";
const PAGE_SIZE = 100;
const TIMEOUT_MS = 30_000;
const pullRequests = z.array(z.object({ number: z.number() }));

/** @throws CommandError if the environment does not say whose pull requests to ask for, or has no token */
export function assertKnowsRepository(): void {
  const { GITHUB_REPOSITORY, GITHUB_TOKEN } = context().env;
  if (!GITHUB_REPOSITORY || !GITHUB_TOKEN) {
    throw usageError("GITHUB_REPOSITORY and GITHUB_TOKEN say which pull requests are open.");
  }
}

/**
 * Numbers of the pull requests that are open.
 *
 * @see https://docs.github.com/en/rest/pulls/pulls#list-pull-requests (read 2026-11-25)
 */
export async function findOpenPullRequests(): Promise<Set<number>> {
  assertKnowsRepository();
  const { GITHUB_REPOSITORY, GITHUB_TOKEN, GITHUB_API_URL } = context().env;
  const open = new Set<number>();
  for (let page = 1; ; page++) {
    const path = `/repos/${GITHUB_REPOSITORY}/pulls?state=open&per_page=${PAGE_SIZE}&page=${page}`;
    const response = await context()
      .fetch((GITHUB_API_URL || API_URL) + path, {
        headers: { accept: "application/vnd.github+json", authorization: `Bearer ${GITHUB_TOKEN}` },
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      .catch(() => undefined);
    if (!response?.ok) throw new CommandError(`GitHub answered GET ${path} with ${response?.status ?? "nothing"}.`);
    const found = pullRequests.parse(await response.json());
    for (const { number } of found) open.add(number);
    if (found.length < PAGE_SIZE) return open;
  }
}
