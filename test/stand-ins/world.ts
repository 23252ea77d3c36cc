// All that a deployment touches, in this process: Cloudflare, its edge, Neon, and a clock that a pause moves.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import pg from "pg";
import { expect } from "vitest";
import type { Command } from "../../src/cli/support/program.ts";
import type { RunWrangler } from "../../src/node/context.ts";
import { run } from "../support/command.ts";
import { connectionString } from "../support/database.ts";
import type { Outcome } from "../support/outcome.ts";
import { ACCOUNT_ID, Account, API_TOKEN, labelOf, urlOf, type Version } from "./cloudflare.ts";
import { DeployedWorkers, type Fault, READER } from "./deployed.ts";
import { NEON_API_KEY, NEON_PASSWORD, NEON_PROJECT_ID, NeonProject } from "./neon.ts";
import { fakeWrangler } from "./wrangler.ts";

/** The run's database, for which nothing is to be migrated: a connection string. */
export const DATABASE: string = connectionString;
export const PURGE_SECRET = "the-purge-secret-of-production-and-no-other";
const { token: SMOKE_TOKEN, applicationId: SMOKE_APPLICATION, processId: SMOKE_PROCESS } = READER;
const CREDENTIALS = {
  ...{ CLOUDFLARE_API_TOKEN: API_TOKEN, CLOUDFLARE_ACCOUNT_ID: ACCOUNT_ID },
  ...{ NEON_API_KEY, NEON_PROJECT_ID },
  ...{ PURGE_SECRET, SMOKE_TOKEN, SMOKE_APPLICATION, SMOKE_PROCESS },
};
/** Of Cloudflare Access. */
export const SERVICE_TOKEN = { CF_ACCESS_CLIENT_ID: "an-id.access", CF_ACCESS_CLIENT_SECRET: "of-a-service-token" };
const TOKENS = [NEON_API_KEY, API_TOKEN, SMOKE_TOKEN, SERVICE_TOKEN.CF_ACCESS_CLIENT_SECRET];
/** What nobody may be shown, wherever it is said. */
export const SECRETS: RegExp = new RegExp([NEON_PASSWORD, PURGE_SECRET, ...TOKENS].join("|"));

export type Env = Record<string, string | undefined>;

export class World {
  readonly account: Account = new Account();
  readonly neon: NeonProject;
  readonly deployed: DeployedWorkers = new DeployedWorkers();
  /** What has been done, in words: changes by wrangler, what was tried at the edge, and pauses. */
  readonly did: string[] = [];
  /** What the code that is checked out fails at. */
  code: Fault = () => false;
  /** Whether Cloudflare Access guards the URLs of versions and previews. */
  isGuarded = false;
  /** Hosts that were sent a service token though Access does not guard them. */
  readonly strayTokens: string[] = [];
  /** Whether the header that chooses a version is heeded. */
  hasOverrides = true;
  /** Whether the cron trigger works. */
  hasCron = true;
  /** The folder that the commands work in. */
  project: string = mkdtempSync(join(tmpdir(), "process-api-world-"));
  readonly env: Env;
  /** The variables that commands have read. */
  readonly read: Set<string> = new Set();
  now: number = Date.now();
  wrangler: RunWrangler = fakeWrangler(this.account, (did) => {
    const all = [this.account.versions, ...[...this.account.previews.values()].map(({ deployments }) => deployments)];
    for (const { id } of all.flat()) if (!this.deployed.faults.has(id)) this.deployed.faults.set(id, this.code);
    this.#note(did);
  });

  readonly #database: string;

  constructor(database: string = DATABASE) {
    this.#database = database;
    this.neon = new NeonProject(database);
    const { direct, pooled } = this.neon.urls("main");
    this.env = { ...CREDENTIALS, MIGRATION_DATABASE_URL: direct, DATABASE_URL: pooled };
    this.configure((toml) => toml);
    symlinkSync(resolve("drizzle"), join(this.project, "drizzle"));
  }

  configure(change: (toml: string) => string): void {
    writeFileSync(join(this.project, "wrangler.toml"), change(readFileSync("test/stand-ins/wrangler.toml", "utf8")));
  }

  /** Makes a version that has the traffic. */
  async release(): Promise<void> {
    const { DATABASE_URL = "", PURGE_SECRET = "" } = this.env;
    await this.wrangler(["deploy"], { DATABASE_URL, PURGE_SECRET, PURGE_SECRET_PREVIOUS: PURGE_SECRET });
    await this.#forgetChanges();
    this.forget();
  }

  /** From now on wrangler tells URLs that are not below workers.dev. */
  moveAway(): void {
    const { wrangler } = this;
    const rename = (outcome: object) => JSON.parse(JSON.stringify(outcome).replaceAll("workers.dev", "com"));
    this.wrangler = (...run) => wrangler(...run).then(rename);
  }

  /** What was done so far does not matter. */
  forget(): void {
    for (const list of [this.did, this.account.requests, this.neon.requests]) list.length = 0;
  }

