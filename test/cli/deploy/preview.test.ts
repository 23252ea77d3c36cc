// What a preview does from its first deployment to its deletion, and what becomes of it when something goes wrong.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import preview from "../../../src/cli/preview.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../src/local/postgres/embedded.ts";
import { labelOf, refusal, secretsOf, urlOf, type Version } from "../../stand-ins/cloudflare.ts";
import { NEON_PASSWORD } from "../../stand-ins/neon.ts";
import { type Env, SERVICE_TOKEN, World } from "../../stand-ins/world.ts";

/** Other tests leave companies behind, with which no preview would be made. */
let postgres: EmbeddedPostgres;
beforeAll(async () => {
  const { snapshot = "" } = inject("database");
  postgres = await startEmbeddedPostgres(snapshot);
});
afterAll(() => postgres.close());

let world: World;
beforeEach(async () => {
  world = new World(postgres.connectionString);
  world.isGuarded = true;
  await world.release();
  return () => world.remove();
});

/** Runs the command for the preview `pr-1`, if no other is named, as somebody who knows no secret of production. */
const run = (args: readonly string[] = [], env: Env = {}) =>
  world.run(preview, ["--name", "pr-1", ...args], { ...SERVICE_TOKEN, DATABASE_URL: "", PURGE_SECRET: "", ...env });
const deploymentOf = (name: string) => world.account.preview(name).deployments.at(-1) as Version;
/** Puts previews and their databases there. */
function havePreviews(...names: string[]): void {
  for (const name of names) {
    world.account.previews.set(name, { settings: {}, ignoresBaseConfig: true, deployments: [] });
    world.neon.branches.push({ id: `br-${name}`, name, expires_at: "2027-01-01T00:00:00Z" });
  }
}
/** Has gh run a line of sh when it is asked for the pull requests that are open. */
function haveGh(line: string): void {
  const asks = "api repos/{owner}/{repo}/pulls?state=open&per_page=100 --paginate --jq .[].number";
  writeFileSync(join(world.project, "gh"), `#!/bin/sh\n[ "$*" = '${asks}' ] && ${line}\n`, { mode: 0o755 });
  world.env.PATH = world.project;
}
/** The previews that there are, and the databases. */
const left = () => [[...world.account.previews.keys()], world.neon.branches.map(({ name }) => name)];
const daysUntil = (text: string | undefined) => Math.round((Date.parse(String(text)) - world.now) / 86_400_000);
/** What it says last, without `error: `. */
const lastLine = (text: string) => String(world.named(text).split("\n").at(-2)).replace(/^error: /, "");
const times = (count: number, what: string): string[] => Array(count).fill(what);

