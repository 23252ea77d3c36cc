import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { PURGE_SECRET, startApi, type TestApi } from "../support/api.ts";
import { bearer, openRecords, type Records } from "../support/records.ts";
import { checkOut, lines, listen, purge } from "./command.ts";

let api: TestApi;
let records: Records;
beforeAll(async () => {
  api = await startApi({ connectionString: inject("connectionString") });
  records = await openRecords(inject("connectionString"));
});
afterAll(async () => {
  await records.close();
  await api.close();
});

const purgeApi = (args: string[], stdin?: string) =>
  purge(["--url", api.url.origin, ...args], { env: { PURGE_SECRET }, ...(stdin === undefined ? {} : { stdin }) });

/** A process that the edge holds. `get` tells whether it still did. */
async function cachedProcess() {
  const companyId = await records.company();
  const size = await records.resourceType();
  const application = await records.application(companyId);
  const process = await records.process(application.id, { resourceTypeId: size.id });
  const key = await records.key(companyId);
  const path = `/v3/applications/${application.id}/processes/${process.id}`;
  const isHit = async () => {
    const { headers } = await api.fetch(path, bearer(key.token));
    return String(headers.get("cache-status")).startsWith("process-api; hit");
  };
  await isHit();
  expect(await isHit()).toBe(true);
  return { companyId, size, application, process, key, isHit };
}

const ids = (count: number) => Array.from({ length: count }, () => randomUUID());

describe("purge", () => {
  test.for(["company", "application", "process", "key", "resource-type"] as const)(
    "--%s ends the reuse of what depends on it, and of nothing else",
    async (kind) => {
      const [mine, other] = [await cachedProcess(), await cachedProcess()];
      const id = {
        company: mine.companyId,
        application: mine.application.id,
        process: mine.process.id,
        key: mine.key.id,
        "resource-type": mine.size.id,
      }[kind];
      const outcome = await purgeApi([`--${kind}`, id.toUpperCase()]);
      const also = kind === "resource-type" ? "resource-type-list:every\n" : "";
      expect(outcome).toStrictEqual({ exitCode: 0, stdout: expect.any(String), stderr: "" });
      expect(lines(outcome.stdout).toSorted()).toStrictEqual(lines(`${kind}:${id}\n${also}`).toSorted());
      expect([await mine.isHit(), await other.isHit()]).toStrictEqual([false, true]);
    },
  );

  test("takes options more than once, and together", async () => {
    const [one, two, three] = [await cachedProcess(), await cachedProcess(), await cachedProcess()];
    const { stdout } = await purgeApi([
      "--process",
      one.process.id,
      two.process.id,
      "--key",
      three.key.id,
      "--process",
      one.process.id,
    ]);
    expect(lines(stdout).toSorted()).toStrictEqual(
      [`key:${three.key.id}`, `process:${one.process.id}`, `process:${two.process.id}`].toSorted(),
    );
    expect([await one.isHit(), await two.isHit(), await three.isHit()]).toStrictEqual([false, false, false]);
  });

  test("reads ids from stdin where it is told -", async () => {
    const [one, two] = [await cachedProcess(), await cachedProcess()];
    const outcome = await purgeApi(["--key", "-", "--json"], `${one.key.id}\n\n  ${two.key.id.toUpperCase()}\t`);
    expect(JSON.parse(outcome.stdout)).toStrictEqual({
      origin: api.url.origin,
      purged: [`key:${one.key.id}`, `key:${two.key.id}`],
      left: {},
      error: null,
    });
    expect([await one.isHit(), await two.isHit()]).toStrictEqual([false, false]);
  });

  test("spreads many ids over several calls", async () => {
    const mine = await cachedProcess();
    const many = [...ids(249), mine.process.id];
    const { exitCode, stdout } = await purgeApi(["--process", "-", "--resource-type", ...ids(99)], many.join("\n"));
    expect(exitCode).toBe(0);
    expect(lines(stdout)).toHaveLength(250 + 99 + 2);
    expect(await mine.isHit()).toBe(false);
  });
});

describe("what is wrong purges nothing, is one line, and exits with 2:", () => {
  test.for([
    ["no id", [], "Nothing to purge: name an id"],
    ["no id on stdin", ["--key", "-"], "Nothing to purge: name an id"],
    ["no UUID", ["--key", "x"], "Expected an id, a UUID."],
    ["stdin twice", ["--key", "-", "--process", "-"], "Only one option may be given -"],
    ["an option that is unknown", ["--keys", "x"], "unknown option '--keys'"],
    ["no whole number to wait", ["--key", randomUUID(), "--wait", "1m"], "Expected a whole number."],
  ] as const)("%s", async ([_, args, expected]) => {
    const outcome = await purgeApi([...args]);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(lines(outcome.stderr)).toStrictEqual([expect.stringMatching(/^error: /)]);
    expect(outcome.stderr).toContain(expected);
  });

  test("a word on stdin that is no id, beside one that is", async () => {
    const mine = await cachedProcess();
    const outcome = await purgeApi(["--key", "-"], `${mine.key.id} \u001b[31m`);
    expect(outcome).toStrictEqual({ exitCode: 2, stdout: "", stderr: 'error: Not an id on stdin: "\\u001b[31m".\n' });
    expect(await mine.isHit()).toBe(true);
  });

  test("no Worker", async () => {
    const project = checkOut();
    try {
      expect(await purge(["--key", randomUUID()], { root: project.root })).toStrictEqual({
        exitCode: 2,
        stdout: "",
        stderr: "error: No Worker: give --url and PURGE_SECRET, or start `npm run dev`.\n",
      });
    } finally {
      project.remove();
    }
  });
});

