import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import previewComment from "../../../src/cli/preview-comment.ts";
import { GITHUB_ENV, Github } from "../../stand-ins/github.ts";
import { run } from "../../support/command.ts";

const DEPLOYED = {
  ...GITHUB_ENV,
  GITHUB_SERVER_URL: "https://github.com",
  GITHUB_RUN_ID: "42",
  PULL_REQUEST: "7",
  COMMIT: "0123456789abcdef",
  ACTION: "deploy",
  OUTCOME: "success",
  RESULT: JSON.stringify({
    preview_url: "https://pr-7-process-api.example.workers.dev",
    deployment_url: "https://1a2b3c4d-process-api.example.workers.dev",
    expires_at: "2026-12-07T06:01:04Z",
  }),
};
const RUN = "https://github.com/owner/process-api/actions/runs/42";
const URLS = `- https://pr-7-process-api.example.workers.dev always shows the latest commit
- https://1a2b3c4d-process-api.example.workers.dev shows this one, as long as it is among the latest 100
- its database is kept until 2026-12-07, and longer after every push`;
const WRITTEN = `<!-- preview -->\nPreview of 0123456789abcdef\n\n${URLS}`;

let github: Github;
beforeEach(() => {
  github = new Github();
});
const comment = (change: Record<string, string> = {}) =>
  run(previewComment, [], {
    env: { ...DEPLOYED, ...change },
    fetch: (input, init) => github.fetch(new Request(input, init)),
  });
const bodies = () => github.comments.map(({ body }) => body);

const FAILED = `<!-- preview -->\nThe preview of 0123456789abcdef **failed**: ${RUN}`;
const [DELETED, KEPT] = ["The preview and its database are deleted.", `The preview was **not deleted**: ${RUN}`];
test.for([
  ["a deployment", {}, WRITTEN],
  ["one that was not made", { OUTCOME: "failure", RESULT: "" }, FAILED],
  ["one that failed", { OUTCOME: "failure" }, `${FAILED}\n\n${URLS}`],
  ["a deletion", { ACTION: "delete", RESULT: "" }, `<!-- preview -->\n${DELETED}`],
  ["one that failed", { ACTION: "delete", OUTCOME: "failure" }, `<!-- preview -->\n${KEPT}`],
] as const)("the comment that is there tells of %s, and only a deployment makes one", async ([_, change, body]) => {
  const isMade = !("ACTION" in change);
  expect(await comment(change)).toStrictEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(bodies()).toStrictEqual(isMade ? [body] : []);
  github.comments.splice(0, 1, { id: 7, body: "<!-- preview -->\nold", user: { type: "Bot" } });
  await comment(change);
  expect(bodies()).toStrictEqual([body]);
  const first = ["GET /issues/7/comments", ...(isMade ? ["POST /issues/7/comments"] : [])];
  expect(github.requests).toStrictEqual([...first, "GET /issues/7/comments", "PATCH /issues/comments/7"]);
});

test("what people write is theirs, also with the marker, and the comment is found behind it all", async () => {
  const body = "<!-- preview --> mine";
  for (let id = 0; id < 150; id++) github.comments.push({ id, body, user: { type: "User" } });
  github.comments.push({ id: 500, body: "<!-- preview -->\nold", user: { type: "Bot" } });
  await comment();
  expect(bodies()).toStrictEqual([...Array(150).fill(body), WRITTEN]);
});

test("GitHub's refusal is one line, without the token", async () => {
  expect(await comment({ GITHUB_TOKEN: "another" })).toStrictEqual({
    exitCode: 1,
    stdout: "",
    stderr: expect.stringMatching(/^error: GitHub answered GET \/issues\/7\/comments\S* with 401\.\n$/),
  });
});

test("it runs where no package is installed, as in the workflow", () => {
  const cwd = mkdtempSync(join(tmpdir(), "process-api-comment-"));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  for (const path of ["package.json", "src/cli"]) cpSync(path, join(cwd, path), { recursive: true });
  const env = { ...DEPLOYED, GITHUB_TOKEN: "" };
  const { status, stderr } = spawnSync(process.execPath, ["src/cli/preview-comment.ts"], {
    cwd,
    env,
    encoding: "utf8",
  });
  expect([status, stderr]).toStrictEqual([2, "error: GITHUB_TOKEN is not set.\n"]);
});
