import { expect, test } from "vitest";
import { MAX_LIVE_TOKENS } from "../../src/cli/keys/change.ts";
import { sha256, useRecords } from "../support/records.ts";
import { expectError, keys, keysJson } from "./command.ts";

const records = useRecords();

const HOUR_MS = 3_600_000;
const [soon, late, over] = [1, 200, -1].map((hours) => new Date(Date.now() + hours * HOUR_MS)) as [Date, Date, Date];

/** The key's tokens, the oldest first. */
async function tokensOf(id: string): Promise<{ hash: string; end: Date | null; madeAt: Date }[]> {
  const { rows } = await records.pool.query(
    `select encode(hash, 'hex') as hash, expires_at as end, created_at as "madeAt" from api_key_tokens
     where api_key_id = $1 order by created_at, expires_at nulls last`,
    [id],
  );
  return rows;
}
const endsOf = async (id: string) => Object.fromEntries((await tokensOf(id)).map(({ hash, end }) => [hash, end]));

/** Makes a key with a further token for each of these ends. @returns its id, and the hashes of its tokens */
async function keyWith(...ends: Date[]): Promise<[id: string, hashes: [string, string, string, ...string[]]]> {
  const { id, token } = await records.key(await records.company());
  const hashes = [sha256(token)];
  for (const end of ends) hashes.push(sha256(await records.token(id, end)));
  return [id, hashes as [string, string, string]];
}

/** @returns the new token's hash */
async function rotate(id: string, options = ""): Promise<string> {
  const { exitCode, stdout, stderr } = await keys(`rotate ${id} --quiet --yes${options}`);
  expect([exitCode, stderr]).toStrictEqual([0, ""]);
  return sha256(stdout.trim());
}

test.for([
  ["", 24],
  [" --overlap 168h", 168],
] as const)(
  "rotate%s ends older tokens after the overlap unless they end sooner, and deletes expired ones",
  async ([options, hours]) => {
    const [id, [first, second, third]] = await keyWith(soon, late, over);
    const [other, [live, spent]] = await keyWith(over);
    const next = await rotate(id, options);
    const madeAt = (await tokensOf(id)).find(({ hash }) => hash === next)?.madeAt;
    const end = new Date(Number(madeAt) + hours * HOUR_MS);
    expect(await endsOf(id)).toStrictEqual({ [first]: end, [second]: soon, [third]: end, [next]: null });
    expect(await endsOf(other)).toStrictEqual({ [live]: null, [spent]: over });
  },
);

test("rotate refuses a key with the most tokens allowed, unless --overlap 0 ends them all", async () => {
  const [id, hashes] = await keyWith(...Array(MAX_LIVE_TOKENS - 1).fill(soon));
  const most = `The key has ${MAX_LIVE_TOKENS} live tokens, the most there may be`;
  expectError(await keys(`rotate ${id}`), 1, `${most}: wait for one to expire, or end them with --overlap 0.\n`);
  expect(await endsOf(id)).toStrictEqual(Object.fromEntries(hashes.map((hash, n) => [hash, n === 0 ? null : soon])));
  const next = await rotate(id, " --overlap 0");
  expect(await endsOf(id)).toStrictEqual({ [next]: null });
});

test.for([
  ["169h", "Expected 168h at most."],
  ["-1h", "Expected 0 or a duration"],
  ["", "Expected 0 or a duration"],
] as const)("rotate refuses the overlap %j", async ([overlap, words]) => {
  const [id, [first]] = await keyWith();
  expectError(await keys(`rotate ${id} --overlap=${overlap}`), 2, words);
  expect(await endsOf(id)).toStrictEqual({ [first]: null });
});

test("rotate refuses expired and revoked keys, and leaves a disabled key disabled", async () => {
  const companyId = await records.company();
  const expired = await records.key(companyId, { expiresAt: new Date("2025-01-31T00:00:00Z") });
  const end = "The key expired at 2025-01-31T00:00:00.000Z, and with it every token: issue another.\n";
  expectError(await keys(`rotate ${expired.id}`), 1, end);
  expect(await endsOf(expired.id)).toStrictEqual({ [sha256(expired.token)]: null });
  const { id } = await records.key(companyId, { isEnabled: false });
  const rotated = await keysJson(`rotate ${id}`);
  expect(rotated).toMatchObject({ state: "disabled", token: expect.stringMatching(/^svl_[0-9a-f]{64}$/) });
  expect(await tokensOf(id)).toHaveLength(2);
  await keys(`revoke ${id} --yes`);
  for (const command of ["rotate", "enable"]) {
    expectError(await keys(`${command} ${id}`), 1, "The key has been revoked, and that is for good: issue another.\n");
    expect(await endsOf(id)).toStrictEqual({});
  }
});

test("concurrent rotations take turns, and never exceed the number of tokens that a key may have", async () => {
  const [id, [first]] = await keyWith();
  const outcomes = await Promise.all(Array.from({ length: 6 }, () => keys(`rotate ${id} --quiet`)));
  const printed = outcomes.filter(({ exitCode }) => exitCode === 0).map(({ stdout }) => sha256(stdout.trim()));
  expect(printed).toHaveLength(MAX_LIVE_TOKENS - 1);
  for (const one of outcomes) if (one.exitCode !== 0) expectError(one, 1, "the most there may be");
  const tokens = await tokensOf(id);
  expect(tokens.map(({ hash }) => hash).toSorted()).toStrictEqual([first, ...printed].toSorted());
  // Each token ends a day after the next one was created.
  const ends = tokens.slice(1).map(({ madeAt }) => new Date(madeAt.getTime() + 24 * HOUR_MS));
  expect(tokens.map(({ end }) => end)).toStrictEqual([...ends, null]);
});
