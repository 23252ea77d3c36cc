// The deployments that the smoke test passes, and the faults that each of its checks is there to find.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../drizzle/seed.ts";
import { type SmokeTarget, smoke } from "../../../src/cli/deploy/smoke.ts";
import { checkOut } from "../../stand-ins/checkout.ts";
import { run } from "../../stand-ins/command.ts";
import { startApi, type TestApi } from "../../support/api.ts";
import { startDev } from "../../support/dev.ts";
import { announceIn } from "../command.ts";

interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

/** Changes the answers to requests for a path; undefined: passes them on. */
type Fault = (path: string, answer: Answer) => void;

/** Headers that belong to the way of an answer, not to the answer. */
const OF_CONNECTION = ["content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive"];

let api: TestApi;
let server: Server;
let origin: string;
let fault: Fault | undefined;

/** The Worker, and before it somebody who spoils its answers. Its documentation comes with a deployment. */
beforeAll(async () => {
  api = await startApi({ connectionString: inject("connectionString") });
  server = createServer(async (request, response) => {
    const { url = "/" } = request;
    const answer = url === "/docs" ? docs() : await ask(request);
    fault?.(url, answer);
    for (const name of OF_CONNECTION) answer.headers.delete(name);
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(answer.body);
  });
  origin = await listen(server);
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await api.close();
});

/** @returns its origin */
async function listen(anyServer: Server): Promise<string> {
  anyServer.listen(0, "127.0.0.1");
  await once(anyServer, "listening");
  const address = anyServer.address();
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return `http://127.0.0.1:${address.port}`;
}

function docs(): Answer {
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": "default-src 'none'; a b" };
  return { status: 200, headers: new Headers(headers), body: "" };
}

async function ask(request: IncomingMessage): Promise<Answer> {
  const { host: _, connection: __, ...headers } = request.headers as Record<string, string>;
  const { method = "GET", url = "/" } = request;
  const response = await api.fetch(url, { method, headers, ...(method === "PATCH" && { body: await text(request) }) });
  return { status: response.status, headers: new Headers(response.headers), body: await response.text() };
}

const [reader] = SEED_PROCESSES;
const DRY_RUN = `/v3/applications/${reader.applicationId}/processes/${reader.processId}?dry_run=true`;
const isProcess = (path: string) => path.endsWith(reader.processId);

/** @returns what it reported, a line each */
async function reportOf(target: Partial<SmokeTarget> = {}, spoil?: Fault): Promise<string[]> {
  const lines: string[] = [];
  fault = spoil;
  const report = (line: string) => lines.push(line.trim());
  await smoke({ origin, reader, isCached: true, waitSeconds: 0, ...target }, report).catch(({ message }) =>
    lines.push(message),
  );
  return lines;
}

const change =
  (when: (path: string, answer: Answer) => boolean, spoil: (answer: Answer) => unknown): Fault =>
  (path, answer) => {
    if (when(path, answer)) spoil(answer);
  };
const at = (path: string) => (asked: string) => asked === path;
const statusIs = (status: number) => (_: string, answer: Answer) => answer.status === status;
const setHeader =
  (name: string, value: string) =>
  ({ headers }: Answer) =>
    headers.set(name, value);
const setBody = (body: string) => (answer: Answer) => Object.assign(answer, { body });

