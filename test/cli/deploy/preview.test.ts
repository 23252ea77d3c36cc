// Previews from the first to the last, with the real wrangler and the real scripts against stand-ins on this machine.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import journal from "../../../drizzle/meta/_journal.json" with { type: "json" };
import { SEED_PROCESSES } from "../../../drizzle/seed.ts";
import { API_TOKEN } from "../../stand-ins/cloudflare/api.ts";
import { ApiError } from "../../stand-ins/cloudflare/upload.ts";
import { Worker } from "../../stand-ins/cloudflare/worker.ts";
import { type GithubStandIn, startGithub } from "../../stand-ins/github.ts";
import { type Branch, NEON_API_KEY, NEON_PASSWORD } from "../../stand-ins/neon.ts";
import { startWorld, type World } from "../../stand-ins/world.ts";

/** A command that runs wrangler, which takes seconds, a few times. */
vi.setConfig({ testTimeout: 120_000 });

const ACCESS = { id: "an-id.access", secret: "the-secret-of-a-service-token" };
const SERVICE_TOKEN = { CF_ACCESS_CLIENT_ID: ACCESS.id, CF_ACCESS_CLIENT_SECRET: ACCESS.secret };

let world: World;
let github: GithubStandIn;
beforeAll(async () => {
  world = await startWorld();
  github = await startGithub();
  world.edge.access = ACCESS;
});
afterAll(async () => {
  await world.close();
  github.close();
});
beforeEach(() => {
  world.cloudflare.requests.length = 0;
  world.neon.requests.length = 0;
});

/** All that the commands have said, but for what GitHub's log is told to hide. */
const said: string[] = [];

async function preview(args: string[], env?: Record<string, string | undefined>) {
  const outcome = await world.run("preview", ["--wait", "0", ...args], { ...SERVICE_TOKEN, ...env });
  said.push(...`${outcome.stdout}${outcome.stderr}`.split("\n").filter((line) => !line.startsWith("::add-mask::")));
  return outcome;
}
/** Of Cloudflare, but for whether there is a release. */
const asked = () =>
  world.cloudflare.requests
    .map(({ what }) => what.replaceAll(/[0-9a-f]{32}/g, "<id>"))
    .filter((what) => what !== "GET /workers/scripts/process-api/deployments");
const askedOfNeon = () => world.neon.requests.map(({ what }) => what.replaceAll(/[0-9a-f-]{36}|br-[\w-]+/g, "<id>"));
const branch = (name: string) => world.neon.branches.find((candidate) => candidate.name === name);

function uploadedTo(name: string) {
  const deployment = world.cloudflare.workers.get("process-api")?.previews.get(name)?.deployments.at(-1);
  if (deployment === undefined) throw new Error(`There is no preview ${name}`);
  return deployment.upload;
}
const bindingsOf = (name: string) =>
  Object.fromEntries(uploadedTo(name).bindings.map(({ name: binding, ...value }) => [binding, value]));

/** The first preview's message to GitHub. */
let firstLog: string;
/** Secrets of this world. */
const SECRETS = new RegExp([NEON_PASSWORD, NEON_API_KEY, API_TOKEN].join("|"));

