import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import command from "../../src/cli/purge.ts";
import { type Changed, purgeAll } from "../../src/cli/support/purge.ts";
import { context, withContext } from "../../src/node/context.ts";
import { purgeChanged } from "../../src/worker/gateway/purge.ts";
import { errorBody, type Failure, HttpError, outcomeOf } from "../../src/worker/shared/errors.ts";
import { PURGES } from "../../src/worker/shared/limits.ts";
import { type CommandOptions, run } from "../support/command.ts";
import { checkOut, expectError } from "./command.ts";

const ids = (count: number) => Array.from({ length: count }, () => randomUUID());
const [A, B, C, D] = ids(4) as [string, string, string, string];

type Fetch = typeof fetch;
const unreachable: Fetch = () => expect.unreachable();

/** Responds to purges with the Worker's own code. @param refusalOf says why it refuses a call; the first call is 1 */
const worker =
  (refusalOf: (call: number) => Failure | undefined = () => undefined, asked: unknown[] = []): Fetch =>
  async (url, { body, signal: _, ...init } = {}) => {
    asked.push({ url, ...init });
    const refusal = refusalOf(asked.length);
    const refuse = () => Promise.reject(refusal && new HttpError(refusal));
    const taken = () => Promise.resolve({ success: true, errors: [] });
    return purgeChanged(String(body), refusal ? refuse : taken).then(
      (purged) => Response.json({ purged }),
      ({ failure }) => Response.json(errorBody(failure, ""), outcomeOf(failure)),
    );
  };

const purge = (args: string, options: CommandOptions = {}) =>
  run(command, args.split(" "), { env: { PURGE_SECRET: "a-secret" }, fetch: worker(), ...options });
const purgeAt = (args: string, options: CommandOptions = {}) => purge(`--url https://a ${args}`, options);

test("options may be repeated and combined; the purged tags are printed", async () => {
  const asked: unknown[] = [];
  const args = `--process ${A} ${B} --resource-type ${C} --key ${D} --company ${C} --process ${A} --application ${D}`;
  const withUpperCaseIds = args.toUpperCase().replaceAll(/--[A-Z-]+/g, (name) => name.toLowerCase());
  const outcome = await purgeAt(withUpperCaseIds, { fetch: worker(undefined, asked) });
  const tags = [`company:${C}`, `application:${D}`, `process:${A}`, `process:${B}`, `key:${D}`, `resource-type:${C}`];
  const stdout = [...tags, "resource-type-list:every", ""].join("\n");
  expect(outcome).toStrictEqual({ exitCode: 0, stdout, stderr: "" });
  const headers = { authorization: "Bearer a-secret", "content-type": "application/json" };
  // Following a redirect would send the secret to another server.
  expect(asked).toStrictEqual([{ url: "https://a/ops/purge", method: "POST", headers, redirect: "manual" }]);
});

test("ids from stdin are spread over several calls to `npm run dev`, and --json prints an object", async () => {
  const asked: unknown[] = [];
  const many = ids(249);
  const args = `--key ${C} - --resource-type ${ids(99).join(" ")} --json`;
  const stdin = `${many.join("\n")}\n\n  ${B.toUpperCase()}\t`;
  const root = checkOut({ url: "http://localhost:2", purgeSecret: "of-dev" });
  const outcome = await purge(args, { stdin, fetch: worker(undefined, asked), root, env: {} });
  const { purged, ...rest } = JSON.parse(outcome.stdout) as { purged: string[] };
  expect(rest).toStrictEqual({ origin: "http://localhost:2", left: {}, error: null });
  expect(purged.slice(0, 251)).toStrictEqual([C, ...many, B].map((id) => `key:${id}`));
  expect(new Set(purged.slice(251)).size).toBe(99 + 1);
  const headers = expect.objectContaining({ authorization: "Bearer of-dev" });
  const request = expect.objectContaining({ url: "http://localhost:2/ops/purge", headers });
  expect(asked).toStrictEqual(Array(4).fill(request));
});

describe("a mistake purges nothing, and is one line with exit code 2:", () => {
  test.for([
    ["--wait 1", "", "Nothing to purge: name an id"],
    ["--key -", "", "Nothing to purge: name an id"],
    ["--key x", "", "Expected an id, a UUID."],
    ["--key - --process -", "", "Only one option may be given -"],
    ["--keys x", "", "unknown option '--keys'"],
    [`--key ${A} --wait 1m`, "", "Expected a whole number."],
    ["--key -", `${A} \u001b[31m`, 'error: Not an id on stdin: "\\u001b[31m".\n'],
  ] as const)("%s %j", async ([args, stdin, words]) => {
    expectError(await purgeAt(args, { stdin, fetch: unreachable }), 2, words);
  });

  test.for([
    [" --url ftp://localhost", "x", "--url is not the Worker's origin, such as https://api.example.com."],
    [" --url http://api.example.com", "x", "--url is not the Worker's origin, such as https://api.example.com."],
    [" --url http://localhost/v3", "x", "--url must be an origin alone: http://localhost"],
    [" --url http://user@localhost", "x", "--url must be an origin alone: http://localhost"],
    [" --url http://localhost:1", undefined, "--url needs the Worker's secret in the environment: PURGE_SECRET."],
    [" --url http://localhost:1", "", "--url needs the Worker's secret in the environment: PURGE_SECRET."],
    [" --url http://localhost:1", "with space", "PURGE_SECRET cannot be sent in a header."],
    ["", "x", "No Worker: give --url and PURGE_SECRET, or start `npm run dev`."],
  ] as const)("%s with the secret %j", async ([url, PURGE_SECRET, words]) => {
    // The secret of `npm run dev` must not be sent to another Worker.
    const root = checkOut(url === "" ? undefined : { url: "http://localhost:2", purgeSecret: "of-dev" });
    const outcome = await purge(`--key ${A}${url}`, { root, env: { PURGE_SECRET }, fetch: unreachable });
    expectError(outcome, 2, `error: ${words}\n`);
  });
});

