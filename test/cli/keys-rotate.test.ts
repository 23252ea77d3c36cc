import { describe, expect, test } from "vitest";
import { MAX_LIVE_TOKENS } from "../../src/cli/keys/change.ts";
import { sha256, useRecords } from "../support/records.ts";
import { expectError, keys, keysJson } from "./command.ts";

const records = useRecords();

const HOUR_MS = 3_600_000;
const [soon, late, over] = [1, 200, -1].map((hours) => new Date(Date.now() + hours * HOUR_MS)) as [Date, Date, Date];

/** In the order in which they were made. */
async function tokensOf(id: string): Promise<{ hash: string; expires_at: Date | null; created_at: Date }[]> {
  const { rows } = await records.pool.query(
    `select encode(hash, 'hex') as hash, expires_at, created_at from api_key_tokens where api_key_id = $1
     order by created_at, expires_at nulls last`,
    [id],
  );
  return rows;
}

const endsOf = async (id: string): Promise<Record<string, Date | null>> =>
  Object.fromEntries((await tokensOf(id)).map(({ hash, expires_at }) => [hash, expires_at]));

/** A key that has another token with each of these ends, and the hashes of its tokens. */
async function keyWith(...ends: Date[]) {
  const { id, token } = await records.key(await records.company());
  const others: string[] = [];
  for (const end of ends) others.push(sha256(await records.token(id, end)));
  return { id, first: sha256(token), others };
}

/** @returns the new token's hash */
async function rotate(id: string, ...options: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await keys(["rotate", id, "--quiet", "--yes", ...options]);
  expect([exitCode, stderr]).toStrictEqual([0, ""]);
  return sha256(stdout.trim());
}

describe("the overlap", () => {
  test.for([
    [[], 24],
    [["--overlap", "168h"], 168],
  ] as const)(
    "of %j is how long a token lives that would live longer; those that are over go",
    async ([options, hours]) => {
      const { id, first, others } = await keyWith(soon, late, over);
      const elsewhere = await keyWith(over);
      const next = await rotate(id, ...options);
      const madeAt = (await tokensOf(id)).find(({ hash }) => hash === next)?.created_at;
      const end = new Date(Number(madeAt) + hours * HOUR_MS);
      const [second = "", third = ""] = others;
      expect(await endsOf(id)).toStrictEqual({ [first]: end, [second]: soon, [third]: end, [next]: null });
      expect(await endsOf(elsewhere.id)).toStrictEqual({
        [elsewhere.first]: null,
        [String(elsewhere.others[0])]: over,
      });
    },
  );

  test("of 0 ends every other token at once", async () => {
    const { id } = await keyWith(soon);
    const next = await rotate(id, "--overlap", "0");
    expect(await endsOf(id)).toStrictEqual({ [next]: null });
  });

  test.for([
    ["169h", "Expected 168h at most."],
    ["-1h", "Expected 0 or a duration"],
    ["", "Expected 0 or a duration"],
  ] as const)("may not be %j", async ([overlap, words]) => {
    const { id, first } = await keyWith();
    expectError(await keys(["rotate", id, `--overlap=${overlap}`]), 2, words);
    expect(await endsOf(id)).toStrictEqual({ [first]: null });
  });
});

describe("what cannot be rotated changes nothing:", () => {
  test("an expired key", async () => {
    const { id, token } = await records.key(await records.company(), { expiresAt: new Date("2025-01-31T00:00:00Z") });
    const words = "error: The key expired at 2025-01-31T00:00:00.000Z, and with it every token: issue another.\n";
    expectError(await keys(`rotate ${id}`), 1, words);
    expect(await endsOf(id)).toStrictEqual({ [sha256(token)]: null });
  });

  test.for(["rotate", "enable"])("a revoked key, by %s", async (command) => {
    const { id } = await keyWith();
    await keys(`revoke ${id} --yes`);
    const words = "error: The key has been revoked, and that is for good: issue another.\n";
    expectError(await keys(`${command} ${id}`), 1, words);
    expect(await endsOf(id)).toStrictEqual({});
  });

  test("a key with as many live tokens as there may be, unless it ends them", async () => {
    const { id, first, others } = await keyWith(...Array(MAX_LIVE_TOKENS - 1).fill(soon));
    const words = `error: The key has ${MAX_LIVE_TOKENS} live tokens, the most there may be: wait for one to expire, or end them with --overlap 0.\n`;
    expectError(await keys(`rotate ${id}`), 1, words);
    expect(await endsOf(id)).toStrictEqual({
      [first]: null,
      ...Object.fromEntries(others.map((hash) => [hash, soon])),
    });
    await rotate(id, "--overlap", "0");
    expect(await tokensOf(id)).toHaveLength(1);
  });
});

test("a disabled key is rotated and stays disabled", async () => {
  const { id } = await records.key(await records.company(), { isEnabled: false });
  const rotated = await keysJson(`rotate ${id}`);
  expect(rotated).toMatchObject({ state: "disabled", token: expect.stringMatching(/^svl_[0-9a-f]{64}$/) });
  expect(await tokensOf(id)).toHaveLength(2);
});

describe("rotations at once", () => {
  /** Each has printed a token of its own; each but the last ends a day after the next was made. */
  async function expectTurns({ id, first }: { id: string; first: string }, printed: string[]): Promise<void> {
    const tokens = await tokensOf(id);
    expect(tokens.map(({ hash }) => hash).toSorted()).toStrictEqual([first, ...printed].toSorted());
    const ends = tokens.slice(1).map(({ created_at }) => new Date(created_at.getTime() + 24 * HOUR_MS));
    expect(tokens.map(({ expires_at }) => expires_at)).toStrictEqual([...ends, null]);
  }

  test("take turns, and make no more tokens than a key may have", async () => {
    const key = await keyWith();
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => keys(`rotate ${key.id} --quiet`)));
    const done = outcomes.filter(({ exitCode }) => exitCode === 0);
    expect(done).toHaveLength(MAX_LIVE_TOKENS - 1);
    for (const outcome of outcomes) if (!done.includes(outcome)) expectError(outcome, 1, "the most there may be");
    await expectTurns(
      key,
      done.map(({ stdout }) => sha256(stdout.trim())),
    );
  });

  // The embedded Postgres has one session, where an open transaction keeps all others out.
  if (![undefined, "pglite"].includes(process.env.TEST_DATABASE)) {
    test("do so also where they wait for each other in the midst, which is not taken off the overlap", async () => {
      const key = await keyWith();
      const holder = await records.pool.connect();
      try {
        await holder.query("begin");
        await holder.query("select from api_keys where id = $1 for update", [key.id]);
        const rotations = [rotate(key.id), rotate(key.id)];
        const waiting =
          "select from pg_stat_activity where application_name = 'process-api keys' and wait_event_type = 'Lock'";
        await expect.poll(async () => (await records.pool.query(waiting)).rowCount).toBe(2);
        const { rows } = await holder.query("select date_trunc('milliseconds', clock_timestamp()) as released");
        await holder.query("rollback");
        await expectTurns(key, await Promise.all(rotations));
        for (const { created_at } of (await tokensOf(key.id)).slice(1))
          expect(created_at >= rows[0].released).toBe(true);
      } finally {
        holder.release(true);
      }
    });
  }
});
