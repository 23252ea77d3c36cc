// Releases from the first to one that is taken back, with the real wrangler and the real scripts against stand-ins.
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { SEED_PROCESSES, seed } from "../../../drizzle/seed.ts";
import { API_TOKEN } from "../../stand-ins/cloudflare/api.ts";
import { ApiError, secretsOf, type Upload } from "../../stand-ins/cloudflare/upload.ts";
import { connectionUris, NEON_PASSWORD } from "../../stand-ins/neon.ts";
import { startWorld, type World } from "../../stand-ins/world.ts";

/** A release runs wrangler five times, which takes seconds each time. */
vi.setConfig({ testTimeout: 120_000 });

const PURGE_SECRET = "the-purge-secret-of-production-and-no-other";
const URL_OF_PRODUCTION = "https://process-api.example.workers.dev";
const [READER] = SEED_PROCESSES;
const NO_READER = { SMOKE_TOKEN: "", SMOKE_APPLICATION: "", SMOKE_PROCESS: "" };

let world: World;
let environment: Record<string, string>;
beforeAll(async () => {
  world = await startWorld();
  const [main] = world.neon.branches;
  if (main === undefined) throw new Error("The project has no branch");
  const { direct, pooled } = connectionUris(main);
  environment = {
    MIGRATION_DATABASE_URL: direct,
    DATABASE_URL: pooled,
    PURGE_SECRET,
    SMOKE_TOKEN: READER.token,
    SMOKE_APPLICATION: READER.applicationId,
    SMOKE_PROCESS: READER.processId,
  };
});
afterAll(async () => {
  await world.close();
});
beforeEach(() => {
  world.cloudflare.requests.length = 0;
});

/** All that the commands have said, but for what GitHub's log is told to hide. */
const said: string[] = [];

async function deploy(env: Record<string, string | undefined> = {}) {
  const outcome = await world.run("deploy", ["--wait", "0"], { ...environment, ...env });
  said.push(...`${outcome.stdout}${outcome.stderr}`.split("\n").filter((line) => !line.startsWith("::add-mask::")));
  return outcome;
}

function worker() {
  const found = world.cloudflare.workers.get("process-api");
  if (found === undefined) throw new Error("The Worker does not exist");
  return found;
}
const trafficOf = () => worker().deployments[0]?.versions.map(({ version_id }) => version_id);
const lastVersion = () => worker().versions.at(-1)?.id;
/** The requests that change something. */
const changes = () => world.cloudflare.requests.map(({ what }) => what).filter((what) => !/^GET |assets/.test(what));

const databaseUrl = () => String(world.neon.branches[0]?.postgres.connectionString);

async function tables(): Promise<string[]> {
  const client = new pg.Client(databaseUrl());
  await client.connect();
  try {
    const { rows } = await client.query("select tablename from pg_tables where schemaname = 'public'");
    return rows.map(({ tablename }) => tablename);
  } finally {
    await client.end();
  }
}

describe("before anything is changed", () => {
  test.for([
    ["MIGRATION_DATABASE_URL is not set.", () => ({ MIGRATION_DATABASE_URL: undefined })],
    ["DATABASE_URL is not a Postgres URL.", () => ({ DATABASE_URL: "https://example.com" })],
    ["The environment lacks PURGE_SECRET, which the Worker needs.", () => ({ PURGE_SECRET: "" })],
    ["MIGRATION_DATABASE_URL is a pooled URL", () => ({ MIGRATION_DATABASE_URL: environment.DATABASE_URL })],
    [
      "MIGRATION_DATABASE_URL and DATABASE_URL lead to two databases.",
      () => ({ DATABASE_URL: environment.DATABASE_URL?.replace("quiet", "loud") }),
    ],
    ["SMOKE_PROCESS (or --process) is not an id", () => ({ SMOKE_PROCESS: undefined })],
    ["PRODUCTION_URL is no https:// URL.", () => ({ PRODUCTION_URL: "http://api.example.com" })],
  ] as const)("says that %s", async ([words, env]) => {
    const { exitCode, stderr } = await deploy(env());
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`error: ${words}`);
    expect([world.cloudflare.requests, await tables()]).toStrictEqual([[], []]);
  });

  test("says that Cloudflare refuses to tell of the Worker", async () => {
    world.cloudflare.refuse(/^GET .*\/deployments$/, new ApiError(400, 10_001, "Unable to authenticate"));
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Unable to authenticate [code: 10001]");
    expect(await tables()).toStrictEqual([]);
  });
});

