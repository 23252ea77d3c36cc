import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import command from "../../src/cli/purge.ts";
import { batchesOf } from "../../src/cli/support/batches.ts";
import type { Changed } from "../../src/cli/support/worker.ts";
import { PURGES } from "../../src/worker/shared/limits.ts";
import { PURGE_SECRET, useApi } from "../support/api.ts";
import { type CommandOptions, run } from "../support/command.ts";
import { bearer, useRecords } from "../support/records.ts";
import { checkOut, expectError, lines, listen } from "./command.ts";

const api = useApi();
const records = useRecords();

const purge = (args: string, options: CommandOptions = {}) =>
  run(command, args.split(" "), { env: { PURGE_SECRET }, ...options });
const purgeApi = (args: string, stdin = "") => purge(`--url ${api.url.origin} ${args}`.trim(), { stdin });

const ids = (count: number) => Array.from({ length: count }, () => randomUUID());
const [one, two, three] = ids(3) as [string, string, string];

/** A process that the edge holds. `isHit` tells whether it still did. */
async function cachedProcess() {
  const companyId = await records.company();
  const size = await records.resourceType();
  const application = await records.application(companyId);
  const process = await records.process(application.id, { resourceTypeId: size.id });
  const key = await records.key(companyId);
  const isHit = async () => {
    const path = `/v3/applications/${application.id}/processes/${process.id}`;
    const { headers } = await api.fetch(path, bearer(key.token));
    return String(headers.get("cache-status")).startsWith("process-api; hit");
  };
  expect([await isHit(), await isHit()]).toStrictEqual([false, true]);
  const id = { company: companyId, application: application.id, process: process.id, key: key.id };
  return { id: { ...id, "resource-type": size.id }, isHit };
}

describe("purge", () => {
  test.for(["company", "application", "process", "key", "resource-type"] as const)(
    "--%s ends the reuse of what depends on it, and of nothing else",
    async (kind) => {
      const [mine, other] = [await cachedProcess(), await cachedProcess()];
      const { exitCode, stdout, stderr } = await purgeApi(`--${kind} ${mine.id[kind].toUpperCase()}`);
      const list = kind === "resource-type" ? ["resource-type-list:every"] : [];
      expect([exitCode, stderr]).toStrictEqual([0, ""]);
      expect(lines(stdout).toSorted()).toStrictEqual([`${kind}:${mine.id[kind]}`, ...list].toSorted());
      expect([await mine.isHit(), await other.isHit()]).toStrictEqual([false, true]);
    },
  );

  test("takes options more than once, and together", async () => {
    const { stdout } = await purgeApi(`--process ${one} ${two} --key ${three} --process ${one}`);
    expect(lines(stdout).toSorted()).toStrictEqual([`key:${three}`, `process:${one}`, `process:${two}`].toSorted());
  });

  test("reads ids from stdin where it is told -, beside those of the command line, and prints JSON", async () => {
    const { stdout } = await purgeApi(`--key ${three} - --json`, `${one}\n\n  ${two.toUpperCase()}\t`);
    const purged = [three, one, two].map((id) => `key:${id}`);
    expect(JSON.parse(stdout)).toStrictEqual({ origin: api.url.origin, purged, left: {}, error: null });
  });

  test("spreads many ids over several calls, to the Worker of `npm run dev` unless told otherwise", async () => {
    const mine = await cachedProcess();
    const root = checkOut({ url: api.url.origin, purgeSecret: PURGE_SECRET });
    const stdin = [...ids(249), mine.id.process].join("\n");
    const args = `--process - --resource-type ${ids(99).join(" ")}`;
    const { exitCode, stdout } = await purge(args, { stdin, root, env: {} });
    expect([exitCode, lines(stdout).length, await mine.isHit()]).toStrictEqual([0, 250 + 99 + 2, false]);
  });
});

