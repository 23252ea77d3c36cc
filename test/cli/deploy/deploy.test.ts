// What a release does, step by step, and what becomes of it when something goes wrong.
import { beforeEach, describe, expect, test } from "vitest";
import deploy from "../../../src/cli/deploy.ts";
import { refusal, secretsOf, urlOf, type Version } from "../../stand-ins/cloudflare.ts";
import type { Fault, PlatformFault } from "../../stand-ins/deployed.ts";
import { NEON_PASSWORD } from "../../stand-ins/neon.ts";
import { type Env, PURGE_SECRET, SERVICE_TOKEN, World } from "../../stand-ins/world.ts";

const DOMAIN = "api.example.com";
const ELSEWHERE = "https://elsewhere.example.workers.dev";
const ADVICE =
  "Version v1 does not work with the secrets that it would bring back and the database of today: it gets no traffic. To run its code with today's secrets, check out its commit (npx wrangler versions view v1) and release that: npm run deploy.";
const failsInProduction: Fault = ({ url }) => url === `${urlOf()}/docs`;
const failsWithTraffic: Fault = (request) =>
  failsInProduction(request) && !request.headers.has("cloudflare-workers-version-overrides");

let world: World;
beforeEach(async () => {
  world = new World();
  await world.release();
  return () => world.remove();
});

const set = (env: Env) => Object.assign(world.env, env);
const run = (args: readonly string[] = [], env?: Env) => world.run(deploy, ["--wait", "0", ...args], env);
const version = (index: number) => world.account.versions.at(index) as Version;
const lastLine = (text: string) => world.named(text).split("\n").at(-2);
const refuse = (what: RegExp, code: number, after?: number) =>
  world.account.refuse(what, refusal(400, code, "In Cloudflare's words"), after);
/** Puts a custom domain into wrangler.toml, which a Worker may have already. */
function haveDomain(owner?: string, workersDev = false): void {
  const routes = `routes = [{ pattern = "${DOMAIN}", custom_domain = true }]`;
  world.configure((toml) => toml.replace("workers_dev = true", `workers_dev = ${workersDev}\n${routes}`));
  if (owner !== undefined) world.account.domains.set(DOMAIN, owner);
}
function shareTraffic(): void {
  const versions = [20, 80].map((percentage, index) => ({ version_id: "ab"[index] ?? "", percentage }));
  world.account.deployments.unshift({ created_on: "2027", versions });
}