test.for<[wait: number, isRefused: (call: number) => boolean, purged: number, waits: number]>([
  [12, (call) => call === 1, 250, 1],
  [24, (call) => call === 1 || call === 3, 250, 2],
  [0, () => true, 0, 0],
  [11, () => true, 0, 0],
  [35, () => true, 0, 2],
  [12, (call) => call > 1, 100, 1],
])("a refused purge is tried again for at most %i s, and then the rest is reported (%#)", async (given) => {
  const [wait, isRefused, count, waits] = given;
  const processes = ids(249);
  const waited: number[] = [];
  const refusal: Failure = { reason: "purge_limited", retryAfterSeconds: 12 };
  const { exitCode, stdout, stderr } = await purgeAt(`--process - --key ${A} --json --wait ${wait}`, {
    stdin: processes.join(" "),
    fetch: worker((call) => (isRefused(call) ? refusal : undefined)),
    sleep: async (ms) => expect(waited.push(ms)).toBeLessThan(4),
  });
  const isDone = count === 250;
  const error = `https://a refused POST /ops/purge (429): ${errorBody(refusal, "").message}`;
  const purged = [...processes.map((id) => `process:${id}`), `key:${A}`].slice(0, count);
  const rest = isDone ? { left: {}, error: null } : { left: { processes: processes.slice(count), keys: [A] }, error };
  expect(JSON.parse(stdout)).toStrictEqual({ origin: "https://a", purged, ...rest });
  const end = isDone ? "" : `error: ${250 - count} ids were not purged: ${error} Or wait for it: --wait 12.\n`;
  expect([exitCode, stderr]).toStrictEqual([isDone ? 0 : 1, `${error} Waiting 12 s.\n`.repeat(waits) + end]);
  expect(waited).toStrictEqual(Array(waits).fill(12_000));
});

const respond = (status: number, body: string) => async () => new Response(body, { status });
test.for<[what: string, origin: string, fetch: Fetch, words: string]>([
  ["a Worker with another secret", "https://a", respond(401, ""), "does not take this PURGE_SECRET."],
  [
    "a server that is no process-api",
    "https://a",
    respond(200, "<html>"),
    "responded to POST /ops/purge (200) with something else than expected.",
  ],
  ["a server without such a path", "https://a", respond(404, "Not found"), "refused POST /ops/purge (404): Not found"],
  ["a server that redirects", "https://a", respond(307, ""), "refused POST /ops/purge (307)."],
  [
    "control characters",
    "https://a",
    respond(500, '{"message":"\\u001b[31mred"}'),
    "refused POST /ops/purge (500): \\u{001b}[31mred",
  ],
  ["a Worker that cannot be reached", "http://127.0.0.1:2", fetch, "cannot be reached: ECONNREFUSED."],
])("%s is reported, and not asked again", async ([_, origin, fetch, words]) => {
  const outcome = await purge(`--url ${origin} --key ${A} --wait 100`, { fetch });
  expectError(outcome, 1, `error: 1 id was not purged: ${origin} ${words}\n`);
});

test("--help has the limits of the platform", async () => {
  const limits = `5 calls a minute, with bursts of 25, of 100 operations each:
https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits`;
  expect((await purge("--help")).stdout).toContain(limits);
});

test("each id is sent once, in calls of no more tags than one may have", async () => {
  const list = fc.array(fc.nat(400).map(String), { maxLength: 350 });
  const changed = fc.record({ companies: list, applications: list, processes: list, keys: list, resource_types: list });
  await fc.assert(
    fc.asyncProperty(changed, async (all) => {
      const calls: Changed[] = [];
      const fetch: Fetch = async (_, init) => {
        calls.push(JSON.parse(String(init?.body)));
        return Response.json({ purged: [] });
      };
      await withContext({ ...context(), fetch }, () => purgeAll({ origin: "https://a", secret: "a-secret" }, all));
      for (const [kind, given] of Object.entries(all)) {
        expect(calls.flatMap((call) => call[kind as keyof Changed] ?? [])).toStrictEqual([...new Set(given)]);
      }
      // Machine sizes bring the tag of the list of them all.
      const most = PURGES.maxTagsPerCall - (all.resource_types.length > 0 ? 1 : 0);
      const sizes = calls.map((call) => Object.values(call).flat().length);
      expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(most);
      expect(sizes.slice(0, -1)).toStrictEqual(sizes.slice(1).map(() => most));
    }),
  );
});