describe("the smoke test", () => {
  test("passes a Worker that does what it should", async () => {
    const lines = await reportOf();
    expect(lines[0]).toBe(origin);
    expect(lines.slice(1).filter((line) => !line.startsWith("passed "))).toStrictEqual([]);
    expect(lines).toHaveLength(13);
  });

  test("leaves out what needs a key when it has none, and the cache when there is none", async () => {
    const skipped = async (target: Partial<SmokeTarget>) =>
      (await reportOf(target)).filter((line) => line.startsWith("skipped"));
    expect(await skipped({ isCached: false })).toStrictEqual(["skipped  answers from the cache (no cache expected)"]);
    expect(await skipped({ reader: undefined })).toHaveLength(6);
  });

  const wrongProcess = JSON.stringify({ id: reader.processId });
  const cases: [fault: string, spoil: Fault, ...reported: string[]][] = [
    ["is down", change(at("/health"), (a) => Object.assign(a, { status: 503 })), "is up: the status is 503, not 200"],
    ["has no document", change(at("/v3/openapi.json"), setBody("<html>")), "describes itself: the body is not JSON"],
    [
      "has an older document",
      change(at("/v3/openapi.json"), (a) => setBody(a.body.replace('"openapi":"3.1.', '"openapi":"3.0.'))(a)),
      'describes itself: openapi is "3.0.0", which is not /^3\\.1\\./',
    ],
    [
      "has an empty document",
      change(at("/v3/openapi.json"), setBody('{"openapi":"3.1.0","info":{"version":"3.0.0"},"paths":{}}')),
      "describes itself: it has no paths",
    ],
    [
      "lets scripts of others into its documentation",
      change(at("/docs"), setHeader("content-security-policy", "script-src *")),
      "shows its documentation: content-security-policy is \"script-src *\", which is not /^default-src 'none';/",
    ],
    [
      "does not say how to authenticate",
      change(statusIs(401), ({ headers }) => headers.delete("www-authenticate")),
      'refuses who has no key: www-authenticate is null, which is not /^Bearer realm="[^"]+"$/',
      'refuses a key that nobody has: www-authenticate is null, which is not /error="invalid_token"/',
    ],
    [
      "lets its errors be stored",
      change(statusIs(401), setHeader("cache-control", "max-age=5")),
      'refuses who has no key: cache-control is "max-age=5", not "no-store"',
      'refuses a key that nobody has: cache-control is "max-age=5", not "no-store"',
    ],
    [
      "has errors of its own kind",
      change(at("/v3/no-such-endpoint"), setBody('{"error":"not found"}')),
      "knows no endpoint that does not exist: the error breaks the contract: data must have required property",
    ],
    [
      "cannot reach its database",
      change(
        (path, { headers }) => isProcess(path) && headers.has("etag"),
        (a) => Object.assign(a, { status: 503 }),
      ),
      ...["answers with the full details of a process", "lets clients keep an answer, but makes them ask"].map(
        (claim) => `${claim}: the status is 503, not 200`,
      ),
      ...["says that nothing has changed", "answers from the cache", "takes a write that is only tried"].map(
        (claim) => `${claim}: the status is 503, not 200`,
      ),
    ],
    [
      "answers with less than the contract",
      change(isProcess, setBody(wrongProcess)),
      "answers with the full details of a process: it breaks the contract: data must have required property",
    ],
    [
      "lets others keep its answers",
      change(isProcess, setHeader("cache-control", "public, max-age=60")),
      'lets clients keep an answer, but makes them ask: cache-control is "public, max-age=60", not "private, no-cache"',
    ],
    [
      "compares no ETags",
      change(statusIs(304), (a) => Object.assign(a, { status: 200, body: "{}" })),
      "says that nothing has changed: the status is 200, not 304",
    ],
    [
      "refuses to write",
      change(at(DRY_RUN), (a) => Object.assign(a, { status: 503 })),
      "takes a write that is only tried: the status is 503, not 200",
    ],
    [
      "answers a write that changes nothing with something else",
      change(at(DRY_RUN), setHeader("etag", '"another"')),
      `takes a write that is only tried: its etag is ${JSON.stringify('"another"')}`,
    ],
    [
      "has no cache",
      change(isProcess, setHeader("cache-status", "process-api; fwd=miss; stored")),
      'answers from the cache: cache-status is "process-api; fwd=miss; stored", which is not /^process-api; hit/',
    ],
  ];
  test.for(cases)("fails a Worker that %s", async ([_, spoil, ...reported]) => {
    const lines = await reportOf({}, spoil);
    const failed = lines.filter((line) => line.startsWith("FAILED")).map((line) => line.slice("FAILED   ".length));
    expect(failed).toHaveLength(reported.length);
    for (const [index, words] of reported.entries()) expect(failed[index]).toContain(words);
    expect(lines.at(-1)).toBe(`${origin} failed ${reported.length} of 12 checks.`);
  });

  test("fails a key that may not read the process", async () => {
    const lines = await reportOf({ reader: { ...reader, token: SEED_TOKENS.unpermitted } });
    const failed = lines.find((line) => line.startsWith("FAILED   answers with the full details of a process"));
    expect(failed).toMatch(
      /: the status is 403, not 200: This API key does not permit this request\. \(data\.code [\w-]+\)$/,
    );
  });

  test("does not try to write with a key that may only read, and says so", async () => {
    const lines = await reportOf({ reader: { ...reader, token: SEED_TOKENS.rotatedNew } });
    const others = lines.slice(1).filter((line) => !line.startsWith("passed "));
    expect(others).toStrictEqual(["skipped  takes a write that is only tried (the key may not write)"]);
  });

  test("tries what fails again, as long as it may wait", async () => {
    let asked = 0;
    const lines = await reportOf(
      { waitSeconds: 60 },
      change(at("/health"), (answer) => Object.assign(answer, { status: asked++ === 0 ? 404 : 200 })),
    );
    expect(lines[1]).toBe("passed   is up");
    expect(asked).toBe(2);
  });
});

