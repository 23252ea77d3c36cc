// `node src/cli/preview-comment.ts`: keeps one comment of a pull request up to date with what became of its preview. Run
// by .github/workflows/preview.yml where no package is installed, hence without any.
import { inspect } from "node:util";
import { context } from "../node/context.ts";
import { CommandError, usageError } from "../node/errors.ts";
import { note } from "./support/output.ts";
import type { Command } from "./support/program.ts";

/** The outcome of a run, as the workflow says it. */
interface Report {
  action: "deploy" | "delete";
  /** The job's result: `success`, `failure`, `cancelled`. */
  outcome: string;
  /** The output of `npm run preview`; absent if it did not come so far. */
  result?: { preview_url: string; deployment_url: string | null; expires_at: string | null };
  commit: string;
  runUrl: string;
}

interface Comment {
  id: number;
  body?: string;
  user: { type: string } | null;
}

/** Begins the comment, and tells it from all others. */
const MARKER = "<!-- preview -->";
const PAGE_SIZE = 100;
const TIMEOUT_MS = 30_000;

/** The comment's text, in Markdown. */
function bodyOf({ action, outcome, result, commit, runUrl }: Report): string {
  const isDone = outcome === "success";
  const lines: string[] = [MARKER];
  if (action === "delete") {
    lines.push(isDone ? "The preview and its database are deleted." : `The preview was **not deleted**: ${runUrl}`);
    return lines.join("\n");
  }
  lines.push(isDone ? `Preview of ${commit}` : `The preview of ${commit} **failed**: ${runUrl}`, "");
  if (result === undefined) return lines.join("\n").trimEnd();
  lines.push(`- ${result.preview_url} always shows the latest commit`);
  if (result.deployment_url !== null)
    lines.push(`- ${result.deployment_url} shows this one, as long as it is among the latest 100`);
  if (result.expires_at !== null) {
    lines.push(`- its database is kept until ${result.expires_at.slice(0, 10)}, and longer after every push`);
  }
  return lines.join("\n");
}

/**
 * Writes the comment, or writes it anew.
 *
 * @see https://docs.github.com/en/rest/issues/comments
 */
async function upsert(body: string, isOnlyUpdate: boolean): Promise<void> {
  const issue = `/issues/${variable("PULL_REQUEST")}/comments`;
  const known = await findComment(issue);
  if (known !== undefined) await call("PATCH", `/issues/comments/${known.id}`, { body });
  else if (!isOnlyUpdate) await call("POST", issue, { body });
}

async function findComment(path: string): Promise<Comment | undefined> {
  for (let page = 1; ; page++) {
    const comments = (await call("GET", `${path}?per_page=${PAGE_SIZE}&page=${page}`)) as Comment[];
    // Anybody may write the marker, but only a workflow is a bot.
    const found = comments.find(({ body, user }) => body?.startsWith(MARKER) && user?.type === "Bot");
    if (found !== undefined || comments.length < PAGE_SIZE) return found;
  }
}

async function call(method: string, path: string, body?: object): Promise<unknown> {
  const api = `${variable("GITHUB_API_URL")}/repos/${variable("GITHUB_REPOSITORY")}`;
  const response = await context().fetch(api + path, {
    method,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${variable("GITHUB_TOKEN")}`,
      "x-github-api-version": "2022-11-28",
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new CommandError(`GitHub answered ${method} ${path} with ${response.status}.`);
  return response.json();
}

function variable(name: string): string {
  const value = context().env[name];
  if (!value) throw usageError(`${name} is not set.`);
  return value;
}

function readReport(): Report {
  const { RESULT } = context().env;
  const server = variable("GITHUB_SERVER_URL");
  return {
    action: variable("ACTION") === "delete" ? "delete" : "deploy",
    outcome: variable("OUTCOME"),
    ...(RESULT && { result: JSON.parse(RESULT) }),
    commit: variable("COMMIT"),
    runUrl: `${server}/${variable("GITHUB_REPOSITORY")}/actions/runs/${variable("GITHUB_RUN_ID")}`,
  };
}

const comment: Command = async () => {
  try {
    const report = readReport();
    await upsert(bodyOf(report), report.action === "delete");
    return 0;
  } catch (error) {
    const isExpected = error instanceof CommandError;
    note(isExpected ? `error: ${error.message}` : inspect(error));
    return isExpected ? error.exitCode : 1;
  }
};

if (import.meta.main) process.exitCode = await comment([]);
export default comment;