describe("before anything is changed, a release says", () => {
  const elsewhere = () => set({ DATABASE_URL: world.env.DATABASE_URL?.replace("ep-main", "ep-other") });
  const firstWithDomain = () => [haveDomain(), world.account.deployments.splice(0)];
  const withRecords = () => world.account.dns.add(DOMAIN) && haveDomain();
  const notYet = `${DOMAIN}: not the Worker's yet. At a terminal, npx wrangler triggers deploy adds it, and asks`;
  test.for<[exitCode: number, says: string, given: () => unknown]>([
    [2, "MIGRATION_DATABASE_URL is not set.", () => set({ MIGRATION_DATABASE_URL: undefined })],
    [2, "MIGRATION_DATABASE_URL is a pooled URL", () => set({ MIGRATION_DATABASE_URL: world.env.DATABASE_URL })],
    [2, "DATABASE_URL is not a Postgres URL.", () => set({ DATABASE_URL: "https://example.com" })],
    [2, "MIGRATION_DATABASE_URL and DATABASE_URL lead to two databases.", elsewhere],
    [2, "The environment lacks PURGE_SECRET, which the Worker needs.", () => set({ PURGE_SECRET: "" })],
    [
      2,
      "SMOKE_TOKEN must be an API key, SMOKE_APPLICATION and SMOKE_PROCESS the ids",
      () => set({ SMOKE_PROCESS: undefined }),
    ],
    [2, "PRODUCTION_URL is no https:// URL.", () => set({ PRODUCTION_URL: "http://api.example.com" })],
    [2, "Set both CF_ACCESS_CLIENT_ID and", () => set({ CF_ACCESS_CLIENT_ID: "an-id.access" })],
    [2, "A custom domain comes after the first release", firstWithDomain],
    [2, "The workers.dev URL is a second door", () => haveDomain("process-api", true)],
    [1, notYet, () => haveDomain()],
    [1, notYet, () => haveDomain("a-shop")],
    [1, notYet, withRecords],
    [1, "wrangler deployments list failed with the API's code 10001", () => refuse(/^GET .*\/deployments$/, 10_001)],
    [
      1,
      "Two versions share the traffic: give all of it to one of them first (npm run rollback takes the one before).",
      shareTraffic,
    ],
    // Nobody listens at the database: all of the above come before the migrations, and these before all that follows.
    [1, "Not migrated: the database cannot be reached, or was lost: ECONNREFUSED.", () => {}],
  ])("with exit code %d: %s", async ([exitCode, says, given]) => {
    set({ MIGRATION_DATABASE_URL: world.env.MIGRATION_DATABASE_URL?.replace(/:\d+\//, ":2/") });
    given();
    const outcome = await run();
    expect([outcome.exitCode, outcome.stdout, world.did]).toStrictEqual([exitCode, "", []]);
    expect(lastLine(outcome.stderr)).toContain(`error: ${says}`);
    expect(world.account.requests.filter(({ what }) => !/^GET|changeset$/.test(what))).toStrictEqual([]);
  });
});

describe("the first release", () => {
  beforeEach(() => void Object.assign(world.account, { exists: false, versions: [], deployments: [] }));

  test("deploys, passes the smoke test without a key, and hides secrets from GitHub's log", async () => {
    // There is nothing to read yet.
    const env = { SMOKE_TOKEN: "", SMOKE_APPLICATION: "", SMOKE_PROCESS: "", GITHUB_ACTIONS: "true" };
    const { exitCode, stdout, stderr } = await run([], env);
    expect([exitCode, stdout, world.did]).toStrictEqual([0, "", ["deploy", "try <production>", "wait 75 s"]]);
    const { MIGRATION_DATABASE_URL, DATABASE_URL } = world.env;
    const masked = [...stderr.matchAll(/^::add-mask::(.*)$/gm)].map(([_, value]) => value);
    expect([...new Set(masked)]).toStrictEqual([MIGRATION_DATABASE_URL, NEON_PASSWORD, DATABASE_URL, PURGE_SECRET]);
    expect([stderr.match(/passed/g)?.length, stderr.match(/skipped/g)?.length]).toStrictEqual([5, 10]);
    expect(secretsOf(version(0))).toStrictEqual({ DATABASE_URL, PURGE_SECRET, PURGE_SECRET_PREVIOUS: PURGE_SECRET });
  });

  test("has no version to go back to when it fails", async () => {
    world.code = failsInProduction;
    const { exitCode, stderr } = await run();
    expect([exitCode, world.traffic]).toStrictEqual([1, "v1"]);
    expect(lastLine(stderr)).toBe("error: <production> failed 1 of 15 checks. There is no version to go back to.");
  });

  test("is told when a purge does not reach what is cached", async () => {
    world.deployed.platform = "purges of own props alone";
    expect(lastLine((await run()).stderr)).toMatch(
      /<production> failed 1 of 15 checks\. There is no version to go back to\.$/,
    );
  });

  test("is made of a Worker that has previews but no version yet", async () => {
    world.account.exists = true;
    expect(await run()).toMatchObject({ exitCode: 0 });
    expect([world.did[0], world.traffic]).toStrictEqual(["deploy", "v1"]);
  });
});

interface Release {
  did: string;
  given?: () => unknown;
  args?: string[];
  says?: string | RegExp;
  /** The end of the last line, if it fails. */
  error?: string;
  /** Changes that nobody has purged. */
  left?: string[];
  /** Who has the traffic in the end, if it is not the version before after a failure, and else the new one. */
  traffic?: string;
}

const failing = () => Object.assign(world, { code: failsWithTraffic });
const platform = (fault: PlatformFault) => () => Object.assign(world.deployed, { platform: fault });
const configured = (...changes: [from: string, to: string][]) =>
  world.configure((toml) => changes.reduce((text, [from, to]) => text.replace(from, to), toml));
const WITHOUT_CRON: [string, string] = ['crons = ["* * * * *"]', "crons = []"];
const WITHOUT_CACHE: [string, string] = ["[cache]", '[vars]\nEDGE_FRESH_SECONDS = "0"\n[cache]'];
const forgetful = () => {
  failing().deployed.revoked.add(world.env.DATABASE_URL);
  set({ DATABASE_URL: world.env.DATABASE_URL?.replace(NEON_PASSWORD, "npg_another") });
};
const guarded = () => Object.assign(world, { isGuarded: true });
const withoutUrls = () => Object.assign(world.account.urls, { previews_enabled: false });

const AT_ONCE = ["--at-once"];
/** What a release does: before it has traffic, with a part of it, with all of it, and on the way back. */
const UPLOAD = "versions upload, try <v2>, purge <v2>, try <v2>";
const NONE = "versions deploy v2@0% v1@100%, try <production> as v2";
const REACH = "try <production> as v1, try <production> as v2, purge <production> as v2, try <production> as v1";
const TRIED = `${UPLOAD}, ${NONE}, ${REACH}`;
const PAUSE = "wait 300 s, count errors";
const SHARE = "versions deploy v2@10% v1@90%, try <production> as v2";
const HALF = "versions deploy v2@50% v1@50%, try <production> as v2";
const SHARES = `${SHARE}, ${PAUSE}, ${HALF}, ${PAUSE}`;
const MOVED = "versions deploy v2@100%, try <production>";
const FEED = "wait 75 s, try <production>, feed purges key, try <production>";
const ALL = `${MOVED}, triggers deploy, ${FEED}`;
const BACK = "versions deploy v1@100%";
/** Once by the feed of whichever version, and once by that of the version before. */
const PURGED = "wait 75 s, feed purges everything, try <production>";
const FAILED = "<production> failed 1 of 15 checks.";
const IS_BACK = "Version v1 has the traffic again.";
const NOT_CHOSEN =
  "If only the version was wrong, Cloudflare ignored the version override header: npm run deploy -- --at-once does without it.";
const NOTHING_CHANGED = "It has no traffic: nothing has changed for anyone.";

const RELEASES: Record<string, Release> = {
  "is tried without traffic, then with 10, 50 and all of it, and as itself each time": {
    did: `${TRIED}, ${SHARES}, ${ALL}`,
    says: "Waiting for 300 s at 10 %.\n0 requests, 0 failed with 5xx.\n",
  },
  "is given the traffic at once when it is asked for": { did: `${UPLOAD}, ${ALL}`, args: AT_ONCE },
  "is not uploaded where Cloudflare does not take it": {
    did: "",
    given: () => refuse(/^POST .*\/versions$/, 10_021),
    says: "words [code: 10021]",
    error: "what it said stands above.",
  },
  "is not tried where its version has no URL": {
    did: "versions upload",
    given: withoutUrls,
    error: "must say preview_urls = true.",
  },
  "never has traffic if it fails at its own URL": {
    did: "versions upload, try <v2>",
    given: () => set({ PURGE_SECRET: "short" }),
    error: `<v2> failed 15 of 15 checks. ${NOTHING_CHANGED}`,
  },
  "is taken back if it fails at the production URL, before anybody is given it": {
    did: `${UPLOAD}, ${NONE}, ${BACK}, try <production>`,
    given: () => Object.assign(world, { code: failsInProduction }),
    says: "Going back to version v1.\n",
    error: `${FAILED} ${NOT_CHOSEN} ${IS_BACK}`,
  },
  "is taken back if it fails with traffic, and what the version before had cached is purged": {
    did: `${TRIED}, ${SHARES}, ${MOVED}, ${BACK}, ${PURGED}`,
    given: failing,
    says: "Going back to version v1.\n",
    error: `${FAILED} ${IS_BACK}`,
  },
  "moves at once past a change of exports": {
    did: `${UPLOAD}, ${ALL}`,
    given: () => refuse(/^POST .*\/deployments$/, 100_405),
    says: /cannot split traffic between versions whose secrets or exports differ: it moves at once\./,
  },
  "moves at once across a change of secrets, and is taken back across it, with the old secrets": {
    did: `${UPLOAD}, ${MOVED}, try <v1>, rollback v1, ${PURGED}`,
    given: () => [failing(), set({ PURGE_SECRET: `${PURGE_SECRET}-2` })],
    says: /cannot split traffic between versions whose secrets or exports differ: it moves.*\n.*Secrets have changed since: /s,
    error: `${FAILED} ${IS_BACK}`,
  },
  "is not taken back where the secrets of before do not work any more": {
    did: `${UPLOAD}, ${MOVED}, try <v1>`,
    given: forgetful,
    error: `${FAILED} And the way back FAILED: ${ADVICE} By hand: npm run rollback -- v1`,
    traffic: "v2",
  },
  "says how to take it back by hand where that fails": {
    did: `${UPLOAD}, versions deploy v2@100%, try ${ELSEWHERE}`,
    given: () => [refuse(/^POST .*\/deployments$/, 10_099, 1), set({ PRODUCTION_URL: ELSEWHERE })],
    args: AT_ONCE,
    says: "  FAILED   is up: the status is 404, not 200, and the response is not from the Worker\n",
    error:
      "And the way back FAILED: wrangler versions deploy v1@100% failed with the API's code 10099; what it said stands above. By hand: npm run rollback -- v1",
    traffic: "v2",
  },
  "says that the version before fails, too, once it is back": {
    did: `${TRIED}, ${SHARES}, ${MOVED}, ${BACK}, ${PURGED}`,
    given: () => failing().deployed.faults.set(version(0).id, failsWithTraffic),
    error: `${FAILED} ${IS_BACK} But: ${FAILED}`,
  },
  "goes on where purges are refused": {
    did: `${TRIED.replace(/, try [^,]*$/, "")}, ${SHARES}, ${ALL}`,
    given: platform("purges refused"),
    says: "Not tried whether a purge reaches both versions: <production> refused POST /ops/purge (429): The platform takes no more purges for now.\n",
  },
  "is taken back where too many of its responses fail": {
    did: `${TRIED}, ${SHARE}, ${PAUSE}, ${BACK}, ${PURGED}`,
    given: () => Object.assign(world.account.counted, { requests: 100, errors: 2 }),
    error: `The new version fails too often: 2.0 % of 100 requests failed with 5xx. ${IS_BACK}`,
  },
  "goes on where nobody can count its responses": {
    did: `${TRIED}, ${SHARES}, ${ALL}`,
    given: () => refuse(/sql$/, 10_000),
    says: /Errors are not counted: https:.* refused POST \S*sql \(400\)/,
  },
  "goes on where the account is not known": {
    did: `${TRIED}, ${SHARES.replaceAll(", count errors", "")}, ${ALL}`,
    given: () => set({ CLOUDFLARE_ACCOUNT_ID: "" }),
    says: "_ID is not set: errors are not counted.\n",
  },
  "does not pass where the edge responds with the version before for more requests than a smoke test makes": {
    did: `${UPLOAD}, ${MOVED}, ${BACK}, ${PURGED}, feed purges everything, try <production>`,
    given: () => Object.assign(failing().account, { lag: 40 }),
    args: [...AT_ONCE, "--wait", "60"],
    says: "FAILED   shows its document and its reference: the status is 500, not 200: Something went wrong (data.code",
    error: `${FAILED} ${IS_BACK}`,
    // The smoke test's pauses give the feed time for the second.
    left: [],
  },
  "passes Cloudflare Access": {
    did: `${UPLOAD}, ${ALL}`,
    given: () => [guarded(), set(SERVICE_TOKEN)],
    args: AT_ONCE,
  },
  "sends the service token to no URL that is not a version's": {
    did: "versions upload, try https://v2-process-api.example.com",
    given: () => [world.moveAway(), set(SERVICE_TOKEN)],
    error: `failed 15 of 15 checks. ${NOTHING_CHANGED}`,
  },
  "tells Cloudflare Access from a Worker that fails": {
    did: "versions upload, try <v2>",
    given: guarded,
    args: ["--wait", "60"],
    error: `<v2> is behind Cloudflare Access: set CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET to a service token that a policy with the action Service Auth lets in. ${NOTHING_CHANGED}`,
  },
  "is tried at its custom domain": {
    did: `${UPLOAD}, ${ALL}`.replaceAll("<production>", `https://${DOMAIN}`),
    given: () => haveDomain("process-api"),
    args: AT_ONCE,
  },
};

/** Each assumption about the platform, broken: what is said of it, and how far the release comes. */
const BROKEN: Record<string, Release> = {
  "there is no cache": {
    did: "versions upload, try <v2>",
    given: platform("no cache"),
    says: 'responds from the cache: cache-status is "", which is not /^process-api; hit/. Workers Caching is not active in front of the Api. To release without it, at one query per request, set EDGE_FRESH_SECONDS = "0" under [vars] in wrangler.toml.\n',
    error: `<v2> failed 3 of 15 checks. ${NOTHING_CHANGED}`,
  },
  "the cache takes no account of keys": {
    did: "versions upload, try <v2>, purge <v2>, try <v2>",
    given: platform("cached for every key"),
    says: 'the key that it was made for: the status is 200, not 401, and the response is not from the Worker. Set EDGE_FRESH_SECONDS = "0" under [vars] in wrangler.toml and release again: nothing is cached then.\n',
    error: `<v2> failed 1 of 15 checks. ${NOTHING_CHANGED}`,
  },
  "a purge reaches only its own props": {
    did: "versions upload, try <v2>, purge <v2>, try <v2>",
    given: platform("purges of own props alone"),
    says: 'drops purged responses: the purged response is still cached after 10 s. Set EDGE_FRESH_SECONDS = "30" under [vars] in wrangler.toml and release again: responses are cached for only 30 seconds then.\n',
    error: `<v2> failed 1 of 15 checks. ${NOTHING_CHANGED}`,
  },
  "a purge reaches only its own version": {
    did: `${TRIED}, ${BACK}, try <production>`,
    given: platform("purges of own version alone"),
    error: `A purge by one version does not reach what the other has cached, so changes would show late while both have traffic. Move the traffic at once: npm run deploy -- --at-once. (the purged response is still cached after 10 s) ${IS_BACK}`,
  },
  "a purge by the feed reaches only its own props": {
    did: `${UPLOAD}, ${ALL}, ${BACK}, ${PURGED}`,
    given: platform("feed's purges of own props alone"),
    args: AT_ONCE,
    error: `The feed purged and Cloudflare accepted it, but the cached response is still served. Set EDGE_FRESH_SECONDS = "30" under [vars] in wrangler.toml and release again: responses are cached for only 30 seconds then. (the purged response is still cached after 10 s) ${IS_BACK}`,
  },
  "the feed's purges are refused": {
    did: `${UPLOAD}, ${MOVED}, triggers deploy, wait 75 s, try <production>, ${BACK}, wait 75 s, try <production>`,
    given: platform("feed's purges refused"),
    args: AT_ONCE,
    says: "Waiting up to 30 s for the feed to purge the smoke test's key.\n",
    error: `The feed runs, but its purges do not go through: look for purge_refused and no_cache in the Worker's log, and for others who use the account's purge quota. Until they do, responses are cached for only 30 seconds. ${IS_BACK}`,
    left: ["key", "everything", "everything"],
  },
  "the feed runs, but is late": {
    did: `${UPLOAD}, ${MOVED}, triggers deploy, wait 75 s, ${BACK}, wait 75 s, try <production>`,
    given: platform("feed late"),
    args: AT_ONCE,
    error: `The feed runs, but its purges do not go through: look for purge_refused and no_cache in the Worker's log, and for others who use the account's purge quota. Until they do, responses are cached for only 30 seconds. ${IS_BACK}`,
    left: ["everything", "everything"],
  },
  "cron never runs": {
    did: `${UPLOAD}, ${MOVED}, triggers deploy, wait 75 s, ${BACK}, wait 75 s, try <production>`,
    // It did once.
    given: () => Object.assign(world, { hasCron: false }).query("update feed set healthy_at = now() - interval '30 s'"),
    args: [...AT_ONCE, "--wait", "1"],
    says: "Waiting up to 15 s for the feed: a new cron trigger takes up to 15 minutes.\n",
    error: `The feed is not running: check that the Worker has its cron trigger, and that its runs do not fail. Until it runs, responses are cached for only 30 seconds. To release without a feed, set crons = [] in wrangler.toml. ${IS_BACK}`,
    left: ["everything", "everything"],
  },
  "no version can be chosen at 0 % of the traffic": {
    did: `${UPLOAD}, ${NONE}, ${BACK}, try <production>`,
    given: () => Object.assign(world, { hasOverrides: false }),
    says: /FAILED {3}is the version that was deployed, and no other: the version is "v1", not "v2"/,
    error: `<production> failed 2 of 15 checks. ${NOT_CHOSEN} ${IS_BACK}`,
  },
  "Neon lets nobody in": {
    did: "versions upload, try <v2>",
    given: () => world.deployed.revoked.add(world.env.DATABASE_URL),
    says: /unavailable \(data\.code [\w-]+\)\n/,
    error: `<v2> failed 11 of 15 checks. ${NOTHING_CHANGED}`,
  },
};
const WITHOUT_PURGES = `versions upload, try <v2>, ${MOVED}, triggers deploy`;
/** What its advice makes of it. */
const MENDED: Record<string, Release> = {
  "there is no cache, and none is asked for": {
    did: WITHOUT_PURGES,
    given: () => [platform("no cache")(), configured(WITHOUT_CACHE)],
    args: AT_ONCE,
  },
  "a purge reaches only its own props, and nothing is cached for long": {
    did: WITHOUT_PURGES,
    given: () => [
      platform("purges of own props alone")(),
      configured(["[cache]", '[vars]\nEDGE_FRESH_SECONDS = "30"\n[cache]']),
    ],
    args: AT_ONCE,
  },
  "cron never runs, and none is asked for": {
    did: WITHOUT_PURGES,
    given: () => [Object.assign(world, { hasCron: false }), configured(WITHOUT_CRON)],
    args: AT_ONCE,
  },
};

async function expectRelease({ did, given, args, says = "", error, traffic, left = ["everything"] }: Release) {
  await given?.();
  const beganAt = world.now;
  const { exitCode, stdout, stderr } = await run(args);
  expect(world.did.join(", ")).toBe(did);
  const expected = error === undefined ? [0, "", "v2"] : [1, "", traffic ?? "v1"];
  expect([exitCode, stdout, world.traffic]).toStrictEqual(expected);
  expect(world.named(stderr)).toMatch(says);
  if (error !== undefined) expect(lastLine(stderr)?.slice(-error.length)).toBe(error);
  expect(world.strayTokens).toStrictEqual([]);
  // Who is not let in is not asked again and again.
  if (world.isGuarded && error !== undefined) expect(world.now).toBe(beganAt);
  const changes = (await world.query("select kind from changes order by id")).map(({ kind }) => kind);
  expect(changes).toStrictEqual(did.includes(`feed purges everything`) || left.length > 1 ? left : []);
}

describe("a release", () => {
  test.for(Object.entries(RELEASES))("%s", ([_, release]) => expectRelease(release));
  test.for(Object.entries(BROKEN))("fails with advice where %s", ([_, release]) => expectRelease(release));
  test.for(Object.entries(MENDED))("is made where %s", ([_, release]) => expectRelease(release));

  test("passes all checks each time, and has its errors counted since it got traffic", async () => {
    const beganAt = Math.floor(world.now / 1_000);
    expect((await run()).stderr.match(/ passed /g)).toHaveLength(15 + 4 * 14);
    const [first, second] = world.account.requests.filter(({ what }) => what.endsWith("/sql"));
    expect(JSON.stringify(first?.body)).toContain(`toDateTime(${beganAt}) AND blob6 = '${version(-1).id}'`);
    expect(JSON.stringify(second?.body)).toContain(`toDateTime(${beganAt + 300}) AND`);
    const asked: string[] = [];
    world.code = ({ url }) => asked.push(url) === 0;
    expect((await run(AT_ONCE)).stderr.match(/ passed /g)).toHaveLength(15 + 14);
    // Whether it is up, three times which version it is, and once more in the end.
    expect(asked.filter((url) => url === `${urlOf()}/health`)).toHaveLength(5);
  });

  test("is not taken back for one request that fails while its feed is tried", async () => {
    let failures = 0;
    const beganAt = world.now;
    world.code = ({ url }) => world.now >= beganAt + 75_000 && /processes\/[^/]*$/.test(url) && ++failures === 1;
    expect([(await run([...AT_ONCE, "--wait", "5"])).exitCode, failures > 1]).toStrictEqual([0, true]);
  });

  test("brings the purge secret before along while it is rotated, and ends that with the next release", async () => {
    const PURGE_SECRET_PREVIOUS = "the-purge-secret-of-production-before";
    await run([], { PURGE_SECRET_PREVIOUS });
    expect(secretsOf(version(-1))).toMatchObject({ PURGE_SECRET, PURGE_SECRET_PREVIOUS });
    await run();
    // A secret that is not sent would be inherited.
    expect(secretsOf(version(-1))).toMatchObject({ PURGE_SECRET, PURGE_SECRET_PREVIOUS: PURGE_SECRET });
  });

  test("reads from the environment what its help names, and nothing else", async () => {
    await run([], { PRODUCTION_URL: urlOf() });
    const { stdout } = await run(["--help"]);
    // GitHub's own, and the seam of the test with the real wrangler.
    const names = [...(stdout.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? []), "GITHUB_ACTIONS", "CLOUDFLARE_API_BASE_URL"];
    expect([...world.read].sort()).toStrictEqual([...new Set(names)].sort());
  });
});