async function inDatabase(name: string, statement: string) {
  const client = new pg.Client(String(branch(name)?.postgres.connectionString));
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/** A Worker that has been released: its name, its URLs and a version. */
function release() {
  const worker = new Worker("process-api");
  const versions = [{ version_id: "00000000-0000-4000-8000-000000000000", percentage: 100 }];
  worker.deployments.push({ id: "first", createdAt: "2026-01-01T00:00:00Z", message: undefined, versions });
  worker.hasPreviewUrls = true;
  world.cloudflare.workers.set("process-api", worker);
}

test("before the first release there is no preview, and no Worker is made for one", async () => {
  const { exitCode, stdout, stderr } = await preview(["--name", "pr-1"]);
  expect({ exitCode, stdout }).toStrictEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toBe(
    "error: Release first: there is no Worker process-api yet that could have a preview (npm run deploy).\n",
  );
  expect([asked(), askedOfNeon(), world.cloudflare.workers.size]).toStrictEqual([[], [], 0]);
  release();
});

describe("the first preview of a branch", () => {
  test("has a database and URLs of its own, and passes the smoke test at both", async () => {
    // Neon is busy: all of this is safe to ask again.
    world.neon.refuse(/^GET \/branches$/, 429, "too many requests", 1);
    world.neon.refuse(/^POST \/branches$/, 503, "service unavailable");
    world.neon.refuse(/^GET \/connection_uri$/, 502, "bad gateway");
    const { exitCode, stdout, stderr } = await preview(["--name", "pr-1"], { GITHUB_ACTIONS: "true" });
    firstLog = stdout + stderr;
    expect(stderr).toContain(`${journal.entries.map(({ tag }) => `migrated ${tag}\n`).join("")}seeded\n`);
    expect(stderr).not.toContain("FAILED");
    expect(exitCode).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toStrictEqual({
      name: "pr-1",
      preview_url: "https://pr-1-process-api.example.workers.dev",
      deployment_url: expect.stringMatching(/^https:\/\/[0-9a-f]{8}-process-api\.example\.workers\.dev$/),
      expires_at: branch("pr-1")?.expiresAt,
      is_new: true,
    });
    expect(Math.round((Date.parse(result.expires_at) - Date.now()) / 86_400_000)).toBe(7);
    expect(stderr.match(/^https:.*$/gm)).toStrictEqual([result.deployment_url, result.preview_url]);
    expect([stderr.match(/passed/g)?.length, stderr.match(/answers from the cache$/gm)?.length]).toStrictEqual([26, 2]);
    expect(askedOfNeon()).toStrictEqual([
      ...Array(2).fill("GET /branches"),
      ...Array(2).fill("POST /branches"),
      // Two operations, each polled until it has finished.
      ...Array(4).fill("GET /operations/<id>"),
      ...Array(3).fill("GET /connection_uri"),
    ]);
    expect(world.neon.hurried).toStrictEqual([]);
  });

  test("keeps secrets out of the log of a GitHub workflow", () => {
    const lines = firstLog.split("\n").filter((line) => line.includes(NEON_PASSWORD));
    expect(lines.map((line) => line.split(NEON_PASSWORD)[0])).toStrictEqual([
      "::add-mask::postgresql://neondb_owner:",
      "::add-mask::postgresql://neondb_owner:",
      "::add-mask::",
    ]);
    expect(firstLog).toContain(`::add-mask::${ACCESS.secret}\n`);
    expect(firstLog).toContain(`::add-mask::${bindingsOf("pr-1").PURGE_SECRET?.text}\n`);
  });

  test("was asked of Cloudflare as documented, without the base configuration", () => {
    const preview = world.cloudflare.workers.get("process-api")?.previews.get("pr-1");
    expect(preview).toMatchObject({ name: "pr-1", slug: "pr-1", ignoresBaseConfig: true });
    expect(preview?.settings).toMatchObject({ observability: { enabled: true } });
  });

  test("is given its own secrets, the database by its pooled URL, and budgets that are not production's", () => {
    const bindings = bindingsOf("pr-1");
    const url = new URL(String(bindings.DATABASE_URL?.text));
    expect(bindings.DATABASE_URL?.type).toBe("secret_text");
    expect(url.hostname).toBe(`${branch("pr-1")?.endpointId}-pooler.us-east-2.aws.neon.tech`);
    expect(bindings.PURGE_SECRET?.text).toMatch(/^[0-9a-f]{64}$/);
    const namespaces = Object.values(bindings).flatMap(({ namespace_id }) => namespace_id ?? []);
    expect(namespaces.sort()).toStrictEqual(["3101", "3102", "3103", "3104"]);
    expect(bindings.DATABASE_DEADLINE_MS).toStrictEqual({ type: "plain_text", text: "10000" });
  });

  test("runs what was uploaded, behind the cache that was asked for", async () => {
    expect(uploadedTo("pr-1").metadata).toMatchObject({
      exports: { default: { cache: { enabled: false } }, Api: { cache: { enabled: true } } },
      cache: { enabled: true },
    });
    const [{ token, applicationId, processId }] = SEED_PROCESSES;
    const reader = { SMOKE_TOKEN: token, SMOKE_APPLICATION: applicationId, SMOKE_PROCESS: processId };
    const url = "https://pr-1-process-api.example.workers.dev";
    const args = ["--url", url, "--expect-cache"];
    const { exitCode, stdout } = await world.run("smoke", args, { ...reader, ...SERVICE_TOKEN });
    expect(stdout).toContain("passed   answers from the cache");
    expect(stdout.match(/passed/g)).toHaveLength(12);
    expect(exitCode).toBe(0);
  });
});

describe("a later preview of a branch", () => {
  test("keeps its URL and its database, which lives longer then and gets the migrations that are new", async () => {
    await inDatabase("pr-1", "update processes set display_name = 'Mine'");
    world.checkout.addMigration("9999_next", "create table next_table ()");
    const known = branch("pr-1");
    Object.assign(known ?? {}, { expiresAt: "2027-01-01T00:00:00Z" });
    const { exitCode, stdout, stderr } = await preview(["--name", "pr-1"]);
    expect([exitCode, stderr.match(/migrated .*|seeded|FAILED/g)]).toStrictEqual([0, ["migrated 9999_next"]]);
    expect(JSON.parse(stdout)).toMatchObject({
      preview_url: "https://pr-1-process-api.example.workers.dev",
      is_new: false,
    });
    expect(JSON.parse(stdout).expires_at).not.toBe("2027-01-01T00:00:00Z");
    expect(branch("pr-1")).toBe(known);
    expect(await inDatabase("pr-1", "select distinct display_name from processes")).toStrictEqual([
      { display_name: "Mine" },
    ]);
    expect(askedOfNeon()).toStrictEqual([
      "GET /branches",
      "PATCH /branches/<id>",
      "GET /connection_uri",
      "GET /connection_uri",
    ]);
    expect(asked()).toContain("PATCH /workers/workers/process-api/previews/pr-1");
    expect(asked()).not.toContain("POST /workers/workers/process-api/previews");
  });

  test("is told that a migration has changed, and takes a new database when it is asked to", async () => {
    world.checkout.edit("drizzle/9999_next.sql", "next_table ()", "next_table (id int)");
    const refused = await preview(["--name", "pr-1"]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^error: Not migrated: 9999_next has changed since it was applied/);
    const fresh = await preview(["--name", "pr-1", "--fresh"]);
    expect(fresh.exitCode).toBe(0);
    expect(fresh.stderr).toContain("Deleted the Neon branch pr-1.\nmigrated 0000_tables\n");
    expect(await inDatabase("pr-1", "select display_name from processes where display_name = 'Mine'")).toStrictEqual(
      [],
    );
    world.checkout.restore();
  });

  test("tells its deployments apart by their commits, in as many characters as Cloudflare takes", async () => {
    const { root } = world.checkout;
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.com", ...args], {
        cwd: root,
        encoding: "utf8",
      });
    git("init", "--quiet", "--initial-branch=feature/Login");
    git("commit", "--quiet", "--allow-empty", "--message", `--${"é".repeat(120)}\n\nAnd why.`);
    // Also the name of the preview, if it is given none. GitHub names the merge with main.
    const { exitCode, stdout } = await preview([], { CI: "true", GITHUB_SHA: "0".repeat(40) });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).name).toBe("feature-login");
    expect(uploadedTo("feature-login").metadata.annotations).toMatchObject({
      "workers/message": `--${"é".repeat(98)}`,
      "workers/tag": git("rev-parse", "--short=10", "HEAD").trim(),
      "workers/commit_sha": git("rev-parse", "HEAD").trim(),
    });
  });
});

