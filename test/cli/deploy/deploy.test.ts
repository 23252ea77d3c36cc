// Releases from the first to one that is taken back, with the real wrangler and the real scripts against stand-ins.
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
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
/** A fault that the Worker has at the production URL alone. */
const BREAK_IN_PRODUCTION = [
  "src/worker/gateway/assets.ts",
  "{\n  const { ok,",
  "{\n  if (/\\/process-api\\..*docs$/.test(request.url)) throw new Error();\n  const { ok,",
] as const;
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

async function deploy(env: Record<string, string | undefined> = {}, args = ["--steps", "100"]) {
  return command("deploy", ["--wait", "0", "--pause", "0", ...args], env);
}

async function command(script: string, args: string[], env: Record<string, string | undefined> = {}) {
  const outcome = await world.run(script, args, { ...environment, ...env });
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
const lastUpload = () => worker().versions.at(-1)?.upload as Upload;
/** The parts of the traffic that the newest version was given since the test began, in percent. */
const shares = () =>
  world.cloudflare.requests
    .filter(({ what }) => /^POST .*\/deployments$/.test(what))
    .map(({ body }) => (body as { versions: { version_id: string; percentage: number }[] }).versions)
    .flatMap((versions) => versions.find(({ version_id }) => version_id === lastVersion())?.percentage ?? "another's");
/** The requests that change something. */
const changes = () =>
  world.cloudflare.requests.map(({ what }) => what).filter((what) => !/^GET |assets|sql$/.test(what));

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

  test("says that a custom domain comes with the second release", async () => {
    world.checkout.edit(
      "wrangler.toml",
      "workers_dev = true",
      'routes = [{ pattern = "api.example.com", custom_domain = true }]',
    );
    const { exitCode, stderr } = await deploy();
    world.checkout.restore();
    expect(exitCode).toBe(2);
    expect(stderr).toContain("error: A custom domain comes with the second release");
    expect([changes(), await tables()]).toStrictEqual([[], []]);
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
    expect([stderr.match(/passed/g)?.length, stderr.match(/skipped/g)?.length]).toStrictEqual([8, 6]);
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
    expect(secretsOf(upload)).toStrictEqual({
      DATABASE_URL: environment.DATABASE_URL,
      PURGE_SECRET,
      PURGE_SECRET_PREVIOUS: PURGE_SECRET,
    });
    const namespaces = upload.bindings.flatMap(({ namespace_id }) => namespace_id ?? []);
    expect(namespaces.sort()).toStrictEqual(["3001", "3002", "3003", "3004"]);
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
    expect(stderr.match(/passed/g)).toHaveLength(28);
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
    expect(stderr).toMatch(/failed 14 of 14 checks\. It has no traffic: nothing has changed for anyone\.\n$/);
    expect(changes()).toStrictEqual(["POST /workers/scripts/process-api/versions"]);
    expect(trafficOf()).toStrictEqual(before);
    expect(trafficOf()).not.toContain(lastVersion());
  });

  test("that fails with traffic is taken back, also past a change of secrets", async () => {
    const before = trafficOf();
    world.checkout.edit(...BREAK_IN_PRODUCTION);
    const { exitCode, stderr } = await deploy({ PURGE_SECRET: `${PURGE_SECRET}-2` });
    world.checkout.restore();
    expect(exitCode).toBe(1);
    expect(stderr).toContain("FAILED   shows its documentation: the status is 500, not 200: Something went wrong");
    expect(stderr.split("\n").at(-2)).toBe(
      `error: ${URL_OF_PRODUCTION} failed 1 of 14 checks. Version ${before?.[0]} has the traffic again.`,
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
    expect(stderr).toContain(
      "https://elsewhere.example.workers.dev\n  FAILED   is up: the status is 404, not 200, and it is not the Worker that answers\n",
    );
    expect(stderr.split("\n").at(-2)).toMatch(
      new RegExp(`And the way back FAILED\\. By hand: npm run rollback -- ${before?.[0]}$`),
    );
    expect(trafficOf()).toStrictEqual([lastVersion()]);
  });

  test("does not begin while two versions share the traffic", async () => {
    const [one, two] = worker().versions;
    const halves = [one, two].map((version) => ({ version_id: String(version?.id), percentage: 50 }));
    worker().deploy(halves, undefined, true);
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(1);
    worker().deployments.shift();
    expect(stderr).toContain("error: Two versions share the traffic");
    expect(changes()).toStrictEqual([]);
  });
});

