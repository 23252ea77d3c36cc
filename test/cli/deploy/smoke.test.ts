// The deployments that the smoke test passes, and the faults that each of its checks is there to find.
import { describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../drizzle/seed.ts";
import { isVersionUrl } from "../../../src/cli/deploy/access.ts";
import smoke from "../../../src/cli/smoke.ts";
import { useApi } from "../../support/api.ts";
import { type CommandOptions, run } from "../../support/command.ts";
import { announceIn, checkOut } from "../command.ts";

/** What is different about responses: those of a path, to a method or with a status. */
interface Fault {
  of: string | number;
  status?: number;
  body?: string | ((text: string) => string);
  header?: [name: string, value: string];
  /** Whether it is there at this time, in milliseconds since the first request. */
  isThere?: (now: number, headers: Headers) => boolean;
}

const [{ token, applicationId, processId }] = SEED_PROCESSES;
const READER = { SMOKE_TOKEN: token, SMOKE_APPLICATION: applicationId, SMOKE_PROCESS: processId };
const PROCESS = `/v3/applications/${applicationId}/processes/${processId}`;

const api = useApi();

interface Options extends CommandOptions {
  /** null: none is given. */
  url?: string | null;
  args?: readonly string[];
}

/** Tries the Worker, with a clock that a pause moves. @returns what it said, and what became of each check */
async function tryIt({ of, isThere = () => true, ...fault }: Fault = { of: "" }, options: Options = {}) {
  const { url = api.url.origin, args = ["--expect-cache"], ...context } = options;
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
      const { status = response.status, body = text, header } = isFaulty ? fault : {};
      if (header !== undefined) headers.set(...header);
      const sent = typeof body === "string" ? body : body(text);
      return new Response(status === 304 ? null : sent, { status, headers });
    },
  });
  const [first, ...lines] = stdout.trimEnd().split("\n");
  const those = (word: string) => lines.flatMap((line) => (line.startsWith(`  ${word}`) ? [line.slice(11)] : []));
  const checks = { passed: those("passed").length, failed: those("FAILED"), skipped: those("skipped") };
  return { exitCode, first, stderr, ...checks };
}