describe("a preview that goes wrong", () => {
  test("fails when the smoke test does, and says what did not hold and where to look at it", async () => {
    const output = join(world.checkout.root, "output");
    world.checkout.edit("src/worker/shared/errors.ts", "status: 401", "status: 403");
    const { exitCode, stdout, stderr } = await preview(["--name", "pr-1"], { GITHUB_OUTPUT: output });
    world.checkout.restore();
    expect(exitCode).toBe(1);
    expect(readFileSync(output, "utf8")).toBe(`result=${JSON.stringify(JSON.parse(stdout))}\n`);
    expect(stderr).toContain("FAILED   refuses who has no key: the status is 403, not 401");
    expect(stderr).toMatch(
      /error: https:\/\/[0-9a-f]{8}-process-api\.example\.workers\.dev failed 2 of 12 checks\.\n$/,
    );
  });

  test("fails at its lasting URL, too, where the edge answers with the deployment before for a while", async () => {
    const worker = world.cloudflare.workers.get("process-api");
    // More requests than a smoke test makes.
    Object.assign(worker ?? {}, { lag: 25 });
    world.checkout.edit(
      "src/worker/gateway/assets.ts",
      "{\n  const { ok,",
      "{\n  if (/\\/pr-1-process-api\\..*docs$/.test(request.url)) throw new Error();\n  const { ok,",
    );
    const { exitCode, stderr } = await preview(["--name", "pr-1", "--wait", "60"]);
    world.checkout.restore();
    Object.assign(worker ?? {}, { lag: 0 });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error: https:\/\/pr-1-process-api\.example\.workers\.dev failed 1 of 14 checks\.\n$/);
  });

  test("says that Cloudflare Access lets nobody past without a service token", async () => {
    const env = { CF_ACCESS_CLIENT_ID: "", CF_ACCESS_CLIENT_SECRET: "" };
    const { exitCode, stderr } = await preview(["--name", "pr-1"], env);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error: https:\/\/\S+ is behind Cloudflare Access: set CF_ACCESS_CLIENT_ID .*\n$/);
  });

  test("says why Cloudflare refuses, after the database is ready for the next time", async () => {
    world.cloudflare.refuse(/^POST .*\/previews$/, new ApiError(400, 10_099, "Too many Previews"));
    const { exitCode, stdout, stderr } = await preview(["--name", "pr-2"]);
    expect({ exitCode, stdout }).toStrictEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("Too many Previews [code: 10099]");
    expect(stderr).toMatch(/error: wrangler preview failed with the API's code 10099; what it said stands above\.\n$/);
    expect(branch("pr-2")).toBeDefined();
  });

  test("says why Neon refuses, and asks nothing of Cloudflare", async () => {
    world.neon.refuse(/^POST \/branches$/, 422, "branches limit exceeded");
    const refused = await preview(["--name", "pr-3"]);
    expect(refused).toStrictEqual({
      exitCode: 1,
      stdout: "",
      stderr: "error: Neon's API refused (422): branches limit exceeded\n",
    });
    const stranger = await preview(["--name", "pr-3"], { NEON_API_KEY: "wrong" });
    expect(stranger.stderr).toBe("error: Neon's API refused (401): authentication required\n");
    expect(asked()).toStrictEqual([]);
  });

  test("leaves branches alone that never expire, such as the project's own", async () => {
    for (const args of [[], ["--delete"], ["--fresh"]]) {
      const { exitCode, stderr } = await preview(["--name", "main", ...args]);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("error: The Neon branch main never expires, so it is not a preview's");
    }
    expect(askedOfNeon()).toStrictEqual(Array(3).fill("GET /branches"));
    expect(branch("main")).toBeDefined();
  });

  test.for([
    ["NEON_API_KEY is not set.", ["--name", "pr-4"], { NEON_API_KEY: undefined }],
    ["NEON_PROJECT_ID is not set.", ["--name", "pr-4"], { NEON_PROJECT_ID: "" }],
    ['"PR 4" is no name for a preview', ["--name", "PR 4"], {}],
    ["is no name for a preview", ["--name", "a".repeat(52)], {}],
    ["Set both CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET", ["--name", "pr-4"], { CF_ACCESS_CLIENT_ID: "" }],
    ["GITHUB_REPOSITORY and GITHUB_TOKEN say which", ["--sweep"], {}],
  ] as const)("asks nothing of anyone when it cannot know what to do: %s", async ([words, args, env]) => {
    const { exitCode, stderr } = await preview([...args], env);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(words);
    expect([asked(), askedOfNeon()]).toStrictEqual([[], []]);
  });

  test("needs a value for every secret that the Worker requires, but takes none that must be its own", async () => {
    world.checkout.edit("wrangler.toml", 'required = ["DATABASE_URL"', 'required = ["ANOTHER_SECRET", "DATABASE_URL"');
    const missing = await preview(["--name", "pr-2"]);
    expect(missing).toMatchObject({ exitCode: 2, stdout: "" });
    expect(missing.stderr).toContain("error: The environment lacks ANOTHER_SECRET, which the Worker needs.");
    expect([asked(), askedOfNeon()]).toStrictEqual([[], []]);
    const others = { ANOTHER_SECRET: "another", DATABASE_URL: "of production", PURGE_SECRET: "of production" };
    const { exitCode } = await preview(["--name", "pr-2"], others);
    world.checkout.restore();
    expect(exitCode).toBe(0);
    expect(bindingsOf("pr-2").ANOTHER_SECRET).toStrictEqual({ type: "secret_text", text: "another" });
    expect(JSON.stringify(bindingsOf("pr-2"))).not.toContain("of production");
  });
});