describe("the first release", () => {
  test("migrates, deploys and passes the smoke test", async () => {
    // There is nothing to read yet.
    const { exitCode, stdout, stderr } = await deploy({ ...NO_READER, GITHUB_ACTIONS: "true" });
    await seed(databaseUrl());
    expect({ exitCode, stdout }).toStrictEqual({ exitCode: 0, stdout: "" });
    expect(stderr).toContain("migrated 0000_tables\nmigrated 0001_updated_at\n");
    const { MIGRATION_DATABASE_URL, DATABASE_URL } = environment;
    const masked = [...stderr.matchAll(/^::add-mask::(.*)$/gm)].map(([_, value]) => value);
    expect([...new Set(masked)]).toStrictEqual([MIGRATION_DATABASE_URL, NEON_PASSWORD, DATABASE_URL, PURGE_SECRET]);
    expect([stderr.match(/passed/g)?.length, stderr.match(/skipped/g)?.length]).toStrictEqual([6, 5]);
    expect(stderr).toContain(`\n${URL_OF_PRODUCTION}\n`);
    expect(changes()).toStrictEqual([
      "PUT /workers/scripts/process-api",
      "POST /workers/scripts/process-api/subdomain",
      "PUT /workers/scripts/process-api/schedules",
    ]);
    expect(trafficOf()).toStrictEqual([lastVersion()]);
  });

  test("gives the Worker the secrets, its own budgets and the settings of wrangler.toml", () => {
    const upload = worker().versions[0]?.upload as Upload;
    expect(secretsOf(upload)).toStrictEqual({ DATABASE_URL: environment.DATABASE_URL, PURGE_SECRET });
    const namespaces = upload.bindings.flatMap(({ namespace_id }) => namespace_id ?? []);
    expect(namespaces.sort()).toStrictEqual(["3001", "3002", "3003"]);
    expect(upload.metadata).toMatchObject({
      cache_options: { enabled: true },
      exports: { default: { cache: { enabled: false } }, Api: { cache: { enabled: true } } },
      limits: { cpu_ms: 2_000, subrequests: 100 },
    });
    expect(upload.metadata).not.toHaveProperty("placement");
    expect(upload.modules.map(({ name, contentType }) => `${name} ${contentType}`)).toStrictEqual([
      "index.js application/javascript+module",
      "index.js.map application/source-map",
    ]);
  });
});