describe("npm run smoke", () => {
  const smokeCommand = (args: string[], env: Record<string, string> = {}) => {
    fault = undefined;
    return run("smoke", args, { cwd: process.cwd(), env });
  };
  const asEnvironment = {
    SMOKE_TOKEN: reader.token,
    SMOKE_APPLICATION: reader.applicationId,
    SMOKE_PROCESS: reader.processId,
  };

  test("prints what passed and exits 0, with a key from its options or from the environment", async () => {
    const { token, applicationId, processId } = reader;
    const given = ["--token", token, "--application", applicationId, "--process", processId];
    for (const [args, env] of [
      [given, {}],
      [[], asEnvironment],
    ] as const) {
      const { exitCode, stdout, stderr } = await smokeCommand(["--url", origin, "--expect-cache", ...args], env);
      expect({ exitCode, stderr }).toStrictEqual({ exitCode: 0, stderr: "" });
      expect(stdout.match(/passed/g)).toHaveLength(12);
      expect(stdout).not.toContain(token);
    }
  });

  test("passes what `npm run dev` serves", async () => {
    const dev = await startDev();
    onTestFinished(dev.interrupt);
    await dev.ready;
    const url = `http://localhost:${dev.port}`;
    const { exitCode, stdout, stderr } = await smokeCommand(["--url", url, "--expect-cache"], asEnvironment);
    expect({ exitCode, stderr }).toStrictEqual({ exitCode: 0, stderr: "" });
    expect(stdout.match(/passed/g)).toHaveLength(12);
  });

  test("tries a running `npm run dev`, with a key of the seed, when it is told of nothing else", async () => {
    const folder = mkdtempSync(join(tmpdir(), "process-api-smoke-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { root: cwd } = checkOut(join(folder, "checkout"));
    const nothing = await run("smoke", [], { cwd, env: {} });
    expect(nothing).toMatchObject({ exitCode: 2, stdout: "" });
    expect(nothing.stderr).toBe("error: Nothing to try: give --url, or start `npm run dev`.\n");
    announceIn(cwd, { url: origin });
    const { exitCode, stdout } = await run("smoke", [], { cwd, env: {} });
    expect([exitCode, stdout.match(/passed/g)?.length]).toStrictEqual([0, 12]);
  });

  test("exits 1 with one line about what failed", async () => {
    const closed = createServer();
    const url = await listen(closed);
    closed.close();
    const { exitCode, stdout, stderr } = await smokeCommand(["--url", url]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain("FAILED   is up: no answer, ECONNREFUSED");
    expect(stderr).toBe(`error: ${url} failed 6 of 12 checks.\n`);
  });

  test.for([
    ["--url is not the URL", ["--url", "http://api.example.com"]],
    ["--url is not the URL", ["--url", "nonsense"]],
    ["SMOKE_TOKEN (or --token) is no API key", ["--url", "http://127.0.0.1:1", "--process", reader.processId]],
    ["SMOKE_APPLICATION (or --application) is not an id", ["--url", "http://127.0.0.1:1", "--token", "svl_1"]],
  ] as const)("sends no key where it does not belong: %s", async ([words, args]) => {
    const { exitCode, stdout, stderr } = await smokeCommand([...args]);
    expect({ exitCode, stdout }).toStrictEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(words);
  });
});
