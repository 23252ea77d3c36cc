// What changes of a key mean to the Worker and its cache.
import { expect, test } from "vitest";
import { BOUNDS } from "../../src/cli/keys/edge.ts";
import purge from "../../src/cli/purge.ts";
import { PURGE_SECRET, useApi } from "../support/api.ts";
import { type CommandOptions, run } from "../support/command.ts";
import { bearer, useRecords } from "../support/records.ts";
import { checkOut, databaseUrl, expectError, keys, keysJson, lines, masked } from "./command.ts";

const api = useApi();
const records = useRecords();

const purging = (args: string, options: CommandOptions = {}) =>
  keys(`${args} --purge-url ${api.url.origin}`, { env: { PURGE_SECRET }, ...options });

const me = (token: string) => api.fetch("/v3/api-keys/me", bearer(token));
const statusOf = async (token: string) => (await me(token)).status;

/** Makes a key for which the edge has cached a response. */
async function usedKey() {
  const key = await records.key(await records.company());
  expect(await statusOf(key.token)).toBe(200);
  return key;
}

test("an issued key works, its tokens overlap after rotate, and none works after revoke", async () => {
  const companyId = await records.company();
  const old = (await keys(`issue --company ${companyId} --name CI --expires 90d --quiet`)).stdout.trim();
  const capabilities = [{ permission: "APP:READ", resource_id: null }];
  const key = (await (await me(old)).json()) as { id: string };
  expect(key).toMatchObject({ company: { id: companyId }, name: "CI", masked_token: masked(old), capabilities });
  const rotated = await purging(`rotate ${key.id} --quiet`);
  expect(rotated).toMatchObject({ exitCode: 0, stderr: "" });
  const next = rotated.stdout.trim();
  expect([await statusOf(old), await (await me(next)).json()]).toMatchObject([200, { id: key.id }]);
  const { exitCode, stderr } = await purging(`revoke ${key.id} --yes`);
  const told = `Purged ${api.url.origin}: what it cached for this key before is not used again.`;
  expect([exitCode, lines(stderr).at(-1)]).toStrictEqual([0, told]);
  expect([await statusOf(old), await statusOf(next)]).toStrictEqual([401, 401]);
});

test.for(["revoke --yes", "disable --yes", "rotate --overlap 0 --yes"])(
  "%s takes effect at once with a purge, then or later, and otherwise after a minute, as it says",
  async (command) => {
    const [purged, later, left] = [await usedKey(), await usedKey(), await usedKey()];
    expect((await purging(`${command} ${purged.id}`)).exitCode).toBe(0);
    for (const { id } of [later, left]) {
      const { exitCode, stderr } = await keys(`${command} ${id}`);
      const advice = `npm run purge -- --key ${id} --url <origin of the Worker>`;
      expect([exitCode, stderr]).toStrictEqual([
        0,
        expect.stringContaining(`${BOUNDS}\nTo end that now: PURGE_SECRET=… ${advice}\n`),
      ]);
      expect(await statusOf(later.token)).toBe(200);
    }
    const args = ["--key", later.id, "--url", api.url.origin];
    expect(await run(purge, args, { env: { PURGE_SECRET } })).toMatchObject({
      exitCode: 0,
      stdout: `key:${later.id}\n`,
    });
    expect(await Promise.all([purged, later, left].map(({ token }) => statusOf(token)))).toStrictEqual([401, 401, 200]);
    await api.advance(60);
    expect(await statusOf(left.token)).toBe(401);
  },
);

test("the message about cached responses has the Worker's default times", () => {
  expect(BOUNDS).toMatch(/60 s.*3630 s.*60 s.*330 s.*1 h/s);
});

test("a disabled key works again as soon as it is enabled", async () => {
  const { id, token } = await records.key(await records.company());
  await keys(`disable ${id} --yes`);
  expect(await statusOf(token)).toBe(401);
  expect((await keys(`enable ${id}`)).exitCode).toBe(0);
  expect(await statusOf(token)).toBe(200);
});

test.for(["revoke --yes --json", "rotate --overlap 0 --yes"])(
  "%s purges the edge even if nobody reads stdout",
  async (command) => {
    const { id, token } = await usedKey();
    const { exitCode, stderr } = await purging(`${command} ${id}`, { closeStdout: true });
    expect(exitCode).toBe(1);
    expect(lines(stderr).at(-1)).toMatch(/^error: .*could not be written/);
    expect(await statusOf(token)).toBe(401);
  },
);

test("a failed purge leaves the change in place and exits with 3; the same command makes up for it", async () => {
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

test.for(["revoke", "rotate"])(
  "%s changes nothing if the Worker cannot be purged for want of a secret",
  async (command) => {
    const { id } = await records.key(await records.company());
    const before = await keysJson(`show ${id}`);
    const outcome = await keys(`${command} ${id} --yes --purge-url https://example.com`);
    expectError(outcome, 2, "error: --purge-url needs the Worker's secret in the environment: PURGE_SECRET.\n");
    expect(await keysJson(`show ${id}`)).toStrictEqual(before);
  },
);

test("a change purges `npm run dev` if it uses the same database, or if --purge-url names it", async () => {
  const { origin: url } = api.url;
  const [one, two] = [await usedKey(), await usedKey()];
  const root = checkOut({ url, databaseUrl: databaseUrl(), purgeSecret: PURGE_SECRET });
  expect((await keys(`revoke ${one.id} --yes`, { root, env: { DATABASE_URL: undefined } })).exitCode).toBe(0);
  expect(await statusOf(one.token)).toBe(401);

  const elsewhere = checkOut({ url, databaseUrl: `${databaseUrl()}?application_name=dev`, purgeSecret: PURGE_SECRET });
  const revoked = await keys(`revoke ${two.id} --yes`, { root: elsewhere });
  expect(revoked).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(BOUNDS) });
  expect(await statusOf(two.token)).toBe(200);
  // Its secret comes from the file that it wrote.
  expect((await purging(`revoke ${two.id} --yes`, { root: elsewhere, env: {} })).exitCode).toBe(0);
  expect(await statusOf(two.token)).toBe(401);
});