describe("what is wrong purges nothing, is one line, and exits with 2:", () => {
  test.for([
    ["--wait 1", "", "Nothing to purge: name an id"],
    ["--key -", "", "Nothing to purge: name an id"],
    ["--key x", "", "Expected an id, a UUID."],
    ["--key - --process -", "", "Only one option may be given -"],
    ["--keys x", "", "unknown option '--keys'"],
    [`--key ${one} --wait 1m`, "", "Expected a whole number."],
    ["--key -", `${one} \u001b[31m`, 'error: Not an id on stdin: "\\u001b[31m".\n'],
  ] as const)("%s %j", async ([args, stdin, words]) => {
    const outcome = await purge(`--url https://a ${args}`, { stdin, fetch: () => expect.unreachable() });
    expectError(outcome, 2, words);
  });

  test("no Worker", async () => {
    const outcome = await purge(`--key ${one}`, { root: checkOut() });
    expectError(outcome, 2, "error: No Worker: give --url and PURGE_SECRET, or start `npm run dev`.\n");
  });

  test.for([
    ["ftp://localhost", PURGE_SECRET, "--url is not the Worker's origin, such as https://api.example.com."],
    ["http://api.example.com", PURGE_SECRET, "--url is not the Worker's origin, such as https://api.example.com."],
    ["http://localhost/v3", PURGE_SECRET, "--url must be an origin alone: http://localhost"],
    ["http://user@localhost", PURGE_SECRET, "--url must be an origin alone: http://localhost"],
    ["http://localhost:1", undefined, "--url needs the Worker's secret in the environment: PURGE_SECRET."],
    ["http://localhost:1", "", "--url needs the Worker's secret in the environment: PURGE_SECRET."],
    ["http://localhost:1", "with space", "PURGE_SECRET cannot be sent in a header."],
  ] as const)("the origin %s with the secret %j", async ([url, secret, words]) => {
    // What another `npm run dev` takes is not for this one.
    const root = checkOut({ url: "http://localhost:2", purgeSecret: PURGE_SECRET });
    expectError(
      await purge(`--url ${url} --key ${one}`, { root, env: { PURGE_SECRET: secret } }),
      2,
      `error: ${words}\n`,
    );
  });
});

describe("a purge that is refused", () => {
  test.for([
    [{ code: 1134, message: "rate limit reached" }, "answered 429. The platform takes no more purges for now.", 12],
    [{ code: 10_000, message: "Something else" }, "answered 503. The platform refused the purge.", 5],
  ] as const)("says so, what is left, and how long to wait: %j", async ([refusal, words, seconds]) => {
    const { id, isHit } = await cachedProcess();
    const args = `--key ${id.key} --application ${id.application}`;
    const error = `${api.url.origin} ${words} Nothing was purged.`;
    await api.refusePurge(refusal);
    try {
      const told = `error: 2 ids were not purged: ${error} Or wait for it: --wait ${seconds}.\n`;
      expectError(await purgeApi(`${args} --wait ${seconds - 1}`), 1, told);
      const { exitCode, stdout } = await purgeApi(`${args} --json`);
      const left = { applications: [id.application], keys: [id.key] };
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toStrictEqual({ origin: api.url.origin, purged: [], left, error });
    } finally {
      await api.refusePurge(null);
    }
    expect(await isHit()).toBe(true);
  });

  test("for another secret is not tried again", async () => {
    const env = { PURGE_SECRET: "another-secret-of-somebody-else-entirely" };
    const outcome = await purge(`--url ${api.url.origin} --key ${one} --wait 100`, { env });
    expectError(outcome, 1, `error: 1 id was not purged: ${api.url.origin} does not take this PURGE_SECRET.\n`);
  });

  test.for<[wait: number, taken: (calls: number, waits: number) => boolean, purged: number, waits: number]>([
    [12, (_, waits) => waits >= 1, 250, 1],
    [24, (_, waits) => waits >= 2, 250, 2],
    [0, () => false, 0, 0],
    [11, () => false, 0, 0],
    [35, () => false, 0, 2],
    [12, (calls) => calls <= 1, 100, 1],
  ])(
    "is waited for no longer than %i s in all, and what was purged is told (%#)",
    async ([wait, isTaken, count, waits]) => {
      const all = ids(250);
      const waited: number[] = [];
      let calls = 0;
      const { exitCode, stdout, stderr } = await purge(`--url https://a --process - --json --wait ${wait}`, {
        stdin: all.join(" "),
        fetch: async (_, init) => {
          const { processes }: { processes: string[] } = JSON.parse(String(init?.body));
          if (isTaken(++calls, waited.length)) return Response.json({ purged: processes });
          return Response.json({ message: "Too many." }, { status: 429, headers: { "retry-after": "12" } });
        },
        sleep: async (ms) => waited.push(ms),
      });
      const { purged, left } = JSON.parse(stdout) as { purged: string[]; left: { processes?: string[] } };
      expect([purged.length, waited]).toStrictEqual([count, Array(waits).fill(12_000)]);
      expect([...purged, ...(left.processes ?? [])]).toStrictEqual(all);
      const refusal = "https://a answered 429. Too many.";
      const end = `error: ${250 - count} ids were not purged: ${refusal} Or wait for it: --wait 12.`;
      expect(stderr).toBe(`${refusal} Waiting 12 s.\n`.repeat(waits) + (count === 250 ? "" : `${end}\n`));
      expect(exitCode).toBe(count === 250 ? 0 : 1);
    },
  );
});

