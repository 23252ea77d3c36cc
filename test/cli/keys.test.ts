// A key's life, as operators lead it and as the Worker sees it.
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { BOUNDS } from "../../src/cli/keys/edge.ts";
import { PURGE_SECRET, startApi, type TestApi } from "../support/api.ts";
import { operations } from "../support/operations.ts";
import { bearer, openRecords, type Records } from "../support/records.ts";
import { checkOut, keys, lines } from "./command.ts";

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

const env = { PURGE_SECRET };
const purging = () => ["--purge-url", api.url.origin];

/** Issues a key. @returns its id and token */
async function issue(companyId: string, ...options: string[]): Promise<{ id: string; token: string }> {
  const { stdout } = await keys(["issue", "--company", companyId, "--name", "CI", "--json", ...options]);
  return JSON.parse(stdout);
}

async function me(token: string) {
  const response = await api.fetch("/v3/api-keys/me", bearer(token));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const statusOf = async (token: string) => (await me(token)).status;

test("issue, rotate and revoke", async () => {
  const companyId = await records.company();
  const issued = await keys(["issue", "--company", companyId, "--name", "CI", "--expires", "90d", "--quiet"]);
  expect(issued).toMatchObject({ exitCode: 0, stderr: "" });
  expect(issued.stdout).toMatch(/^svl_[0-9a-f]{64}\n$/);
  const old = issued.stdout.trim();
  const { status, body } = await me(old);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    company: { id: companyId },
    name: "CI",
    masked_token: `${old.slice(0, 6)}…${old.slice(-4)}`,
    capabilities: [{ permission: "APP:READ", resource_id: null }],
  });
  const id = String(body.id);

  const rotated = await keys(["rotate", id, "--quiet", ...purging()], { env });
  expect(rotated).toMatchObject({ exitCode: 0, stderr: "" });
  const next = rotated.stdout.trim();
  expect(next).toMatch(/^svl_[0-9a-f]{64}$/);
  expect(next).not.toBe(old);
  expect([await statusOf(old), await statusOf(next)]).toStrictEqual([200, 200]);
  expect((await me(next)).body.id).toBe(id);

  await records.pool.query(
    "update api_key_tokens set expires_at = now() - interval '1 second' where api_key_id = $1 and masked = $2",
    [id, body.masked_token],
  );
  await api.advance(61);
  expect([await statusOf(old), await statusOf(next)]).toStrictEqual([401, 200]);

  const revoked = await keys(["revoke", id, "--yes", ...purging()], { env });
  expect(revoked.exitCode).toBe(0);
  expect(lines(revoked.stderr).at(-1)).toContain(`Purged ${api.url.origin}`);
  expect([await statusOf(old), await statusOf(next)]).toStrictEqual([401, 401]);
});