describe("a later release", () => {
  test("is migrated for, then tried without traffic, and only then given it", async () => {
    world.checkout.addMigration("9999_next", "create table next_table ()");
    const before = trafficOf();
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(0);
    const versionUrl = `https://${lastVersion()?.slice(0, 8)}-process-api.example.workers.dev`;
    expect(
      inOrder(stderr, [
        "migrated 9999_next",
        "$ wrangler versions upload",
        versionUrl,
        "passed",
        "$ wrangler versions deploy",
        "$ wrangler triggers deploy",
        `\n${URL_OF_PRODUCTION}\n`,
        "passed   answers from the cache",
      ]),
    ).toBe(true);
    expect(stderr.match(/passed/g)).toHaveLength(21);
    expect(changes()).toStrictEqual([
      "POST /workers/scripts/process-api/versions",
      "POST /workers/scripts/process-api/deployments",
      "PATCH /workers/scripts/process-api/script-settings",
      "POST /workers/scripts/process-api/subdomain",
      "PUT /workers/scripts/process-api/schedules",
    ]);
    expect(trafficOf()).toStrictEqual([lastVersion()]);
    expect(trafficOf()).not.toStrictEqual(before);
    expect(worker().scriptSettings).toMatchObject({ observability: { enabled: true } });
  });

  test("that cannot be migrated for is not uploaded", async () => {
    world.checkout.addMigration("0003_broken", "alter table nowhere add x int");
    const { exitCode, stderr } = await deploy();
    world.checkout.restore();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error: Not migrated: 0003_broken\.sql: SQLSTATE 42P01.*\n$/);
    expect(changes()).toStrictEqual([]);
  });

  test("that Cloudflare does not take changes nothing for anyone", async () => {
    const before = trafficOf();
    world.cloudflare.refuse(/^POST .*\/versions$/, new ApiError(400, 10_021, "Script startup exceeded CPU time limit"));
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Script startup exceeded CPU time limit [code: 10021]");
    expect(changes()).toStrictEqual(["POST /workers/scripts/process-api/versions"]);
    expect(trafficOf()).toStrictEqual(before);
  });

  test("that fails at its own URL never has traffic", async () => {
    const before = trafficOf();
    // Too short: the Worker answers nothing with it.
    const { exitCode, stderr } = await deploy({ PURGE_SECRET: "short" });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/failed 10 of 11 checks\. It has no traffic: nothing has changed for anyone\.\n$/);
    expect(changes()).toStrictEqual(["POST /workers/scripts/process-api/versions"]);
    expect(trafficOf()).toStrictEqual(before);
    expect(trafficOf()).not.toContain(lastVersion());
  });

  test("that fails with traffic is taken back, also past a change of secrets", async () => {
    const before = trafficOf();
    // Seen only where there is a cache, which the version's own URL is not tried for.
    world.checkout.edit("src/worker/shared/cache.ts", '"cache-control": `public, ', '"cache-control": `private, ');
    const { exitCode, stderr } = await deploy({ PURGE_SECRET: `${PURGE_SECRET}-2` });
    world.checkout.restore();
    expect(exitCode).toBe(1);
    expect(stderr).toContain("FAILED   answers from the cache");
    expect(stderr.split("\n").at(-2)).toBe(
      `error: ${URL_OF_PRODUCTION} failed 1 of 11 checks. Version ${before?.[0]} has the traffic again.`,
    );
    expect(trafficOf()).toStrictEqual(before);
    expect(worker().deployments[1]?.versions).toStrictEqual([{ version_id: lastVersion(), percentage: 100 }]);
    const smoke = await world.run("smoke", ["--url", URL_OF_PRODUCTION, "--expect-cache"], environment);
    expect(smoke.exitCode).toBe(0);
  });

  test("says how to take it back by hand when that fails, too", async () => {
    const before = trafficOf();
    world.cloudflare.refuse(/^POST .*\/deployments$/, new ApiError(400, 10_099, "Not now"), 1);
    const { exitCode, stderr } = await deploy({ PRODUCTION_URL: "https://elsewhere.example.workers.dev" });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("https://elsewhere.example.workers.dev\n  FAILED   is up: the status is 404, not 200\n");
    expect(stderr.split("\n").at(-2)).toMatch(
      new RegExp(`And the way back FAILED\\. By hand: npx wrangler rollback ${before?.[0]}$`),
    );
    expect(trafficOf()).toStrictEqual([lastVersion()]);
  });

  test("does not begin while two versions share the traffic", async () => {
    const [one, two] = worker().versions;
    const halves = [one, two].map((version) => ({ version_id: String(version?.id), percentage: 50 }));
    worker().deploy(halves, undefined, true);
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(1);
    expect(stderr).toContain("error: Two versions share the traffic");
    expect(changes()).toStrictEqual([]);
  });
});

test("a Worker that has previews but no version yet is released as the first time", async () => {
  const { deployments, versions } = worker();
  deployments.length = 0;
  versions.length = 0;
  const { exitCode, stderr } = await deploy();
  expect(exitCode).toBe(0);
  expect(stderr.match(/passed/g)).toHaveLength(11);
  expect(stderr).toContain("$ wrangler deploy");
  expect(trafficOf()).toStrictEqual([lastVersion()]);
});

test("in all of this nobody was shown a secret, and none has stayed anywhere", () => {
  const secrets = new RegExp([NEON_PASSWORD, PURGE_SECRET, API_TOKEN, READER.token].join("|"));
  expect(said.length).toBeGreaterThan(100);
  expect([...said, ...world.edge.logs].filter((line) => secrets.test(line))).toStrictEqual([]);
  expect(world.edge.strayHosts).toStrictEqual([]);
  expect(world.leftovers()).toStrictEqual([]);
});

test("the command says in its help what it reads from the environment", async () => {
  const { stdout } = await world.run("deploy", ["--help"]);
  const source = readFileSync("src/cli/deploy.ts", "utf8") + readFileSync("src/cli/deploy/reader.ts", "utf8");
  const names = [...source.matchAll(/process\.env\.(\w+)|readDatabaseUrl\("(\w+)"\)/g)].map(
    (match) => match[1] ?? match[2],
  );
  expect(names.length).toBeGreaterThan(4);
  for (const name of names) expect(stdout).toContain(name);
});

function inOrder(text: string, parts: readonly string[]): boolean {
  let from = 0;
  return parts.every((part) => {
    const found = text.indexOf(part, from);
    from = found + part.length;
    return found >= 0;
  });
}
