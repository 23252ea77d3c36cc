// The deployments that the smoke test passes, and the faults that each of its checks is there to find.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../drizzle/seed.ts";
import { isVersionUrl } from "../../../src/cli/deploy/environment.ts";
import smoke from "../../../src/cli/smoke.ts";
import { PURGE_SECRET, useApi } from "../../support/api.ts";
import { type CommandOptions, run } from "../../support/command.ts";
import { announceIn, checkOut } from "../command.ts";

/** What is different about responses: those of a path, to a method or with a status. */
interface Fault {
  of: string | number;
  status?: number;
  body?: string | ((text: string) => string);
  header?: [name: string, value: string];
  change?: (headers: Headers, method: string) => void;
  /** Told of each request. */
  see?: (method: string, path: string) => unknown;
  /** Whether it is there at this time, in milliseconds since the first request. */
  isThere?: (now: number, headers: Headers) => boolean;
}

const [{ token, applicationId, processId }] = SEED_PROCESSES;
const READER = { SMOKE_TOKEN: token, SMOKE_APPLICATION: applicationId, SMOKE_PROCESS: processId, PURGE_SECRET };
const PROCESS = `/v3/applications/${applicationId}/processes/${processId}`;

const OF_DOCUMENT = "shows its document and its reference";
const OF_READS = "responds to every read that it describes";
const OF_PROCESS = "responds with the full details of a process";
const FOR_CLIENTS = "lets clients store a response, but makes them revalidate";
const [OF_304, OF_HEAD] = ["says that nothing has changed", "responds to HEAD as to GET, without a body"];
const REFUSES = "refuses a request without a key, and with an unknown one";
const [OF_WRITE, OF_CACHE] = ["accepts a dry-run write", "responds from the cache"];
const OF_KEY = "serves a cached response only to the key that it was made for";
const OF_PURGE = "drops purged responses";
const [DOCUMENT, IS_503] = ["/v3/openapi.full.json", "the status is 503, not 200"];
const URL_OF_API = "<origin>";

const api = useApi();

interface Options extends CommandOptions {
  /** null: none is given. */
  url?: string | null;
  args?: readonly string[];
}

/** Tries the Worker, with a clock that a pause moves. @returns what it said, and what became of each check */
async function tryIt({ of, isThere = () => true, ...fault }: Fault = { of: "" }, options: Options = {}) {
  const { url = api.url.origin, args = [], ...context } = options;
  let now = 0;
  const { exitCode, stdout, stderr } = await run(smoke, [...(url === null ? [] : ["--url", url]), ...args], {
    env: READER,
    ...context,
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
    fetch: async (input, init) => {
      // The key would go wherever a redirect leads.
      expect(init?.redirect).toBe("manual");
      const response = await fetch(input, init);
      const request = new Request(input, init);
      const headers = new Headers(response.headers);
      const text = await response.text();
      const isFaulty =
        [new URL(request.url).pathname, request.method, response.status].includes(of) && isThere(now, headers);
      fault.see?.(request.method, new URL(request.url).pathname);
      const { status = response.status, body = text, header, change } = isFaulty ? fault : {};
      if (header !== undefined) headers.set(...header);
      change?.(headers, request.method);
      const sent = typeof body === "string" ? body : body(text);
      return new Response(status === 304 ? null : sent, { status, headers });
    },
  });
  const [first, ...lines] = stdout.trimEnd().split("\n");
  const those = (word: string) => lines.flatMap((line) => (line.startsWith(`  ${word}`) ? [line.slice(11)] : []));
  const checks = { passed: those("passed").length, failed: those("FAILED"), skipped: those("skipped") };
  return { exitCode, first, stderr, ...checks };
}

/** There is nothing to compress about a HEAD. */
function weaken(headers: Headers, method: string): void {
  const tag = headers.get("etag");
  if (tag !== null && method !== "HEAD") headers.set("etag", `W/${tag}`);
  headers.append("vary", "Accept-Encoding");
}

/** What was a miss passes by the cache. */
const HIT_OR_STALE = (headers: Headers) => String(headers.get("cache-status")).replace(/fwd=miss.*/, "fwd=stale");