describe("a preview", () => {
  test("has a database and URLs of its own, and passes the smoke test at both, however busy Neon is", async () => {
    world.neon.refuse(/^GET \/branches$/, 429, "too many requests", { "retry-after": "20" });
    world.neon.refuse(/^POST \/branches$/, 503, "service unavailable");
    world.neon.refuse(/^GET \/connection_uri$/, 502, "bad gateway");
    const beganAt = world.now;
    const { exitCode, stdout, stderr } = await run(["--wait", "0"]);
    expect(exitCode, stderr).toBe(0);
    const { expires_at } = world.neon.branch("pr-1");
    const urls = { preview_url: urlOf("pr-1"), deployment_url: urlOf(labelOf(deploymentOf("pr-1").id)) };
    expect(JSON.parse(stdout)).toStrictEqual({ name: "pr-1", ...urls, expires_at, is_new: true });
    expect([daysUntil(expires_at), expires_at]).toStrictEqual([7, expect.stringMatching(/T\d\d:\d\d:\d\dZ$/)]);
    expect(world.did).toStrictEqual(["preview pr-1", "try <deployment>", "try <pr-1>"]);
    expect([stderr.match(/passed/g)?.length, stderr.match(/from the cache$/gm)?.length]).toStrictEqual([26, 2]);
    // Two operations, each asked for until it has finished.
    const created = [...times(2, "GET /branches"), ...times(2, "POST /branches"), ...times(4, "GET /operations/<id>")];
    expect(world.neon.requests).toStrictEqual([...created, ...times(3, "GET /connection_uri")]);
    // Between requests, and as long as Neon asks for.
    expect(world.now - beganAt).toBe(20_000 + 1_000 + 4 * 1_000 + 1_000);
  });

  test("has secrets of its own, which the log of a GitHub workflow hides", async () => {
    const { stderr } = await run([], { GITHUB_ACTIONS: "true" });
    const secrets = secretsOf(deploymentOf("pr-1"));
    const { direct, pooled } = world.neon.urls("pr-1");
    const PURGE_SECRET = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(secrets).toStrictEqual({ DATABASE_URL: pooled, PURGE_SECRET });
    const masked = [...stderr.matchAll(/^::add-mask::(.*)$/gm)].map(([_, value]) => value);
    const { CF_ACCESS_CLIENT_SECRET } = SERVICE_TOKEN;
    expect(masked).toStrictEqual([CF_ACCESS_CLIENT_SECRET, pooled, secrets.PURGE_SECRET, direct, NEON_PASSWORD]);
  });

  test("keeps its database the next time, which lives longer then", async () => {
    havePreviews("pr-10", "pr-1");
    const { exitCode, stdout } = await run();
    expect([exitCode, JSON.parse(stdout)]).toStrictEqual([0, expect.objectContaining({ is_new: false })]);
    expect(daysUntil(JSON.parse(stdout).expires_at)).toBe(7);
    expect(world.neon.branch("pr-1").id).toBe("br-pr-1");
    const asked = ["GET /branches", "PATCH /branches/<id>", ...times(2, "GET /connection_uri")];
    expect(world.neon.requests).toStrictEqual(asked);
  });

  test("needs a value for every secret that the Worker requires, but takes none that must be its own", async () => {
    world.configure((toml) => toml.replace('= ["DATABASE_URL"', '= ["ANOTHER_SECRET", "DATABASE_URL"'));
    const stderr = "error: The environment lacks ANOTHER_SECRET, which the Worker needs.\n";
    expect(await run()).toStrictEqual({ exitCode: 2, stdout: "", stderr });
    expect([world.account.requests, world.neon.requests]).toStrictEqual([[], []]);
    const others = { ANOTHER_SECRET: "another", DATABASE_URL: "of production", PURGE_SECRET: "of production" };
    expect((await run([], others)).exitCode).toBe(0);
    const secrets = secretsOf(deploymentOf("pr-1"));
    expect(secrets.ANOTHER_SECRET).toBe("another");
    expect(Object.values(secrets)).not.toContain("of production");
  });

  test("tells where to look before it fails, and tells a workflow's later steps, too", async () => {
    world.code = ({ url }) => url.endsWith("/docs");
    const GITHUB_OUTPUT = join(world.project, "output");
    const { exitCode, stdout, stderr } = await run(["--wait", "0"], { GITHUB_OUTPUT });
    const { preview_url, deployment_url } = JSON.parse(stdout);
    const summary = `${preview_url} always shows the latest commit, ${deployment_url} this one.`;
    expect(readFileSync(GITHUB_OUTPUT, "utf8")).toBe(`summary=${summary}\n`);
    expect(stderr).toContain("FAILED   shows its document and its reference: the status is 500, not 200");
    expect([exitCode, lastLine(stderr)]).toStrictEqual([1, "<deployment> failed 1 of 13 checks."]);
  });

  test("fails at its lasting URL where the edge responds with the deployment before for a while", async () => {
    await run();
    world.code = ({ url }) => url === `${urlOf("pr-1")}/docs`;
    // More requests than a smoke test makes.
    world.account.lag = 50;
    const { exitCode, stderr } = await run();
    expect([exitCode, lastLine(stderr)]).toStrictEqual([1, "<pr-1> failed 1 of 15 checks."]);
  });
});