test("the Worker is that of `npm run dev` unless told otherwise", async () => {
  const project = checkOut({ url: api.url.origin, databaseUrl: "", purgeSecret: PURGE_SECRET });
  try {
    const mine = await cachedProcess();
    expect((await purge(["--key", mine.key.id], { root: project.root })).exitCode).toBe(0);
    expect(await mine.isHit()).toBe(false);
  } finally {
    project.remove();
  }
});

describe("a purge that is refused", () => {
  test.for([
    [{ code: 1134, message: "rate limit reached" }, "answered 429. The platform takes no more purges for now.", 12],
    [{ code: 10_000, message: "Something else" }, "answered 503. The platform refused the purge.", 5],
  ] as const)("says so, what is left, and how long to wait: %j", async ([refusal, expected, seconds]) => {
    const mine = await cachedProcess();
    await api.refusePurge(refusal);
    try {
      const args = ["--key", mine.key.id, "--application", mine.application.id];
      const outcome = await purgeApi([...args, "--wait", String(seconds - 1)]);
      expect(outcome).toStrictEqual({
        exitCode: 1,
        stdout: "",
        stderr: `error: 2 ids were not purged: ${api.url.origin} ${expected} Nothing was purged. Or wait for it: --wait ${seconds}.\n`,
      });
      const { exitCode, stdout } = await purgeApi([...args, "--json"]);
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toStrictEqual({
        origin: api.url.origin,
        purged: [],
        left: { applications: [mine.application.id], keys: [mine.key.id] },
        error: `${api.url.origin} ${expected} Nothing was purged.`,
      });
    } finally {
      await api.refusePurge(null);
    }
    expect(await mine.isHit()).toBe(true);
  });

  test("in the midst tells what was purged and what was not", async () => {
    const limited = await startApi({ connectionString: inject("connectionString"), limits: { PURGE_LIMIT: 1 } });
    try {
      const all = ids(300);
      const outcome = await purge(["--url", limited.url.origin, "--process", "-", "--json"], {
        env: { PURGE_SECRET },
        stdin: all.join("\n"),
      });
      expect(outcome.exitCode).toBe(1);
      const { purged, left } = JSON.parse(outcome.stdout) as { purged: string[]; left: { processes: string[] } };
      expect(purged.length).toBeGreaterThanOrEqual(100);
      expect(left.processes.length).toBeGreaterThanOrEqual(100);
      expect([...purged, ...left.processes.map((id) => `process:${id}`)]).toStrictEqual(
        all.map((id) => `process:${id}`),
      );
      expect(lines(outcome.stderr)).toStrictEqual([
        `error: ${left.processes.length} ids were not purged: ${limited.url.origin} answered 429. Too many requests. Or wait for it: --wait 60.`,
      ]);
    } finally {
      await limited.close();
    }
  });

  test("for another secret is not tried again", async () => {
    const outcome = await purge(["--url", api.url.origin, "--key", randomUUID(), "--wait", "100"], {
      env: { PURGE_SECRET: "another-secret-of-somebody-else-entirely" },
    });
    expect(outcome).toStrictEqual({
      exitCode: 1,
      stdout: "",
      stderr: `error: 1 id was not purged: ${api.url.origin} does not take this PURGE_SECRET.\n`,
    });
  });
});

describe("another server than the Worker", () => {
  async function purgeAt(status: number, headers: Record<string, string>, body: string) {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.url);
      response.writeHead(status, headers).end(body);
    });
    const origin = `http://127.0.0.1:${await listen(server)}`;
    try {
      const outcome = await purge(["--url", origin, "--key", randomUUID()], { env: { PURGE_SECRET } });
      expect(seen).toStrictEqual(["/ops/purge"]);
      return { ...outcome, stderr: outcome.stderr.replaceAll(origin, "<origin>") };
    } finally {
      server.close();
    }
  }

  test.for([
    ["that answers something else", 200, "<html>", "<origin> answered as no process-api does."],
    ["that knows no purge", 404, "Not found", "<origin> answered 404."],
    ["that answers to a terminal", 500, '{"message":"\\u001b[31mred"}', "<origin> answered 500. \\u{001b}[31mred"],
  ] as const)("%s has purged nothing", async ([_, status, body, expected]) => {
    expect(await purgeAt(status, {}, body)).toStrictEqual({
      exitCode: 1,
      stdout: "",
      stderr: `error: 1 id was not purged: ${expected}\n`,
    });
  });

  test("does not get the secret by a redirect", async () => {
    const mine = await cachedProcess();
    const outcome = await purgeAt(307, { location: `${api.url.origin}/ops/purge` }, "");
    expect(outcome).toMatchObject({ exitCode: 1, stderr: "error: 1 id was not purged: <origin> answered 307.\n" });
    expect(await mine.isHit()).toBe(true);
  });

  test("that is not there is named", async () => {
    const server = createServer();
    const origin = `http://127.0.0.1:${await listen(server)}`;
    server.close();
    const outcome = await purge(["--url", origin, "--key", randomUUID()], { env: { PURGE_SECRET } });
    expect(outcome.stderr).toBe(`error: 1 id was not purged: ${origin} cannot be reached: ECONNREFUSED.\n`);
    expect(outcome.exitCode).toBe(1);
  });
});

test("--help tells the limits of the platform", async () => {
  const { exitCode, stdout } = await purge(["--help"]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/5 calls a minute, with bursts of 25, of 100 operations each/);
  expect(stdout).toContain("https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits");
});