describe("a deployment", () => {
  test("passes that does what it should", async () => {
    const outcome = { exitCode: 0, first: api.url.origin, stderr: "", passed: 13, failed: [], skipped: [] };
    expect(await tryIt()).toStrictEqual(outcome);
  });

  test("passes behind an edge that compresses, which makes its ETags weak and adds to Vary", async () => {
    const compress: Fault = { of: 200, change: weaken };
    expect(await tryIt(compress)).toMatchObject({ exitCode: 0, passed: 13 });
  });

  test("is not tried for what needs a key without one, nor for a cache where none is expected, nor written to if asked", async () => {
    expect((await tryIt(undefined, { env: {} })).skipped).toHaveLength(10);
    const root = checkOut();
    const uncached = readFileSync("test/stand-ins/wrangler.toml", "utf8").replace(
      "[cache]",
      '[vars]\nEDGE_FRESH_SECONDS = "0"\n[cache]',
    );
    writeFileSync(join(root, "wrangler.toml"), uncached);
    const { skipped } = await tryIt(undefined, { root });
    expect(skipped).toStrictEqual([
      `${OF_CACHE} (no cache expected)`,
      `${OF_KEY} (no cache expected)`,
      `${OF_PURGE} (PURGE_SECRET not given, or nothing is cached for long)`,
    ]);
    const asked: string[] = [];
    const readOnly = await tryIt(
      { of: "", see: (method, path) => asked.push(`${method} ${path}`) },
      { args: ["--read-only"] },
    );
    expect(readOnly.skipped).toStrictEqual([`${OF_PURGE} (--read-only)`, `${OF_WRITE} (--read-only)`]);
    expect(asked.filter((what) => /^(?:PATCH|POST|DELETE)/.test(what))).toStrictEqual([]);
  });

  const ONLY_ID = JSON.stringify({ id: processId });
  const PUBLIC: Fault["header"] = ["cache-control", "public"];
  const EMPTY = '{"openapi":"3.1.0","info":{"version":"3.0.0"}}';
  const older = (text: string) => text.replace('"openapi":"3.1.', '"openapi":"3.0.');
  const another = (text: string) => text.replace(processId, applicationId);
  const withDatabase = (_: number, headers: Headers) => headers.has("etag");
  const ofDatabase = [OF_READS, OF_PROCESS, FOR_CLIENTS, OF_304, OF_HEAD, OF_CACHE, OF_KEY, OF_PURGE, OF_WRITE];
  const ADVICE =
    'Set EDGE_FRESH_SECONDS = "0" under [vars] in wrangler.toml and release again: nothing is cached then.';
  test.for<[fault: Fault, ...failed: string[]]>([
    [{ of: "/health", status: 503 }, `is up: ${IS_503}`],
    [{ of: "/health", body: '{"status":"ill"}' }, 'is up: status is "ill", not "ok"'],
    [{ of: DOCUMENT, body: older }, `${OF_DOCUMENT}: openapi is "3.0.0", which is not /^3\\.1\\./`],
    [{ of: DOCUMENT, body: EMPTY }, `${OF_DOCUMENT}: it has no paths`, `${OF_READS}: it has no paths`],
    [{ of: DOCUMENT, body: "<html>" }, `${OF_DOCUMENT}: it has no paths`, `${OF_READS}: it has no paths`],
    [{ of: DOCUMENT, status: 503 }, `${OF_DOCUMENT}: ${IS_503}`, `${OF_READS}: ${IS_503}`],
    [
      { of: "/docs", header: ["content-security-policy", "script-src *"] },
      `${OF_DOCUMENT}: content-security-policy is "script-src *", which is not /^default-src 'none';/`,
    ],
    [
      { of: 401, header: ["www-authenticate", "no"] },
      `${REFUSES}: www-authenticate is "no", which is not /^Bearer realm="[^"]+"$/`,
    ],
    [
      { of: 401, header: ["cache-control", "max-age=5"] },
      `${REFUSES}: cache-control is "max-age=5", not "no-store"`,
      `${OF_KEY}: cache-control is "max-age=5", not "no-store". ${ADVICE}`,
    ],
    [
      {
        of: PROCESS,
        status: 200,
        isThere: (_, headers) => /realm="[^"]+"$/.test(headers.get("www-authenticate") ?? ""),
      },
      `${OF_KEY}: the status is 200, not 401`,
    ],
    [{ of: PROCESS, status: 503, isThere: withDatabase }, ...ofDatabase.map((check) => `${check}: `)],
    [{ of: `${PROCESS}/runs`, status: 418 }, `${OF_READS}: ${PROCESS}/runs: the status is 418, not 200`],
    [
      { of: PROCESS, body: ONLY_ID },
      `${OF_PROCESS}: the process breaks the contract: data must have required property`,
      `${OF_HEAD}: the body is "{`,
      `${OF_KEY}: the error breaks the contract: data must have required property`,
    ],
    [{ of: PROCESS, body: another }, `${OF_PROCESS}: id is "${applicationId}", not "${processId}"`],
    [{ of: PROCESS, header: PUBLIC }, `${FOR_CLIENTS}: cache-control is "public", not "private, no-cache"`, OF_KEY],
    [{ of: PROCESS, header: ["vary", "Origin"] }, `${FOR_CLIENTS}: vary is "Origin", which is not /`],
    [{ of: 304, status: 200 }, `${OF_304}: the status is 200, not 304`],
    [{ of: 304, header: ["etag", 'W/"another"'] }, `${OF_304}: etag is `],
    [{ of: "HEAD", header: ["etag", '"another"'] }, `${OF_HEAD}: etag is `],
    [{ of: "PATCH", status: 503 }, `${OF_WRITE}: ${IS_503}`],
    [{ of: "PATCH", header: ["etag", "another"] }, `${OF_WRITE}: its etag is "another", not `],
    [
      { of: PROCESS, header: ["cache-status", "process-api; fwd=miss; stored"] },
      ...[OF_CACHE, OF_KEY, OF_PURGE].map(
        (check) => `${check}: cache-status is "process-api; fwd=miss; stored", which is not /^process-api; hit/. `,
      ),
    ],
    [
      { of: PROCESS, header: ["cache-status", "process-api; hit"] },
      `${OF_PURGE}: the purged response is still cached after 10 s. Set EDGE_FRESH_SECONDS = "30"`,
    ],
    [{ of: "/ops/purge", status: 503 }, `${OF_PURGE}: ${URL_OF_API} refused POST /ops/purge (503)`],
  ])("fails with %j: $1", async ([fault, ...expected]) => {
    const { exitCode, failed, stderr } = await tryIt(fault);
    const words = (text: string) => expect.stringContaining(text.replace(URL_OF_API, api.url.origin));
    expect(failed).toStrictEqual(expected.map(words));
    expect([exitCode, stderr]).toStrictEqual([1, `error: ${api.url.origin} failed ${expected.length} of 13 checks.\n`]);
  });

  test("fails where the edge takes no account of keys, though the gateway notices, or where no purge works", async () => {
    await api.set({ CACHE_FAULT: "keys without props" });
    expect((await tryIt()).failed).toStrictEqual([`${OF_KEY}: the cache ignores the key. ${ADVICE}`]);
    await api.set({ CACHE_FAULT: "purges of own props alone" });
    expect((await tryIt()).failed).toStrictEqual([
      expect.stringMatching(`^${OF_PURGE}: the purged response is still cached`),
    ]);
    await api.set({ CACHE_FAULT: "no ctx.cache" });
    expect((await tryIt()).failed).toStrictEqual([
      expect.stringMatching(`^${OF_PURGE}: \\S* refused POST /ops/purge \\(503\\): The platform`),
    ]);
  });

  const refuse = (reason: string, message: string): Fault => ({
    of: "/ops/purge",
    status: 429,
    header: ["error-reason", reason],
    body: JSON.stringify({ message }),
  });
  const SPENT = "The platform takes no more purges.";
  const spent = refuse("purge_limited", SPENT);
  test("is not said to fail where others have spent the purges, unless it has failed before", async () => {
    expect((await tryIt(spent)).skipped).toStrictEqual([
      `${OF_PURGE} (${api.url.origin} refused POST /ops/purge (429): ${SPENT})`,
    ]);
    expect((await tryIt(refuse("rate_limited", "Too many requests."))).failed).toStrictEqual([
      expect.stringContaining(`${OF_PURGE}: ${api.url.origin} refused POST /ops/purge (429): Too many requests`),
    ]);
    await api.set({ CACHE_FAULT: "no ctx.cache" });
    const later = { ...spent, isThere: (now: number) => now >= 1_000 };
    const { failed } = await tryIt(later, { args: ["--wait", "2"] });
    expect(failed).toStrictEqual([expect.stringMatching(`^${OF_PURGE}: \\S* refused POST /ops/purge \\(503\\)`)]);
  });

  test("has not forgotten what it responds with past its cache", async () => {
    const stale: Fault = { of: PROCESS, change: (headers) => void headers.set("cache-status", HIT_OR_STALE(headers)) };
    expect((await tryIt(stale)).failed).toStrictEqual([
      expect.stringContaining(`${OF_PURGE}: the purged response is still`),
    ]);
  });

  test("fails with a key that may not read, and is not tried to write to with one that may only read", async () => {
    const withKey = (SMOKE_TOKEN: string) => tryIt(undefined, { env: { ...READER, SMOKE_TOKEN } });
    expect((await withKey(SEED_TOKENS.unpermitted)).failed[0]).toMatch(
      /^responds with .*: the status is 403, not 200: This API key lacks the permission APP:READ\. \(data\.code [\w-]+\)$/,
    );
    const skipped = [`${OF_WRITE} (the key may not write)`];
    expect(await withKey(SEED_TOKENS.rotatedNew)).toMatchObject({ failed: [], skipped });
  });

  test.for([
    [60, []],
    [59, [expect.stringMatching(/^is up: the status is 404, not 200/)]],
  ] as const)("is asked again each second while it fails, for %d s", async ([wait, failed]) => {
    const fault = { of: "/health", status: 404, isThere: (now: number) => now < 60_000 };
    expect(await tryIt(fault, { args: ["--wait", String(wait)] })).toMatchObject({ failed });
  });
});