describe("a deployment", () => {
  test("passes that does what it should, with a key of the environment or of the options", async () => {
    const outcome = { exitCode: 0, first: api.url.origin, stderr: "", passed: 12, failed: [], skipped: [] };
    expect(await tryIt()).toStrictEqual(outcome);
    const key = ["--token", token, "--application", applicationId, "--process", processId];
    expect(await tryIt(undefined, { args: ["--expect-cache", ...key], env: {} })).toStrictEqual(outcome);
  });

  test("is not tried for what needs a key without one, nor for a cache where none is expected", async () => {
    expect((await tryIt(undefined, { env: {} })).skipped).toHaveLength(6);
    const { skipped } = await tryIt(undefined, { args: [] });
    expect(skipped).toStrictEqual(["answers from the cache (no cache expected)"]);
  });

  const OF_PROCESS = "answers with the full details of a process";
  const FOR_CLIENTS = "lets clients keep an answer, but makes them ask";
  const [NO_KEY, UNKNOWN_KEY] = ["refuses who has no key", "refuses a key that nobody has"];
  const [OF_WRITE, OF_CACHE] = ["takes a write that is only tried", "answers from the cache"];
  const [DOCUMENT, IS_503] = ["/v3/openapi.json", "the status is 503, not 200"];
  const ONLY_ID = JSON.stringify({ id: processId });
  const PUBLIC: Fault["header"] = ["cache-control", "public"];
  const EMPTY = '{"openapi":"3.1.0","info":{"version":"3.0.0"},"paths":{}}';
  const older = (text: string) => text.replace('"openapi":"3.1.', '"openapi":"3.0.');
  const another = (text: string) => text.replace(processId, applicationId);
  const withDatabase = (_: number, headers: Headers) => headers.has("etag");
  const ofDatabase = [OF_PROCESS, FOR_CLIENTS, "says that nothing has changed", OF_CACHE, OF_WRITE];
  test.for<[fault: Fault, ...failed: string[]]>([
    [{ of: "/health", status: 503 }, `is up: ${IS_503}`],
    [{ of: "/health", body: '{"status":"ill"}' }, 'is up: status is "ill", not "ok"'],
    [{ of: DOCUMENT, body: "<html>" }, "describes itself: the body is not JSON"],
    [{ of: DOCUMENT, body: older }, 'describes itself: openapi is "3.0.0", which is not /^3\\.1\\./'],
    [{ of: DOCUMENT, body: EMPTY }, "describes itself: it has no paths"],
    [
      { of: "/docs", header: ["content-security-policy", "script-src *"] },
      "shows its documentation: content-security-policy is \"script-src *\", which is not /^default-src 'none';/",
    ],
    [
      { of: 401, header: ["www-authenticate", "no"] },
      `${NO_KEY}: www-authenticate is "no", which is not /^Bearer realm="[^"]+"$/`,
      `${UNKNOWN_KEY}: www-authenticate is "no", which is not /error="invalid_token"/`,
    ],
    [
      { of: 401, header: ["cache-control", "max-age=5"] },
      `${NO_KEY}: cache-control is "max-age=5", not "no-store"`,
      `${UNKNOWN_KEY}: cache-control is "max-age=5", not "no-store"`,
    ],
    [
      { of: "/v3/no-such-endpoint", body: '{"error":"not found"}' },
      "knows no endpoint that does not exist: the error breaks the contract: data must have required property",
    ],
    [{ of: PROCESS, status: 503, isThere: withDatabase }, ...ofDatabase.map((check) => `${check}: ${IS_503}`)],
    [{ of: PROCESS, body: ONLY_ID }, `${OF_PROCESS}: it breaks the contract: data must have required property`],
    [{ of: PROCESS, body: another }, `${OF_PROCESS}: id is "${applicationId}", not "${processId}"`],
    [{ of: PROCESS, header: PUBLIC }, `${FOR_CLIENTS}: cache-control is "public", not "private, no-cache"`],
    [{ of: 304, status: 200 }, "says that nothing has changed: the status is 200, not 304"],
    [{ of: "PATCH", status: 503 }, `${OF_WRITE}: ${IS_503}`],
    [{ of: "PATCH", header: ["etag", "another"] }, `${OF_WRITE}: its etag is "another", not `],
    [
      { of: PROCESS, header: ["cache-status", "process-api; fwd=miss; stored"] },
      `${OF_CACHE}: cache-status is "process-api; fwd=miss; stored", which is not /^process-api; hit/`,
    ],
  ])("fails with %j: $1", async ([fault, ...expected]) => {
    const { exitCode, failed, stderr } = await tryIt(fault);
    expect(failed).toStrictEqual(expected.map((words) => expect.stringContaining(words)));
    expect([exitCode, stderr]).toStrictEqual([1, `error: ${api.url.origin} failed ${expected.length} of 12 checks.\n`]);
  });

  test("fails with a key that may not read, and is not tried to write to with one that may only read", async () => {
    const withKey = (SMOKE_TOKEN: string) => tryIt(undefined, { env: { ...READER, SMOKE_TOKEN } });
    expect((await withKey(SEED_TOKENS.unpermitted)).failed[0]).toMatch(
      /^answers with .*: the status is 403, not 200: This API key does not permit this request\. \(data\.code [\w-]+\)$/,
    );
    const skipped = ["takes a write that is only tried (the key may not write)"];
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
  const outcome = () => tryIt(undefined, { url: null, args: [], root, env: {} });
  const stderr = "error: Nothing to try: give --url, or start `npm run dev`.\n";
  expect(await outcome()).toMatchObject({ exitCode: 2, stderr });
  announceIn(root, { url: api.url.origin });
  expect(await outcome()).toMatchObject({ exitCode: 0, passed: 12 });
});

test("what cannot be reached fails, and the reason is told", async () => {
  const outcome = await tryIt(undefined, { url: "http://127.0.0.1:2", args: [] });
  expect(outcome).toMatchObject({ exitCode: 1, stderr: "error: http://127.0.0.1:2 failed 11 of 12 checks.\n" });
  expect(outcome.failed[0]).toBe("is up: no answer, ECONNREFUSED");
});

test.for([
  ["--url is not the URL", { url: "http://api.example.com" }],
  ["--url is not the URL", { url: "nonsense" }],
  ["SMOKE_TOKEN (or --token) is no API key", { args: ["--process", processId] }],
  ["SMOKE_APPLICATION (or --application) is not an id", { args: ["--token", "svl_1"] }],
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
