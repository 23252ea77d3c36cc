// Who is given the traffic back by hand, and who is not.
import { beforeEach, expect, test } from "vitest";
import rollback from "../../../src/cli/rollback.ts";
import { PURGE_SECRET, World } from "../../stand-ins/world.ts";

let world: World;
beforeEach(async () => {
  world = new World();
  await world.release();
  return () => world.remove();
});

const idOf = (version: number) => String(world.account.versions[version - 1]?.id);
/** Releases once more, in steps: the version before it shares the traffic for a while. */
async function releaseNext({ DATABASE_URL = "", PURGE_SECRET = "" } = world.env): Promise<void> {
  await world.wrangler(["versions", "upload"], { DATABASE_URL, PURGE_SECRET });
  const [before, next] = world.account.versions.slice(-2).map(({ id }) => id);
  const isSplit = DATABASE_URL === world.env.DATABASE_URL;
  if (isSplit) await world.wrangler(["versions", "deploy", `${next}@10%`, `${before}@90%`, "--yes"], {});
  await world.wrangler(["versions", "deploy", `${next}@100%`, "--yes"], {});
  world.forget();
}
const WITH_TRAFFIC = (version: string) =>
  `Version ${version} has the traffic.\nQueued a purge of the whole cache. Queuing another in 75 s, when this version's feed has taken over.`;
/** The second is for the feed of the version that has the traffic now. */
const PURGED = "wait 75 s, feed purges everything";
const changes = async () => (await world.query("select kind from changes")).map(({ kind }) => kind);
/** @returns the exit code, what was done, who has the traffic, and the last lines, one or two */
async function outcomeOf(args: readonly string[] = [], env?: Record<string, string>) {
  const { exitCode, stderr } = await world.run(rollback, ["--wait", "0", ...args], env);
  return [
    exitCode,
    world.did.join(", "),
    world.traffic,
    world
      .named(stderr)
      .split("\n")
      .slice(exitCode === 0 ? -3 : -2, -1)
      .join("\n"),
  ];
}

test("gives the last version that had all of the traffic, or the one that is named, all of it again", async () => {
  await releaseNext();
  await releaseNext();
  expect(await outcomeOf()).toStrictEqual([0, `try <v2>, rollback v2, ${PURGED}`, "v2", WITH_TRAFFIC("v2")]);
  // No purge may have reached what it had cached since it lost the traffic.
  expect(await changes()).toStrictEqual(["everything"]);
  world.forget();
  expect(await outcomeOf([idOf(1)])).toStrictEqual([0, `try <v1>, rollback v1, ${PURGED}`, "v1", WITH_TRAFFIC("v1")]);
});

const BY_HAND =
  "The cache may hold outdated responses. As the owner of the schema, run this now and again in two minutes: insert into changes (kind) values ('everything')";
test.for([
  [":2/", "Not purged: the database cannot be reached, or was lost: ECONNREFUSED."],
  [undefined, "MIGRATION_DATABASE_URL is not set."],
] as const)("goes back also where the database is at %s, and says how to purge by hand", async ([port, words]) => {
  await releaseNext();
  const MIGRATION_DATABASE_URL =
    port === undefined ? "" : String(world.env.MIGRATION_DATABASE_URL).replace(/:\d+\//, port);
  const says = `error: ${words} ${BY_HAND}`;
  expect(await outcomeOf([], { MIGRATION_DATABASE_URL })).toStrictEqual([3, "try <v1>, rollback v1", "v1", says]);
});

test("goes back to no version that was taken back, or that is being tried or shares the traffic", async () => {
  const back = async () => (await outcomeOf())[2];
  await releaseNext();
  await world.wrangler(["versions", "upload"], { DATABASE_URL: String(world.env.DATABASE_URL), PURGE_SECRET });
  const share = (...shares: string[]) => world.wrangler(["versions", "deploy", ...shares, "--yes"], {});
  // v3 is tried with no traffic, and with some of it.
  await share(`${idOf(2)}@100%`, `${idOf(3)}@0%`);
  expect(await back()).toBe("v1");
  await share(`${idOf(2)}@100%`);
  await share(`${idOf(2)}@90%`, `${idOf(3)}@10%`);
  expect(await back()).toBe("v2");
  // A release of v3 that has failed, as it says.
  await share(`${idOf(3)}@100%`);
  await world.wrangler(["versions", "deploy", `${idOf(2)}@100%`, "--yes", "--message", "The smoke test failed."], {});
  expect(await back()).toBe("v1");
});

test("purges nothing where no feed would", async () => {
  await releaseNext();
  world.configure((toml) => toml.replace('crons = ["* * * * *"]', "crons = []"));
  const says = "No feed runs, so nothing is purged: what this version had cached may be served for up to an hour.";
  expect((await outcomeOf([], { MIGRATION_DATABASE_URL: "" })).slice(0, 2)).toStrictEqual([0, "try <v1>, rollback v1"]);
  expect((await outcomeOf([idOf(2)]))[3]).toContain(says);
  expect(await changes()).toStrictEqual([]);
});

test("works where the cache does not: it may be why", async () => {
  await releaseNext();
  world.deployed.platform = "no cache";
  expect((await outcomeOf())[0]).toBe(0);
});

test("gives none to a version that does not work with the secrets of its time", async () => {
  await releaseNext();
  await releaseNext({ ...world.env, DATABASE_URL: "postgres://worker:another@localhost/postgres" });
  world.deployed.revoked.add(world.env.DATABASE_URL);
  const advice =
    "error: Version v2 does not work with the secrets that it would bring back and the database of today: it gets no traffic. To run its code with today's secrets, check out its commit (npx wrangler versions view v2) and release that: npm run deploy.";
  expect(await outcomeOf()).toStrictEqual([1, "try <v2>", "v3", advice]);
  expect(await changes()).toStrictEqual([]);
});

test("uses the token of `wrangler login` where the environment has none", async () => {
  const outcome = [0, `try <v1>, rollback v1, ${PURGED}`, "v1", WITH_TRAFFIC("v1")];
  expect(await outcomeOf([idOf(1)], { CLOUDFLARE_API_TOKEN: "" })).toStrictEqual(outcome);
});

const REFUSED =
  "https://api.cloudflare.com refused GET /client/v4/accounts/0123456789abcdef0123456789abcdef/workers/workers/process-api (403): Authentication error [code: 10000]";
test.for([
  [1, "There is no version to go back to.", false, {}],
  [2, "MIGRATION_DATABASE_URL is not a Postgres URL.", true, { MIGRATION_DATABASE_URL: "https://example.com" }],
  [2, "CLOUDFLARE_ACCOUNT_ID is not set.", true, { CLOUDFLARE_ACCOUNT_ID: "" }],
  [2, "CLOUDFLARE_API_BASE_URL is no https:// URL.", true, { CLOUDFLARE_API_BASE_URL: "http://example.com" }],
  [1, REFUSED, true, { CLOUDFLARE_API_TOKEN: "wrong" }],
] as const)("with exit code %d says: %s", async ([exitCode, words, isNamed, env]) => {
  expect(await outcomeOf(isNamed ? [idOf(1)] : [], env)).toStrictEqual([exitCode, "", "v1", `error: ${words}`]);
});