describe("secrets that change", () => {
  const otherUrl = () => String(environment.DATABASE_URL).replace(NEON_PASSWORD, "npg_another");

  test("move the traffic at once, and bring the secret before along for those who purge", async () => {
    const PURGE_SECRET_PREVIOUS = "the-purge-secret-of-production-before";
    const { exitCode, stderr } = await deploy({ PURGE_SECRET_PREVIOUS }, []);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("Cloudflare does not split the traffic past a change of secrets: it moves at once.\n");
    // The first was refused.
    expect(shares()).toStrictEqual([10, 100]);
    expect(secretsOf(lastUpload())).toMatchObject({ PURGE_SECRET, PURGE_SECRET_PREVIOUS });
  });

  test("end the rotation with the next release: a secret that is not sent would be inherited", async () => {
    expect((await deploy()).exitCode).toBe(0);
    expect(secretsOf(lastUpload())).toMatchObject({ PURGE_SECRET, PURGE_SECRET_PREVIOUS: PURGE_SECRET });
  });

  test("are not taken back when they do not work any more", async () => {
    const [before] = trafficOf() ?? [];
    world.neon.revoke(String(environment.DATABASE_URL));
    world.checkout.edit(...BREAK_IN_PRODUCTION);
    const failed = await deploy({ DATABASE_URL: otherUrl() });
    world.checkout.restore();
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain("Secrets have changed since: it is tried with those that it brings back.\n");
    const advice = `Version ${before} does not work with the secrets that it would bring back and the database of today: it gets no traffic. To run its code with today's secrets, check out its commit and release that: npm run deploy.`;
    expect(failed.stderr).toContain(`failed 1 of 14 checks. And the way back FAILED. ${advice}\n`);
    expect(trafficOf()).toStrictEqual([lastVersion()]);
    const byHand = await command("rollback", [String(before), "--wait", "0"]);
    expect(byHand.exitCode).toBe(1);
    expect(byHand.stderr.split("\n").at(-2)).toBe(`error: ${advice}`);
    expect(trafficOf()).toStrictEqual([lastVersion()]);
    // The code of before, with the secrets of today.
    environment.DATABASE_URL = otherUrl();
    expect((await deploy()).exitCode).toBe(0);
  });
});