describe("a preview that cannot be made", () => {
  test.for<[says: string | RegExp, args: string[], env: Env]>([
    ["NEON_API_KEY is not set.", [], { NEON_API_KEY: undefined }],
    ["NEON_PROJECT_ID is not set.", [], { NEON_PROJECT_ID: "" }],
    [/^Give the preview a --name/, ["--name", "PR 4"], {}],
    [/^Give the preview a --name/, ["--name", "a".repeat(52)], {}],
    [/^Set both CF_ACCESS_CLIENT_ID and/, [], { CF_ACCESS_CLIENT_ID: "" }],
  ])("asks nothing of anyone and says: %s", async ([says, args, env]) => {
    const { exitCode, stderr } = await run(args, env);
    expect(lastLine(stderr)).toMatch(says);
    expect([exitCode, world.account.requests, world.neon.requests]).toStrictEqual([2, [], []]);
  });

  const IS_PROJECTS = /^The Neon branch main never expires, so it is not a preview's: give the preview another name\.$/;
  const IS_GUARDED = /^<deployment> is behind Cloudflare Access: set CF_ACCESS_CLIENT_ID .* lets in\.$/;
  const nothing = () => {};
  const withoutWorker = () => Object.assign(world.account, { exists: false });
  const withoutUrls = () => Object.assign(world.account.urls, { previews_enabled: false });
  const moved = () => world.moveAway();
  const refused = () => world.account.refuse(/^POST .*\/previews$/, refusal(400, 10_099, "Too many Previews"));
  const NO_TOKEN = { CF_ACCESS_CLIENT_ID: "", CF_ACCESS_CLIENT_SECRET: "" };
  test.for<[says: RegExp, given: () => unknown, previews: string[], branches: string[], args?: string[], env?: Env]>([
    [/^Release first: there is no Worker process-api yet/, withoutWorker, [], []],
    [
      /^https:\/\/console\.neon\.tech refused POST \S+\/branches \(422\): no more$/,
      () => world.neon.refuse(/^POST/, 422, "no more"),
      [],
      [],
    ],
    [
      /^https:\/\/console\.neon\.tech refused GET \S+\/branches \(401\): no such key$/,
      nothing,
      [],
      [],
      [],
      { NEON_API_KEY: "wrong" },
    ],
    [IS_PROJECTS, nothing, [], [], ["--name", "main"]],
    [IS_PROJECTS, nothing, [], [], ["--name", "main", "--delete"]],
    // From here on the database is ready for the next time.
    [/^wrangler preview failed with the API's code 10099; what it said stands above\.$/, refused, [], ["pr-1"]],
    [/^The preview has no URL: wrangler\.toml must say preview_urls = true\.$/, withoutUrls, ["pr-1"], ["pr-1"]],
    [/^https:.*-process-api\.example\.com failed 12 of 13 checks\.$/, moved, ["pr-1"], ["pr-1"], ["--wait", "0"]],
    [IS_GUARDED, nothing, ["pr-1"], ["pr-1"], [], NO_TOKEN],
  ])("says: %s", async ([says, given, previews, branches, args, env]) => {
    given();
    const { exitCode, stderr } = await run(args, env);
    expect(lastLine(stderr)).toMatch(says);
    expect([exitCode, left(), world.strayTokens]).toStrictEqual([1, [previews, ["main", ...branches]], []]);
  });
});

describe("the end of a preview", () => {
  test("deletes the deployment and the database, after what Neon is busy with, and finds nothing the second time", async () => {
    havePreviews("pr-1");
    for (let n = 0; n < 2; n++) world.neon.refuse(/^DELETE/, 423, "project already has running operations");
    expect(await run(["--delete"])).toMatchObject({ exitCode: 0, stdout: "" });
    expect([world.did, left()]).toStrictEqual([["preview delete pr-1"], [[], ["main"]]]);
    const deleted = [...times(3, "DELETE /branches/<id>?hard_delete=true"), ...times(4, "GET /operations/<id>")];
    expect(world.neon.requests).toStrictEqual(["GET /branches", ...deleted]);
    const { exitCode, stderr } = await run(["--delete"]);
    const nothing = ["There is no Neon branch pr-1.", "There is no preview pr-1."];
    expect([exitCode, stderr.trim().split("\n").sort()]).toStrictEqual([0, nothing]);
  });

  const BY_CLOUDFLARE = "wrangler preview delete failed with the API's code 10013; what it said stands above.";
  const BY_NEON =
    "https://console.neon.tech refused DELETE /api/v2/projects/still-lake-12345678/branches/br-pr-1 (422): no";
  test.for([
    [BY_CLOUDFLARE, true, false],
    [BY_NEON, false, true],
    [`${BY_CLOUDFLARE} ${BY_NEON}`, true, true],
  ] as const)("deletes what it can, and fails: %s", async ([says, isKept, hasBranch]) => {
    havePreviews("pr-1");
    if (isKept) world.account.refuse(/^DELETE /, refusal(500, 10_013, "An unknown error"));
    if (hasBranch) world.neon.refuse(/^DELETE /, 422, "no");
    const { exitCode, stderr } = await run(["--delete"]);
    expect([exitCode, stderr.includes(`error: ${says}\n`)]).toStrictEqual([1, true]);
    expect(left()).toStrictEqual([isKept ? ["pr-1"] : [], hasBranch ? ["main", "pr-1"] : ["main"]]);
  });
});

describe("the sweep", () => {
  test("deletes what a merge conflict has left behind, and previews without a database, and nothing else", async () => {
    // Fills the first page of each list.
    const crowd = Array.from({ length: 100 }, (_, n) => 1_000 + n);
    haveGh(`printf '%s\\n' 5 ${crowd.join(" ")}`);
    const open = crowd.map((number) => `pr-${number}`);
    havePreviews(...open, "pr-2", "pr-5", "feature-login", "expired");
    world.neon.branches.pop();
    const { exitCode, stdout } = await run(["--sweep"]);
    expect([exitCode, JSON.parse(stdout)]).toStrictEqual([0, ["expired", "pr-2"]]);
    const kept = [...open, "pr-5", "feature-login"];
    expect(left()).toStrictEqual([kept, ["main", ...kept]]);
  });

  test("deletes nothing where GitHub does not tell which pull requests are open", async () => {
    havePreviews("pr-2");
    haveGh("echo 7 && echo not logged in >&2 && exit 4");
    const { exitCode, stderr } = await run(["--sweep"]);
    expect([exitCode, left()]).toStrictEqual([1, [["pr-2"], ["main", "pr-2"]]]);
    expect(lastLine(stderr)).toBe("gh does not tell which pull requests are open: not logged in");
  });
});
