// A key's life, as operators lead it and as the Worker sees it.
import { expect, inject, test } from "vitest";
import { BOUNDS } from "../../src/cli/keys/edge.ts";
import { PURGE_SECRET, useApi } from "../support/api.ts";
import type { CommandOptions } from "../support/command.ts";
import { bearer, useRecords } from "../support/records.ts";
import { checkOut, expectError, keys, lines, masked } from "./command.ts";

const api = useApi();
const records = useRecords();

const purging = (args: string, options: CommandOptions = {}) =>
  keys(`${args} --purge-url ${api.url.origin}`, { env: { PURGE_SECRET }, ...options });

async function me(token: string) {
  const response = await api.fetch("/v3/api-keys/me", bearer(token));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const statusOf = async (token: string) => (await me(token)).status;

/** A key for which the edge holds a response. */
async function usedKey() {
  const key = await records.key(await records.company());
  expect(await statusOf(key.token)).toBe(200);
  return key;
}

test("issue, rotate and revoke", async () => {
  const companyId = await records.company();
  const old = (await keys(`issue --company ${companyId} --name CI --expires 90d --quiet`)).stdout.trim();
  const { status, body } = await me(old);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    company: { id: companyId },
    name: "CI",
    masked_token: masked(old),
    capabilities: [{ permission: "APP:READ", resource_id: null }],
  });
  const rotated = await purging(`rotate ${body.id} --quiet`);
  expect(rotated).toMatchObject({ exitCode: 0, stderr: "" });
  const next = rotated.stdout.trim();
  expect([next === old, await statusOf(old), (await me(next)).body.id]).toStrictEqual([false, 200, body.id]);
  const revoked = await purging(`revoke ${body.id} --yes`);
  expect([revoked.exitCode, lines(revoked.stderr).at(-1)]).toStrictEqual([
    0,
    `Purged ${api.url.origin}: what it answered for this key before is not used again.`,
  ]);
  expect([await statusOf(old), await statusOf(next)]).toStrictEqual([401, 401]);
});

test.for(["revoke --yes", "disable --yes", "rotate --overlap 0 --yes"])(
  "%s holds at once with a purge, and else after a minute, which it says",
  async (command) => {
    const [purged, left] = [await usedKey(), await usedKey()];
    expect((await purging(`${command} ${purged.id}`)).exitCode).toBe(0);
    const { exitCode, stderr } = await keys(`${command} ${left.id}`);
    expect(exitCode).toBe(0);
    const advice = `To end that now: PURGE_SECRET=… npm run purge -- --key ${left.id} --url <origin of the Worker>`;
    expect(stderr).toContain(`${BOUNDS}\n${advice}\n`);
    expect([await statusOf(purged.token), await statusOf(left.token)]).toStrictEqual([401, 200]);
    await api.advance(60);
    expect(await statusOf(left.token)).toBe(401);
  },
);

test("the bounds that are told are those of the Worker", () => {
  expect(BOUNDS).toMatch(/60 s.*330 s.*1 h/s);
});

test("a disabled key works again as soon as it is enabled", async () => {
  const { id, token } = await records.key(await records.company());
  await keys(`disable ${id} --yes`);
  expect(await statusOf(token)).toBe(401);
  expect((await keys(`enable ${id}`)).exitCode).toBe(0);
  expect(await statusOf(token)).toBe(200);
});

test.for(["revoke --yes --json", "rotate --overlap 0 --yes"])(
  "a reader that goes away keeps no purge from being made by %s",
  async (command) => {
    const { id, token } = await usedKey();
    const { exitCode, stderr } = await purging(`${command} ${id}`, { closeStdout: true });
    expect([exitCode, lines(stderr).at(-1)]).toStrictEqual([
      1,
      expect.stringMatching(/^error: .*could not be written/),
    ]);
    expect(await statusOf(token)).toBe(401);
  },
);

test("a purge that fails leaves the change, is told, exits with 3, and is made up for by the same command", async () => {
  const { id, token } = await usedKey();
  const env = { PURGE_SECRET: "another-secret-of-somebody-else-entirely" };
  const rotated = await purging(`rotate ${id} --quiet`, { env });
  const { origin } = api.url;
  const reason = `the purge failed: ${origin} does not take this PURGE_SECRET.`;
  const error = `error: The change stands, but ${reason} Purge it: npm run purge -- --key ${id} --url ${origin} --wait 60`;
  expect([rotated.exitCode, lines(rotated.stderr)]).toStrictEqual([3, [error]]);
  expect(await statusOf(rotated.stdout.trim())).toBe(200);

  const { exitCode, stdout, stderr } = await purging(`revoke ${id} --yes --json`, { env });
  expect([exitCode, lines(stderr)]).toStrictEqual([3, ["Revoked a key.", error]]);
  expect(JSON.parse(stdout)).toMatchObject({ id, state: "revoked", tokens: [] });
  expect(await statusOf(token)).toBe(200);
  const again = await purging(`revoke ${id} --yes`);
  expect([again.exitCode, lines(again.stderr)[0]]).toStrictEqual([0, "The key was revoked before."]);
  expect(await statusOf(token)).toBe(401);
});

test("a Worker that cannot be purged keeps the change from being made", async () => {
  const { id } = await records.key(await records.company());
  for (const command of ["revoke", "rotate"]) {
    const outcome = await keys(`${command} ${id} --yes --purge-url https://example.com`);
    expectError(outcome, 2, "error: --purge-url needs the Worker's secret in the environment: PURGE_SECRET.\n");
  }
  expect(await records.pool.query("select from api_key_events where api_key_id = $1", [id])).toMatchObject({
    rowCount: 0,
  });
});

test("the edge of `npm run dev` is purged unasked by who works on its database, and by name by who does not", async () => {
  const databaseUrl = inject("connectionString");
  const { origin: url } = api.url;
  const [one, two] = [await usedKey(), await usedKey()];
  const root = checkOut({ url, databaseUrl, purgeSecret: PURGE_SECRET });
  expect((await keys(`revoke ${one.id} --yes`, { root, env: { DATABASE_URL: undefined } })).exitCode).toBe(0);
  expect(await statusOf(one.token)).toBe(401);

  const elsewhere = checkOut({ url, databaseUrl: `${databaseUrl}?application_name=dev`, purgeSecret: PURGE_SECRET });
  const revoked = await keys(`revoke ${two.id} --yes`, { root: elsewhere });
  expect(revoked).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(BOUNDS) });
  expect(await statusOf(two.token)).toBe(200);
  // With the secret that it has told.
  expect((await purging(`revoke ${two.id} --yes`, { root: elsewhere, env: {} })).exitCode).toBe(0);
  expect(await statusOf(two.token)).toBe(401);
});