describe("a release in steps", () => {
  test("is given 10, 50 and all of the traffic, and tried as itself each time", async () => {
    const { exitCode, stderr } = await deploy({}, []);
    expect(exitCode).toBe(0);
    expect(shares()).toStrictEqual([10, 50, 100]);
    expect(stderr.match(/passed/g)).toHaveLength(4 * 14);
    expect(inOrder(stderr, ["at 10 %.", "at 50 %.", "$ wrangler triggers deploy", URL_OF_PRODUCTION])).toBe(true);
    expect(trafficOf()).toStrictEqual([lastVersion()]);
  });

  test("ends at the first, where a purge does not reach the copies of the version before", async () => {
    const before = trafficOf();
    world.edge.isPurgeOfVersion = true;
    const { exitCode, stderr } = await deploy({}, []);
    world.edge.isPurgeOfVersion = false;
    expect(exitCode).toBe(1);
    expect(stderr).toContain("error: A purge does not reach the copies of the other version");
    expect(stderr).toMatch(/Version \S+ has the traffic again\.\n$/);
    expect(shares()).toStrictEqual([10, "another's"]);
    expect(trafficOf()).toStrictEqual(before);
  });

  test("is taken back where too many of its answers fail, and goes on where nobody can count them", async () => {
    const before = trafficOf();
    Object.assign(world.cloudflare.counted, { requests: 100, errors: 2 });
    const failed = await deploy({}, []);
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain("error: The new version fails too often: 2.0 % of 100 requests failed with 5xx.");
    expect([shares(), trafficOf()]).toStrictEqual([[10, "another's"], before]);
    const asked = world.cloudflare.requests.find(({ what }) => what === "POST /analytics_engine/sql");
    expect(JSON.stringify(asked?.body)).toContain(`= '${lastVersion()}'`);
    Object.assign(world.cloudflare.counted, { requests: 19, errors: 19 });
    world.cloudflare.refuse(/sql$/, new ApiError(403, 10_000, "Authentication error"));
    const { exitCode, stderr } = await deploy({}, ["--steps", "10,100"]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("Errors are not counted: The SQL API answered 403");
  });

  test("is given back by hand to the version before", async () => {
    const [active] = trafficOf() ?? [];
    const before = worker().deployments.find(
      ({ versions: [one] }) => one?.percentage === 100 && one.version_id !== active,
    );
    const { exitCode, stderr } = await command("rollback", ["--wait", "0"]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(
      `https://${before?.versions[0]?.version_id.slice(0, 8)}-process-api.example.workers.dev\n`,
    );
    expect(trafficOf()).toStrictEqual([before?.versions[0]?.version_id]);
  });
});

test("an edge that answers with the version before for a while passes no test for the new one", async () => {
  const before = trafficOf();
  // More requests than a smoke test makes.
  worker().lag = 25;
  world.checkout.edit(...BREAK_IN_PRODUCTION);
  const { exitCode, stderr } = await deploy({}, ["--steps", "100", "--wait", "60"]);
  world.checkout.restore();
  worker().lag = 0;
  expect(exitCode).toBe(1);
  expect(stderr).toContain("FAILED   shows its documentation: the status is 500, not 200");
  expect(stderr).toMatch(/failed 1 of 14 checks\. Version \S+ has the traffic again\.\n$/);
  expect(trafficOf()).toStrictEqual(before);
});

describe("Cloudflare Access in front of the URLs of versions", () => {
  test("is passed with a service token, which goes nowhere else", async () => {
    world.edge.access = { id: "an-id.access", secret: "the-secret-of-a-service-token" };
    const token = { CF_ACCESS_CLIENT_ID: "an-id.access", CF_ACCESS_CLIENT_SECRET: "the-secret-of-a-service-token" };
    const { exitCode } = await deploy(token);
    expect([exitCode, world.edge.strayTokens]).toStrictEqual([0, []]);
  });

  test("is told from a Worker that fails, and not asked again and again", async () => {
    const before = trafficOf();
    const { exitCode, stderr } = await deploy({}, ["--wait", "60"]);
    world.edge.access = undefined;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /error: https:\/\/\S+ is behind Cloudflare Access: set CF_ACCESS_CLIENT_ID .* lets in\. It has no traffic: nothing has changed for anyone\.\n$/,
    );
    expect(stderr).not.toContain("FAILED");
    expect(trafficOf()).toStrictEqual(before);
  });
});

const CHANGESET = "POST /workers/scripts/process-api/domains/changeset";

describe("a custom domain", () => {
  const NAME = "api.example.com";
  beforeEach(() => {
    world.checkout.edit(
      "wrangler.toml",
      "workers_dev = true",
      `workers_dev = true\nroutes = [{ pattern = "${NAME}", custom_domain = true }]`,
    );
  });
  afterEach(() => {
    world.checkout.restore();
    world.cloudflare.domains.dns.clear();
  });
  const serviceOf = (name: string) => world.cloudflare.domains.all.get(name)?.service;

  test("that has DNS records already is not taken", async () => {
    world.cloudflare.domains.dns.add(NAME);
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`error: There are DNS records already for ${NAME}: delete them first`);
    expect([changes(), serviceOf(NAME)]).toStrictEqual([[CHANGESET], undefined]);
    expect([...world.cloudflare.domains.dns]).toStrictEqual([NAME]);
  });

  test("that another Worker has is not taken", async () => {
    world.cloudflare.domains.put("a-shop", {
      origins: [{ hostname: NAME }],
      override_existing_origin: false,
      override_existing_dns_record: false,
    });
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`error: ${NAME} is a domain of the Worker a-shop: take it away from there first.`);
    expect([changes(), serviceOf(NAME)]).toStrictEqual([[CHANGESET], "a-shop"]);
    world.cloudflare.domains.all.clear();
  });

  test("that is not there in time stops a release that has no traffic yet, and takes nothing back", async () => {
    const before = trafficOf();
    world.cloudflare.domains.delay = 1_000;
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`https://${NAME}\n  FAILED   is up: no answer, `);
    expect(stderr.split("\n").at(-2)).toBe(
      `error: https://${NAME} failed 6 of 12 checks. Its DNS and certificate may take longer still: once npm run smoke -- --url https://${NAME} passes, release again. It has no traffic: nothing has changed for anyone.`,
    );
    expect(trafficOf()).toStrictEqual(before);
    world.cloudflare.domains.all.clear();
  });

  test("is waited for with the version before, and is where the release is tried", async () => {
    world.cloudflare.domains.delay = 2;
    const { exitCode, stderr } = await deploy({}, ["--steps", "100", "--wait", "1"]);
    expect(exitCode).toBe(0);
    expect(
      inOrder(stderr, [
        "$ wrangler triggers deploy",
        `https://${NAME}\n`,
        "$ wrangler versions deploy",
        `https://${NAME}\n`,
      ]),
    ).toBe(true);
    expect(serviceOf(NAME)).toBe("process-api");
  });

  test("is the only door from then on", async () => {
    const { exitCode, stderr } = await deploy();
    expect(exitCode).toBe(2);
    expect(stderr).toContain("error: The workers.dev URL is a second door");
    world.checkout.edit("wrangler.toml", "workers_dev = true", "workers_dev = false");
    expect((await deploy()).exitCode).toBe(0);
    expect(world.cloudflare.serving("process-api.example.workers.dev")).toBeUndefined();
    world.cloudflare.domains.all.clear();
  });
});

test("a Worker that has previews but no version yet is released as the first time", async () => {
  const { deployments, versions } = worker();
  deployments.length = 0;
  versions.length = 0;
  const { exitCode, stderr } = await deploy();
  expect(exitCode).toBe(0);
  expect(stderr.match(/passed/g)).toHaveLength(14);
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