  /** Runs a command as somebody who has all credentials; undefined unsets a variable. No line of it may tell a secret. */
  async run(command: Command, args: readonly string[], change: Env = {}): Promise<Outcome> {
    const get = (env: Env, name: string) => this.read.add(name) && env[name];
    const outcome = await run(command, args, {
      env: new Proxy({ ...this.env, ...change }, { get }),
      root: this.project,
      fetch: this.fetch,
      now: () => this.now,
      sleep: async (ms) => {
        this.now += ms;
        if (ms >= 60_000) this.#note(`wait ${ms / 1_000} s`);
        if (this.hasCron) await this.runFeed();
      },
      wrangler: this.wrangler,
    });
    const lines = `${outcome.stdout}${outcome.stderr}`.split("\n").filter((line) => !line.startsWith("::add-mask::"));
    expect(lines.filter((line) => SECRETS.test(line))).toStrictEqual([]);
    return outcome;
  }

  /** Who has the traffic: `v2`, or `v2@10% v1@90%`. */
  get traffic(): string {
    const shares = this.account.deployments[0]?.versions ?? [];
    const all = shares.map(({ version_id, percentage }) => `${version_id}@${percentage}%`).join(" ");
    return this.named(all).replace("@100%", "");
  }

  /** Text in which versions are called by their number, and URLs by what they are of. */
  named(text: string): string {
    let named = text.replaceAll(/\bd\d{7}\b/g, "deployment");
    for (const [index, { id }] of this.account.versions.entries()) {
      for (const name of [id, labelOf(id)]) named = named.replaceAll(name, `v${index + 1}`);
    }
    return named
      .replaceAll(urlOf(), "<production>")
      .replaceAll(/https:\/\/([\w-]+)-process-api\.example\.workers\.dev/g, "<$1>");
  }

  async remove(): Promise<void> {
    rmSync(this.project, { recursive: true });
    await this.#forgetChanges();
  }

  /** Also of the seed, and of other tests. */
  async #forgetChanges(): Promise<void> {
    const forget = "delete from changes; update feed set healthy_at = null, leased_until = null";
    await this.query(`do $$ begin if to_regclass('public.feed') is not null then ${forget}; end if; end $$`);
  }

  /** Asks the database. */
  async query(text: string): Promise<{ kind: string }[]> {
    const client = new pg.Client({ connectionString: this.#database });
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** What a run of the feed does, whenever time passes. */
  async runFeed(): Promise<void> {
    const isLate = this.deployed.platform === "feed late";
    const healthyAt = isLate ? "null" : "now()";
    await this.query(`update feed set healthy_at = ${healthyAt}, leased_until = now() + interval '10 seconds'`);
    if (isLate) return;
    if (this.deployed.platform === "feed's purges refused") return;
    const changes = await this.query("delete from changes where kind in ('key', 'everything') returning kind");
    for (const { kind } of changes) this.#note(`feed purges ${kind}`);
    if (changes.length > 0) this.deployed.purge();
  }

  serve(version: Version, request: Request): Response | Promise<Response> {
    return this.deployed.respond(version, request);
  }

  /** The internet. */
  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const { origin, hostname, pathname } = new URL(request.url);
    if (hostname === "console.neon.tech") return this.neon.fetch(request);
    if (pathname.includes("/accounts/")) {
      if (pathname.endsWith("/sql")) this.#note("count errors");
      return this.account.fetch(request);
    }
    const header = (name: string) => request.headers.get(name);
    const override = /^process-api="(.*)"$/.exec(header("cloudflare-workers-version-overrides") ?? "")?.[1];
    const version = override === undefined ? "" : ` as ${override}`;
    this.#note(`${pathname === "/ops/purge" ? "purge" : "try"} ${origin}${version}`);
    const isGuarded = origin !== urlOf() && hostname.endsWith(".workers.dev");
    const token = `${header("cf-access-client-id")} ${header("cf-access-client-secret")}`;
    if (!isGuarded && token !== "null null") this.strayTokens.push(hostname);
    if (isGuarded && this.isGuarded && token !== Object.values(SERVICE_TOKEN).join(" ")) {
      return new Response(null, { status: 302, headers: { location: "https://example.cloudflareaccess.com/login" } });
    }
    const serving = this.account.serving(hostname, this.hasOverrides ? override : undefined);
    if (serving !== undefined) return compressed(await this.serve(serving, request));
    // All of workers.dev has DNS and a certificate; another name has not, as long as nothing is there.
    if (hostname.endsWith(".workers.dev")) return new Response("There is nothing here yet", { status: 404 });
    throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ENOTFOUND" } });
  };

  #note(did: string): void {
    const named = this.named(did);
    if (this.did.at(-1) !== named) this.did.push(named);
  }
}

/**
 * A response as Cloudflare hands it on to a client that accepts compressed ones, as Node's does: decoded, but with what
 * compression does to its headers. There is nothing to compress about a 304.
 *
 * @see https://developers.cloudflare.com/cache/reference/etag-headers/ (read 2026-11-30)
 */
function compressed(response: Response): Response {
  const { status, body } = response;
  if (status !== 200) return response;
  const headers = new Headers(response.headers);
  const tag = headers.get("etag");
  if (tag !== null) headers.set("etag", tag.replace(/^"/, 'W/"'));
  headers.set("content-encoding", "gzip");
  headers.append("vary", "Accept-Encoding");
  return new Response(body, { status, headers });
}