describe.for([
  ["revoke", "--yes"],
  ["disable", "--yes"],
  ["rotate", "--overlap", "0", "--yes"],
] as const)("%s", ([command, ...options]) => {
  test("holds at once with a purge", async () => {
    const { id, token } = await records.key(await records.company());
    expect(await statusOf(token)).toBe(200);
    expect((await keys([command, id, ...options, ...purging()], { env })).exitCode).toBe(0);
    expect(await statusOf(token)).toBe(401);
  });

  test("holds after a minute without one, and says so", async () => {
    const { id, token } = await records.key(await records.company());
    expect(await statusOf(token)).toBe(200);
    const { exitCode, stderr } = await keys([command, id, ...options]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(BOUNDS);
    expect(stderr).toContain(`npm run purge -- --key ${id} --url <origin of the Worker>`);
    expect(await statusOf(token)).toBe(200);
    await api.advance(60);
    expect(await statusOf(token)).toBe(401);
  });
});

test("the bounds that are told are those of the Worker", () => {
  expect(BOUNDS).toMatch(/60 s.*330 s.*1 h/s);
});

test("a disabled key works again as soon as it is enabled", async () => {
  const { id, token } = await records.key(await records.company());
  await keys(["disable", id, "--yes"]);
  expect(await statusOf(token)).toBe(401);
  expect((await keys(["enable", id])).exitCode).toBe(0);
  expect(await statusOf(token)).toBe(200);
});

describe("a key for one application", () => {
  const ofApplication = operations.filter(
    ({ template, isWrite }) => template.includes("/applications/{id}") && !isWrite,
  );

  test("there are reads that name an application", () => {
    expect(ofApplication.length).toBeGreaterThan(1);
  });

  test.for(ofApplication)("may read $template there, and nowhere else", async (operation) => {
    const companyId = await records.company();
    const mine = await records.pathIds(companyId);
    const [here, there] = [operation.path(mine), operation.path(await records.pathIds(companyId))];
    const narrow = await issue(companyId, "--application", mine.id);
    const wide = await issue(companyId);
    const status = async (path: string, { token }: { token: string }) => (await api.fetch(path, bearer(token))).status;
    expect([await status(here, narrow), await status(there, narrow)]).toStrictEqual([200, 403]);
    expect([await status(here, wide), await status(there, wide)]).toStrictEqual([200, 200]);
  });

  test("may nowhere without APP:READ", async () => {
    const companyId = await records.company();
    const { id } = await records.application(companyId);
    const { token } = await issue(companyId, "--application", id, "--permission", "APP:UPDATE", "APP:DELETE");
    const response = await api.fetch(`/v3/applications/${id}/processes`, bearer(token));
    expect(response.status).toBe(403);
    expect((await me(token)).body.capabilities).toStrictEqual([
      { permission: "APP:UPDATE", resource_id: id },
      { permission: "APP:DELETE", resource_id: id },
    ]);
  });
});

test("a reader that goes away keeps no purge from being made", async () => {
  for (const command of [
    ["revoke", "--yes", "--json"],
    ["rotate", "--overlap", "0", "--yes"],
  ]) {
    const { id, token } = await records.key(await records.company());
    expect(await statusOf(token)).toBe(200);
    const args = [String(command[0]), id, ...command.slice(1), ...purging()];
    const { exitCode, stderr } = await keys(args, { env, closeStdout: true });
    expect([exitCode, lines(stderr).at(-1)]).toStrictEqual([
      1,
      expect.stringMatching(/^error: .*could not be written/),
    ]);
    expect(await statusOf(token)).toBe(401);
  }
});

describe("a purge that fails", () => {
  test.for([
    ["refused", "answered 429. The platform takes no more purges for now. Nothing was purged."],
    ["for another secret", "does not take this PURGE_SECRET."],
  ] as const)("because it is %s leaves the change, says so and exits with 3", async ([why, expected]) => {
    const { id, token } = await records.key(await records.company());
    expect(await statusOf(token)).toBe(200);
    if (why === "refused") await api.refusePurge({ code: 1134, message: "rate limit" });
    try {
      const secret = why === "refused" ? PURGE_SECRET : "another-secret-of-somebody-else-entirely";
      const { exitCode, stdout, stderr } = await keys(["revoke", id, "--yes", "--json", ...purging()], {
        env: { PURGE_SECRET: secret },
      });
      expect(exitCode).toBe(3);
      expect(JSON.parse(stdout)).toMatchObject({ id, state: "revoked", tokens: [] });
      expect(lines(stderr)).toStrictEqual([
        "Revoked a key.",
        `error: The change stands, but the purge failed: ${api.url.origin} ${expected} Purge it: npm run purge -- --key ${id} --url ${api.url.origin} --wait 60`,
      ]);
    } finally {
      await api.refusePurge(null);
    }
    expect(await statusOf(token)).toBe(200);
    // The same command makes up for it.
    const again = await keys(["revoke", id, "--yes", ...purging()], { env });
    expect(again.exitCode).toBe(0);
    expect(lines(again.stderr)[0]).toBe("The key was revoked before.");
    expect(await statusOf(token)).toBe(401);
  });

  test("does not keep a rotated token from being printed", async () => {
    const { id } = await records.key(await records.company());
    const rotated = await keys(["rotate", id, "--quiet", "--purge-url", api.url.origin], {
      env: { PURGE_SECRET: "another-secret-of-somebody-else-entirely" },
    });
    expect(rotated.exitCode).toBe(3);
    expect(await statusOf(rotated.stdout.trim())).toBe(200);
  });

  test.for([
    ["ftp://localhost", PURGE_SECRET, "not the Worker's origin"],
    ["http://api.example.com", PURGE_SECRET, "not the Worker's origin"],
    ["http://localhost/v3", PURGE_SECRET, "must be an origin alone: http://localhost"],
    ["http://user@localhost", PURGE_SECRET, "must be an origin alone: http://localhost"],
    ["http://localhost:1", undefined, "needs the Worker's secret in the environment: PURGE_SECRET"],
    ["http://localhost:1", "", "needs the Worker's secret in the environment: PURGE_SECRET"],
    ["http://localhost:1", "with space", "cannot be sent in a header"],
  ] as const)(
    "because %s or the secret %j will not do, keeps the change from being made",
    async ([url, secret, expected]) => {
      const { id, token } = await records.key(await records.company());
      const { exitCode, stderr } = await keys(["revoke", id, "--yes", "--purge-url", url], {
        env: { PURGE_SECRET: secret },
      });
      expect(exitCode).toBe(2);
      expect(lines(stderr)).toStrictEqual([expect.stringContaining(expected)]);
      expect(await statusOf(token)).toBe(200);
    },
  );
});

describe("without DATABASE_URL", () => {
  const noDatabase = { DATABASE_URL: undefined };

  test("it is the database of `npm run dev`, whose edge is purged unasked", async () => {
    const project = checkOut({
      url: api.url.origin,
      databaseUrl: inject("connectionString"),
      purgeSecret: PURGE_SECRET,
    });
    try {
      const { id, token } = await records.key(await records.company());
      expect(await statusOf(token)).toBe(200);
      const revoked = await keys(["revoke", id, "--yes"], { root: project.root, env: noDatabase });
      expect(revoked.exitCode).toBe(0);
      expect(await statusOf(token)).toBe(401);
    } finally {
      project.remove();
    }
  });

  test("its edge is left alone by who works on another database", async () => {
    const project = checkOut({
      url: api.url.origin,
      databaseUrl: `${inject("connectionString")}?application_name=dev`,
      purgeSecret: PURGE_SECRET,
    });
    try {
      const { id, token } = await records.key(await records.company());
      expect(await statusOf(token)).toBe(200);
      const revoked = await keys(["revoke", id, "--yes"], { root: project.root });
      expect(revoked).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(BOUNDS) });
      expect(await statusOf(token)).toBe(200);
      // By name it is purged, with the secret that it has told.
      const again = await keys(["revoke", id, "--yes", ...purging()], { root: project.root });
      expect(again.exitCode).toBe(0);
      expect(await statusOf(token)).toBe(401);
    } finally {
      project.remove();
    }
  });

  test("and without `npm run dev` there is nothing to work on", async () => {
    const project = checkOut();
    try {
      expect(await keys(["list"], { root: project.root, env: noDatabase })).toStrictEqual({
        exitCode: 2,
        stdout: "",
        stderr: "error: No database: set DATABASE_URL, or start `npm run dev`.\n",
      });
    } finally {
      project.remove();
    }
  });

  test("a `npm run dev` whose database is gone is named", async () => {
    const project = checkOut({
      url: "http://localhost:1",
      databaseUrl: "postgres://a:b@127.0.0.1:1/c",
      purgeSecret: "",
    });
    try {
      const { exitCode, stderr } = await keys(["list"], { root: project.root, env: noDatabase });
      expect(exitCode).toBe(1);
      expect(stderr).toBe("error: The database of `npm run dev` cannot be reached: ECONNREFUSED\n");
    } finally {
      project.remove();
    }
  });
});
