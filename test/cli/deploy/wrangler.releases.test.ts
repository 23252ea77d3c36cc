// One release that is taken back and one preview with the real wrangler, against stand-ins for Cloudflare's API and its edge:
// which requests wrangler makes, what it tells the commands, and that what it has uploaded runs.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { runWrangler } from "../../../src/cli/deploy/wrangler.ts";
import deploy from "../../../src/cli/deploy.ts";
import preview from "../../../src/cli/preview.ts";
import rollback from "../../../src/cli/rollback.ts";
import { startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { checkOut } from "../../stand-ins/checkout.ts";
import { type Account, PREVIEWS, refusal, SCRIPT, secretsOf, urlOf, type Version } from "../../stand-ins/cloudflare.ts";
import { Workerd } from "../../stand-ins/workerd.ts";
import { DATABASE, PURGE_SECRET, SECRETS, World } from "../../stand-ins/world.ts";

const home = mkdtempSync(join(tmpdir(), "process-api-releases-"));
/** Where wrangler's secrets are for a while. */
const temporary = join(home, "tmp");
const { root } = checkOut(join(home, "checkout"));
const neon = await startNeonEndpoint({ connectionString: DATABASE });
const workerd = new Workerd(neon.url);
const world = new World();
const api = serveApi();

beforeAll(async () => {
  mkdirSync(temporary);
  vi.stubEnv("TMPDIR", temporary);
  // What an operator may have changed is not what is tested here.
  edit("wrangler.toml", /^(?:routes = .*|\[vars\]\n(?:.+\n)*)/m, "");
  edit("wrangler.toml", /^workers_dev = .*/m, "workers_dev = true");
  edit("wrangler.toml", /^crons = .*/m, 'crons = ["* * * * *"]');
  // No test changes the documentation, which takes seconds to build before each upload.
  edit("wrangler.toml", 'command = "', 'command = "test -d dist/assets || ');
  git("init", "--quiet");
  git("commit", "--quiet", "--allow-empty", "--message", "A commit");
  await world.remove();
  Object.assign(world, { project: root, wrangler: runWrangler, runFeed });
  world.serve = (version, request) => workerd.serve(version, request);
  await once(api.listen(0, "127.0.0.1"), "listening");
  Object.assign(world.env, {
    PATH: process.env.PATH,
    HOME: home,
    TMPDIR: temporary,
    NODE_COMPILE_CACHE: join(home, "compiled"),
    CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_WRITE_LOGS: "false",
  });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  api.close();
  api.closeAllConnections();
  await workerd.close();
  await neon.close();
  rmSync(home, { recursive: true });
});

let fedBy: Version | undefined;
/** The version with the traffic has the feed. It takes real time. */
async function runFeed(): Promise<void> {
  const [{ version_id } = { version_id: "" }] = world.account.deployments[0]?.versions ?? [];
  const version = world.account.versions.find(({ id }) => id === version_id);
  if (version === undefined) return;
  if (fedBy !== version) {
    fedBy = version;
    await workerd.close(version.id);
    await world.query("update feed set leased_until = null, healthy_at = null");
    await workerd.runScheduled(version);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}

/** Cloudflare's API over HTTP. */
function serveApi(): Server {
  return createServer(async (incoming, response) => {
    const { method = "GET", url } = incoming;
    const headers = new Headers(incoming.headers as Record<string, string>);
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const body = method === "GET" ? null : await buffer(incoming);
    const request = new Request(`http://localhost${url}`, { method, headers, body, signal: gone.signal });
    const answer = await world.account.fetch(request);
    response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
  });
}

function git(...args: string[]): string {
  const identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
  return execFileSync("git", [...identity, ...args], { cwd: root, encoding: "utf8" }).trim();
}
/** Changes a file of the checkout. */
function edit(file: string, from: string | RegExp, to: string): void {
  const content = readFileSync(join(root, file), "utf8");
  if (typeof from === "string") expect(content).toContain(from);
  writeFileSync(join(root, file), content.replace(from, to));
}

/** The requests to Cloudflare that change something. */
const changes = () => world.account.requests.map(({ what }) => what).filter((what) => !/^GET|assets|sql$/.test(what));
const leftovers = () => globSync(join(temporary, "process-api-wrangler-*"));
const namespacesOf = ({ bindings }: Version) => bindings.flatMap(({ namespace_id }) => namespace_id ?? []).sort();
const { limits } = readConfig({ config: "wrangler.toml" });
const EXPORTS = { default: { cache: { enabled: false } }, Api: { cache: { enabled: true } } };
const NO_READER = { SMOKE_TOKEN: "", SMOKE_APPLICATION: "", SMOKE_PROCESS: "" };

test("a first release runs with the secrets, rate limits and settings of its upload, and passes the smoke test", async () => {
  const { exitCode, stderr } = await world.run(deploy, ["--wait", "1"], NO_READER);
  expect(exitCode, stderr).toBe(0);
  expect([world.did, world.traffic]).toStrictEqual([["try <production>", "wait 75 s"], "v1"]);
  expect(changes()).toStrictEqual([`PUT ${SCRIPT}`, `POST ${SCRIPT}/subdomain`, `PUT ${SCRIPT}/schedules`]);
  const [version] = world.account.versions as [Version];
  const { DATABASE_URL } = world.env;
  expect(secretsOf(version)).toStrictEqual({ DATABASE_URL, PURGE_SECRET, PURGE_SECRET_PREVIOUS: PURGE_SECRET });
  expect(namespacesOf(version)).toStrictEqual(["3001", "3002", "3003", "3004"]);
  expect(version.metadata).toMatchObject({
    cache_options: { enabled: true },
    exports: EXPORTS,
    ...(limits && { limits }),
    annotations: { "workers/message": "A commit", "workers/tag": git("rev-parse", "--short=10", "HEAD") },
    // A secret that is not sent is the one of the version before.
    keep_bindings: expect.arrayContaining(["secret_text"]),
  });
  expect(version.metadata).not.toHaveProperty("placement");
  const types = ["index.js application/javascript+module", "index.js.map application/source-map"];
  expect(version.modules.map(({ name, type }) => `${name} ${type}`)).toStrictEqual(types);
});

test("a second release is tried without traffic, and its feed purges what has changed", async () => {
  world.forget();
  const { exitCode, stderr } = await world.run(deploy, ["--wait", "1", "--at-once"]);
  const tried = "try <v2>, purge <v2>, try <v2>, try <production>";
  expect(world.did.join(", "), stderr).toBe(`${tried}, wait 75 s, try <production>`);
  expect([exitCode, world.traffic]).toStrictEqual([0, "v2"]);
});

test("a release in steps is tried at each, and taken back past a change of secrets", async () => {
  world.forget();
  // A fault that shows only once the version has all of the traffic.
  const isSeen =
    "/\\/process-api\\..*docs$/.test(request.url) && !request.headers.has('cloudflare-workers-version-overrides')";
  edit("src/worker/gateway/docs.ts", "{\n  const { ok,", `{\n  if (${isSeen}) throw new Error();\n  const { ok,`);
  world.account.refuse(/^POST .*\/deployments$/, refusal(400, 10_220, "Secrets have changed"), 4);
  const { exitCode, stderr } = await world.run(deploy, ["--wait", "0"]);
  const reach = "try <production> as v2, try <production> as v3, purge <production> as v3, try <production> as v2";
  const step = "try <production> as v3, wait 300 s, count errors";
  const did = `try <v3>, purge <v3>, try <v3>, try <production> as v3, ${reach}, ${step}, ${step}, try <production>, try <v2>, wait 75 s, try <production>`;
  expect(world.did.join(", "), stderr).toBe(did);
  expect(stderr).toContain(
    "FAILED   shows its document and its reference: the status is 500, not 200: Something went wrong",
  );
  expect(stderr.split("\n").at(-2)).toMatch(/failed 1 of 15 checks\. Version \S+ has the traffic again\.$/);
  expect([exitCode, world.traffic]).toStrictEqual([1, "v2"]);
  const deployment = [`POST ${SCRIPT}/deployments`, `PATCH ${SCRIPT}/script-settings`];
  expect(changes()).toStrictEqual([
    `POST ${SCRIPT}/versions`,
    ...Array(4).fill(deployment).flat(),
    // Refused, and forced.
    ...Array(2).fill(`POST ${SCRIPT}/deployments`),
  ]);
  const asked = world.account.requests.filter(({ what }) => what === `POST ${SCRIPT}/deployments`);
  const shares = asked.flatMap(({ body }) =>
    (body as Account["deployments"][number]).versions.map((one) => `${one.version_id} ${one.percentage}`),
  );
  expect(shares.map((share) => world.named(share))).toStrictEqual([
    "v3 0",
    "v2 100",
    "v3 10",
    "v2 90",
    "v3 50",
    "v2 50",
    "v3 100",
    "v2 100",
    "v2 100",
  ]);
  const observability = { enabled: true, redact_query_string: true, issues: { enabled: true } };
  expect(world.account.settings).toMatchObject({ observability });
});

test("a rollback gives the version before the traffic, and has all that is cached purged", async () => {
  world.forget();
  await world.query("delete from changes");
  const { exitCode, stderr } = await world.run(rollback, ["--wait", "0"]);
  // Not v3, which was taken back.
  expect([exitCode, world.traffic, world.did], stderr).toStrictEqual([0, "v1", ["try <v1>", "wait 75 s"]]);
  expect(await world.query("select kind from changes where kind = 'everything'")).not.toStrictEqual([]);
});

test("a preview has its own rate limits and variables, none of production's, and its commit", async () => {
  world.forget();
  const { exitCode, stdout, stderr } = await world.run(preview, ["--name", "pr-1", "--wait", "0"], { CI: "true" });
  expect(exitCode, stderr).toBe(0);
  expect(world.did).toStrictEqual(["try <deployment>", "try <pr-1>"]);
  expect(JSON.parse(stdout)).toMatchObject({ preview_url: urlOf("pr-1"), is_new: true });
  expect(changes()).toStrictEqual([`POST ${PREVIEWS}`, `POST ${PREVIEWS}/pr-1/deployments`]);
  const { settings, ignoresBaseConfig, deployments } = world.account.preview("pr-1");
  expect(ignoresBaseConfig).toBe(true);
  expect(settings).toMatchObject({ observability: { enabled: true } });
  const [deployment] = deployments as [Version];
  expect(deployment.metadata).toMatchObject({
    exports: EXPORTS,
    cache: { enabled: true },
    annotations: { "workers/message": "A commit", "workers/tag": git("rev-parse", "--short=10", "HEAD") },
  });
  const { DATABASE_URL, ...others } = secretsOf(deployment);
  expect([DATABASE_URL, Object.keys(others)]).toStrictEqual([expect.stringMatching(/-pooler\./), ["PURGE_SECRET"]]);
  expect(namespacesOf(deployment)).toStrictEqual(["3101", "3102", "3103", "3104"]);
  expect(deployment.bindings).toContainEqual({ name: "DATABASE_DEADLINE_MS", type: "plain_text", text: "10000" });
});

test("secrets do not stay when a signal ends the command, and neither does wrangler", async () => {
  const { promise: held, resolve: reached } = Promise.withResolvers<Request | undefined>();
  world.account.intercept(/^POST .*\/versions$/, (request) => {
    reached(request);
    return new Promise(() => {});
  });
  const child = spawn(process.execPath, ["src/cli/deploy.ts"], { cwd: root, env: world.env, stdio: "ignore" });
  const signal = (await held)?.signal;
  const [folder = ""] = leftovers();
  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
  expect([modeOf(folder), modeOf(`${folder}/secrets.json`)]).toStrictEqual(["700", "600"]);
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toStrictEqual([null, "SIGTERM"]);
  expect(leftovers()).toStrictEqual([]);
  if (signal?.aborted === false) await once(signal, "abort");
});

test("in all of this no Worker logged a secret or asked for another host than Neon's, and no file was left", () => {
  expect(workerd.logs.length).toBeGreaterThan(0);
  expect(workerd.logs.filter((line) => SECRETS.test(line))).toStrictEqual([]);
  expect([workerd.strayHosts, leftovers()]).toStrictEqual([[], []]);
});
