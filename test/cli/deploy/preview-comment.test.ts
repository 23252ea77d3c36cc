import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { run } from "../../stand-ins/command.ts";

interface Comment {
  id: number;
  body: string;
  user: { type: string };
}

/** GitHub's comments of one pull request: https://docs.github.com/en/rest/issues/comments */
let comments: Comment[];
let asked: string[];
let server: Server;
let env: Record<string, string>;
/** As in the workflow, nothing is installed. */
const folder = mkdtempSync(join(tmpdir(), "process-api-comment-"));
for (const path of ["package.json", "src/cli"]) cpSync(path, join(folder, path), { recursive: true });

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const { method, url = "", headers } = request;
    const { pathname, searchParams } = new URL(url, "http://localhost");
    asked.push(`${method} ${pathname}`);
    const body = JSON.parse((await text(request)) || "{}").body;
    const send = (status: number, value: unknown) => response.writeHead(status).end(JSON.stringify(value));
    if (headers.authorization !== "Bearer gh-token") return send(401, {});
    if (method === "GET") {
      const size = Number(searchParams.get("per_page"));
      const from = (Number(searchParams.get("page")) - 1) * size;
      return send(200, comments.slice(from, from + size));
    }
    if (method === "POST") return send(201, comments[comments.push({ id: 1_000, body, user: { type: "Bot" } }) - 1]);
    return send(200, Object.assign(comments.find(({ id }) => pathname.endsWith(`/${id}`)) ?? {}, { body }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  env = {
    GITHUB_API_URL: `http://127.0.0.1:${address.port}`,
    GITHUB_SERVER_URL: "https://github.com",
    GITHUB_REPOSITORY: "owner/process-api",
    GITHUB_RUN_ID: "42",
    GITHUB_TOKEN: "gh-token",
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
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  comments = [];
  asked = [];
});

const comment = (change: Record<string, string> = {}) =>
  run("preview-comment", [], { cwd: folder, env: { ...env, ...change } });

const WRITTEN = `<!-- preview -->
Preview of 0123456789abcdef

- https://pr-7-process-api.example.workers.dev always shows the latest commit
- https://1a2b3c4d-process-api.example.workers.dev shows this one, as long as it is among the latest 100
- its database is kept until 2026-12-07, and longer after every push`;

test("the first preview is commented, and the same comment tells of all that follow", async () => {
  const path = "/repos/owner/process-api/issues/7/comments";
  expect(await comment()).toStrictEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(comments.map(({ body }) => body)).toStrictEqual([WRITTEN]);
  await comment({ COMMIT: "fedcba" });
  expect(comments.map(({ body }) => body)).toStrictEqual([WRITTEN.replace("0123456789abcdef", "fedcba")]);
  await comment({ ACTION: "delete", RESULT: "" });
  expect(comments.map(({ body }) => body)).toStrictEqual([
    "<!-- preview -->\nThe preview and its database are deleted.",
  ]);
  const update = "PATCH /repos/owner/process-api/issues/comments/1000";
  expect(asked).toStrictEqual([`GET ${path}`, `POST ${path}`, `GET ${path}`, update, `GET ${path}`, update]);
});

test("a failure is told with the way to its log, and with the URLs as far as there are any", async () => {
  const RUN = "https://github.com/owner/process-api/actions/runs/42";
  await comment({ OUTCOME: "failure", RESULT: "" });
  expect(comments[0]?.body).toBe(`<!-- preview -->\nThe preview of 0123456789abcdef **failed**: ${RUN}`);
  await comment({ OUTCOME: "failure" });
  expect(comments[0]?.body).toContain(`**failed**: ${RUN}\n\n- https://pr-7-process-api`);
  await comment({ OUTCOME: "failure", ACTION: "delete" });
  expect(comments[0]?.body).toBe(`<!-- preview -->\nThe preview was **not deleted**: ${RUN}`);
});

test("what people write is theirs, also with the marker, and the comment is found behind it all", async () => {
  comments = Array.from({ length: 150 }, (_, id) => ({ id, body: "<!-- preview --> mine", user: { type: "User" } }));
  comments.push({ id: 500, body: "<!-- preview -->\nold", user: { type: "Bot" } });
  await comment();
  expect(comments.slice(0, 150).every(({ body }) => body === "<!-- preview --> mine")).toBe(true);
  expect(comments[150]?.body).toBe(WRITTEN);
  expect(comments).toHaveLength(151);
});

test("a deletion is not commented where there was no preview", async () => {
  expect(await comment({ ACTION: "delete", RESULT: "" })).toMatchObject({ exitCode: 0 });
  expect(comments).toStrictEqual([]);
});

test("GitHub's refusal is one line, without the token", async () => {
  expect(await comment({ GITHUB_TOKEN: "another" })).toStrictEqual({
    exitCode: 1,
    stdout: "",
    stderr: expect.stringMatching(/^error: GitHub answered GET \/issues\/7\/comments\S* with 401\.\n$/),
  });
  expect(await comment({ GITHUB_TOKEN: "" })).toMatchObject({
    exitCode: 2,
    stderr: "error: GITHUB_TOKEN is not set.\n",
  });
});