describe("another server than the Worker", () => {
  test.for([
    ["that answers something else", 200, "<html>", "answered as no process-api does."],
    ["that knows no purge", 404, "Not found", "answered 404."],
    ["that answers to a terminal", 500, '{"message":"\\u001b[31mred"}', "answered 500. \\u{001b}[31mred"],
    ["that sends elsewhere, does not get the secret there and", 307, "", "answered 307."],
  ] as const)("%s has purged nothing", async ([_, status, body, words]) => {
    const seen: (string | undefined)[] = [];
    const server = createServer(({ method, url, headers }, response) => {
      seen.push(method, url, headers.authorization);
      response.writeHead(status, { location: "/elsewhere" }).end(body);
    });
    const origin = `http://127.0.0.1:${await listen(server)}`;
    expectError(await purge(`--url ${origin} --key ${one}`), 1, `error: 1 id was not purged: ${origin} ${words}\n`);
    expect(seen).toStrictEqual(["POST", "/ops/purge", `Bearer ${PURGE_SECRET}`]);
  });

  test("that is not there is named", async () => {
    const outcome = await purge(`--url http://127.0.0.1:2 --key ${one}`);
    expectError(outcome, 1, "error: 1 id was not purged: http://127.0.0.1:2 cannot be reached: ECONNREFUSED.\n");
  });
});

test("--help tells the limits of the platform", async () => {
  const { exitCode, stdout } = await purge("--help");
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/5 calls a minute, with bursts of 25, of 100 operations each/);
  expect(stdout).toContain("https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits");
});

describe("ids", () => {
  const list = fc.array(fc.nat(400).map(String), { maxLength: 350 });
  const changed = fc.record({ companies: list, applications: list, processes: list, keys: list, resource_types: list });
  const tagsOf = (batch: Changed) => Object.values(batch).flat().length + (batch.resource_types ? 1 : 0);

  test("all go once, in calls that are as full as may be", () => {
    fc.assert(
      fc.property(changed, (all) => {
        const batches = batchesOf(all);
        for (const [kind, given] of Object.entries(all)) {
          const sent = batches.flatMap((batch) => batch[kind as keyof Changed] ?? []);
          expect(sent).toStrictEqual([...new Set(given)]);
        }
        for (const [n, batch] of batches.entries()) {
          expect(tagsOf(batch)).toBeLessThanOrEqual(PURGES.maxTagsPerCall);
          // An id of two tags may leave one place free.
          if (n + 1 < batches.length) expect(tagsOf(batch)).toBeGreaterThanOrEqual(PURGES.maxTagsPerCall - 1);
        }
      }),
    );
  });

  test.for([
    [{ processes: ids(100) }, 1],
    [{ processes: ids(101) }, 2],
    [{ resource_types: ids(99) }, 1],
    [{ resource_types: ids(100) }, 2],
    [{ processes: ids(99), resource_types: ids(1) }, 2],
    [{ processes: ids(98), resource_types: ids(1) }, 1],
    [{ keys: [] }, 0],
  ] as const)("are this many calls (%#)", ([given, expected]) => {
    expect(batchesOf(given)).toHaveLength(expected);
  });
});