describe("the end of a preview", () => {
  test("deletes the deployment and the database, after what Neon is busy with, and finds nothing the second time", async () => {
    world.neon.lockFor(2);
    const first = await preview(["--name", "pr-1", "--delete"]);
    expect(first).toMatchObject({ exitCode: 0, stdout: "" });
    expect(asked()).toStrictEqual(["DELETE /workers/workers/process-api/previews/pr-1"]);
    expect(world.cloudflare.workers.get("process-api")?.previews.has("pr-1")).toBe(false);
    expect(branch("pr-1")).toBeUndefined();
    const deletions = world.neon.requests.filter(({ what }) => what.startsWith("DELETE /branches/"));
    expect(deletions.map(({ query }) => query.get("hard_delete"))).toStrictEqual(Array(3).fill("true"));
    const second = await preview(["--name", "pr-1", "--delete"]);
    expect(second.exitCode).toBe(0);
    expect(second.stderr.split("\n").sort().slice(1)).toStrictEqual([
      "There is no Neon branch pr-1.",
      "There is no preview pr-1.",
    ]);
  });

  test("deletes the database although Cloudflare refuses, and fails", async () => {
    expect(branch("feature-login")).toBeDefined();
    world.cloudflare.refuse(/^DELETE .*\/previews\/feature-login$/, new ApiError(500, 10_013, "An unknown error"));
    const { exitCode, stderr } = await preview(["--name", "feature-login", "--delete"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("error: wrangler preview delete failed with the API's code 10013");
    expect(branch("feature-login")).toBeUndefined();
  });
});

describe("a Neon project that is full", () => {
  beforeEach(() => {
    world.neon.maxBranches = world.neon.branches.length;
  });
  afterAll(() => {
    world.neon.maxBranches = Number.POSITIVE_INFINITY;
  });

  test("is said to be, with the previews that fill it", async () => {
    const { exitCode, stderr } = await preview(["--name", "pr-5"]);
    expect(exitCode).toBe(1);
    const until = branch("pr-2")?.expiresAt?.slice(0, 10);
    expect(stderr).toMatch(
      new RegExp(
        `^error: The Neon project has all the branches .* ten on Free .*: pr-2 until ${until}\\. Delete one: `,
      ),
    );
  });

  test("has room again once the previews of closed pull requests are deleted", async () => {
    github.open.add(5);
    const { exitCode, stderr } = await preview(["--name", "pr-5"], github.env);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("Deleted the Neon branch pr-2.\n");
    expect([branch("pr-2"), branch("pr-5")?.name]).toStrictEqual([undefined, "pr-5"]);
    world.neon.maxBranches = Number.POSITIVE_INFINITY;
    expect((await preview(["--name", "pr-2"])).exitCode).toBe(0);
  });
});

describe("the sweep", () => {
  test("deletes what a merge conflict has left behind, and previews without a database, and nothing else", async () => {
    const worker = world.cloudflare.workers.get("process-api");
    const { branches } = world.neon;
    // Fills the first page of each list.
    const crowd = Array.from({ length: 100 }, (_, n) => ({ number: 1_000 + n, name: `pr-${1_000 + n}` }));
    for (const { number, name } of crowd) {
      worker?.addPreview(name, {}, true);
      branches.push({ ...branches[1], id: `br-${name}`, name } as Branch);
      github.open.add(number);
    }
    worker?.addPreview("expired", {}, true);
    github.open.add(5);
    const { exitCode, stdout } = await preview(["--sweep"], github.env);
    const names = new Set(crowd.map(({ name }) => name));
    const left = branches.splice(0).filter(({ name }) => !names.has(name));
    branches.push(...left);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toStrictEqual(["expired", "feature-login", "pr-2"]);
    expect([...(worker?.previews.keys() ?? [])].filter((name) => !names.has(name))).toStrictEqual(["pr-5"]);
    expect(left.map(({ name }) => name)).toStrictEqual(["main", "pr-5"]);
    expect((await preview(["--name", "pr-2"])).exitCode).toBe(0);
  });
});

describe("secrets", () => {
  test("do not stay when a signal ends the command, and neither does wrangler", async () => {
    const held = world.cloudflare.hold(/^GET .*\/previews\/pr-2$/);
    const child = world.start("preview", ["--name", "pr-2", "--wait", "0"]);
    const { gone } = await held;
    const [folder = ""] = world.leftovers();
    const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect([modeOf(folder), modeOf(`${folder}/secrets.json`)]).toStrictEqual(["700", "600"]);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toStrictEqual([null, "SIGTERM"]);
    expect(world.leftovers()).toStrictEqual([]);
    await gone;
  });
});

describe("a Neon project that is not for previews alone", () => {
  test("is refused, before anything is seeded or deployed over a copy of its data", async () => {
    const company = "insert into companies (id, name) values (gen_random_uuid(), 'A customer')";
    await inDatabase("pr-2", "truncate companies cascade");
    await inDatabase("pr-2", company);
    const { exitCode, stdout, stderr } = await preview(["--name", "pr-2"]);
    expect({ exitCode, stdout }).toStrictEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/^error: The Neon branch holds data that is not the seed's\..*\n$/);
    expect(await inDatabase("pr-2", "select name from companies")).toStrictEqual([{ name: "A customer" }]);
    expect(asked()).toStrictEqual([]);
  });
});

test("in all of this nobody was shown a secret, and no Worker asked for another host than Neon's", () => {
  expect(said.length).toBeGreaterThan(100);
  expect(world.edge.logs.length).toBeGreaterThan(10);
  expect([...said, ...world.edge.logs].filter((line) => SECRETS.test(line))).toStrictEqual([]);
  expect(world.edge.strayHosts).toStrictEqual([]);
});