test("a running `npm run dev` is tried with a key of the seed when nothing else is given", async () => {
  const root = checkOut();
  const outcome = () => tryIt(undefined, { url: null, root, env: {} });
  const stderr = "error: Nothing to try: give --url, or start `npm run dev`.\n";
  expect(await outcome()).toMatchObject({ exitCode: 2, stderr });
  announceIn(root, { url: api.url.origin, purgeSecret: PURGE_SECRET });
  expect(await outcome()).toMatchObject({ exitCode: 0, passed: 13 });
});

test("what cannot be reached fails, and the reason is told", async () => {
  const outcome = await tryIt(undefined, { url: "http://127.0.0.1:2" });
  expect(outcome).toMatchObject({ exitCode: 1, stderr: "error: http://127.0.0.1:2 failed 13 of 13 checks.\n" });
  expect(outcome.failed[0]).toBe("is up: no response, ECONNREFUSED");
});

test.for([
  ["--url is not the URL", { url: "http://api.example.com" }],
  ["--url is not the URL", { url: "nonsense" }],
  ["SMOKE_TOKEN must be an API key", { env: { SMOKE_PROCESS: processId } }],
  ["SMOKE_TOKEN must be an API key", { env: { SMOKE_TOKEN: "svl_1" } }],
] as const)("no key is sent where it does not belong: %s", async ([words, options]) => {
  const outcome = await tryIt(undefined, { env: {}, ...options });
  expect(outcome).toMatchObject({ exitCode: 2, first: "", stderr: expect.stringContaining(words) });
});

test.for([
  ["https://0a1b2c3d-process-api.example.workers.dev", true],
  ["https://pr-7-process-api.example.workers.dev/health", true],
  ["https://process-api.example.workers.dev", false],
  ["https://pr-7-another-api.example.workers.dev", false],
  ["https://pr-7-process-api.example.com", false],
  ["https://pr-7-process-api.workers.dev", false],
  ["https://pr-7-process-api.another.example.workers.dev", false],
  ["https://pr-7-process-api.example.workers.dev.example.com", false],
  ["http://pr-7-process-api.example.workers.dev", false],
] as const)("whether %s is sent the service token of Cloudflare Access: %s", ([url, isSent]) => {
  expect(isVersionUrl(url, "process-api")).toBe(isSent);
});
