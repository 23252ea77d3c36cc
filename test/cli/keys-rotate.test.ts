import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { MAX_LIVE_TOKENS } from "../../src/cli/keys/change.ts";
import { openRecords, type Records, sha256 } from "../support/records.ts";
import { keys, lines } from "./command.ts";

let records: Records;
beforeAll(async () => {
  records = await openRecords(inject("connectionString"));
});
afterAll(() => records.close());

const HOUR = 3_600;
const hoursFromNow = (hours: number) => new Date(Date.now() + hours * HOUR * 1_000);

/** The tokens of a key by their hash, with the seconds that they have left; null: no end. */
async function tokensOf(id: string): Promise<Map<string, number | null>> {
  const { rows } = await records.pool.query(
    `select encode(hash, 'hex') as hash, extract(epoch from expires_at - clock_timestamp())::float8 as left
     from api_key_tokens where api_key_id = $1`,
    [id],
  );
  return new Map(rows.map(({ hash, left }) => [hash, left]));
}

async function rotate(id: string, ...options: string[]): Promise<string> {
  const { exitCode, stdout } = await keys(["rotate", id, "--quiet", ...options]);
  expect(exitCode).toBe(0);
  return sha256(stdout.trim());
}

/** Within a minute of what was meant, for a machine that is busy. */
function expectAbout(seconds: number | null | undefined, expected: number): void {
  expect(seconds).toBeLessThanOrEqual(expected);
  expect(seconds).toBeGreaterThan(expected - 60);
}

describe("the overlap", () => {
  test.for([
    [[], 24 * HOUR],
    [["--overlap", "168h"], 168 * HOUR],
  ] as const)("of %j is how long the old token lives", async ([options, expected]) => {
    const key = await records.key(await records.company());
    const next = await rotate(key.id, ...options);
    const tokens = await tokensOf(key.id);
    expect(tokens.size).toBe(2);
    expectAbout(tokens.get(sha256(key.token)), expected);
    expect(tokens.get(next)).toBeNull();
  });

  test("does not lengthen the life of a token that ends sooner, and shortens that of one that ends later", async () => {
    const key = await records.key(await records.company());
    const soon = sha256(await records.token(key.id, hoursFromNow(1)));
    const late = sha256(await records.token(key.id, hoursFromNow(100)));
    await rotate(key.id, "--overlap", "24h");
    const tokens = await tokensOf(key.id);
    expectAbout(tokens.get(soon), HOUR);
    expectAbout(tokens.get(late), 24 * HOUR);
  });

  test("of 0 ends every other token at once", async () => {
    const key = await records.key(await records.company());
    await records.token(key.id, hoursFromNow(1));
    const next = await rotate(key.id, "--overlap", "0", "--yes");
    expect([...(await tokensOf(key.id))]).toStrictEqual([[next, null]]);
  });

  test.for(["169h", "-1h", ""])("may not be %j", async (overlap) => {
    const key = await records.key(await records.company());
    const outcome = await keys(["rotate", key.id, `--overlap=${overlap}`]);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(lines(outcome.stderr)).toStrictEqual([expect.stringMatching(/^error: .*Expected .*\.$/)]);
    expect([...(await tokensOf(key.id))]).toStrictEqual([[sha256(key.token), null]]);
  });
});

test("tokens that are over are swept away, and no other key's", async () => {
  const companyId = await records.company();
  const key = await records.key(companyId);
  const over = sha256(await records.token(key.id, hoursFromNow(-1)));
  const other = await records.key(companyId);
  const overElsewhere = sha256(await records.token(other.id, hoursFromNow(-1)));
  await rotate(key.id);
  expect((await tokensOf(key.id)).has(over)).toBe(false);
  const elsewhere = await tokensOf(other.id);
  expect(elsewhere.has(overElsewhere)).toBe(true);
  expect(elsewhere.get(sha256(other.token))).toBeNull();
});

describe("what cannot be rotated changes nothing", () => {
  test("an expired key", async () => {
    const key = await records.key(await records.company(), { expiresAt: new Date("2025-01-31T00:00:00Z") });
    const outcome = await keys(["rotate", key.id]);
    expect(outcome).toStrictEqual({
      exitCode: 1,
      stdout: "",
      stderr: "error: The key expired at 2025-01-31T00:00:00.000Z, and with it every token: issue another.\n",
    });
    expect([...(await tokensOf(key.id))]).toStrictEqual([[sha256(key.token), null]]);
  });

  test("a revoked key, by rotation or by enabling", async () => {
    const key = await records.key(await records.company());
    await keys(["revoke", key.id, "--yes"]);
    for (const command of ["rotate", "enable"]) {
      expect(await keys([command, key.id])).toStrictEqual({
        exitCode: 1,
        stdout: "",
        stderr: "error: The key has been revoked, and that is for good: issue another.\n",
      });
    }
    expect((await tokensOf(key.id)).size).toBe(0);
  });

  test("a key with as many live tokens as there may be", async () => {
    const key = await records.key(await records.company());
    for (let count = 1; count < MAX_LIVE_TOKENS; count++) await records.token(key.id, hoursFromNow(1));
    const before = await tokensOf(key.id);
    const outcome = await keys(["rotate", key.id]);
    expect(outcome).toMatchObject({ exitCode: 1, stdout: "" });
    expect(lines(outcome.stderr)).toStrictEqual([
      `error: The key has ${MAX_LIVE_TOKENS} live tokens, the most there may be: wait for one to expire, or end them with --overlap 0.`,
    ]);
    expect([...(await tokensOf(key.id)).keys()].toSorted()).toStrictEqual([...before.keys()].toSorted());
    expect((await tokensOf(key.id)).get(sha256(key.token))).toBeNull();
    await rotate(key.id, "--overlap", "0", "--yes");
    expect((await tokensOf(key.id)).size).toBe(1);
  });
});

test("a disabled key is rotated and stays disabled", async () => {
  const key = await records.key(await records.company(), { isEnabled: false });
  const { stdout } = await keys(["rotate", key.id, "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ state: "disabled", token: expect.stringMatching(/^svl_/) });
  expect((await tokensOf(key.id)).size).toBe(2);
});

describe("rotations at once", () => {
  test.for([1, 2, 3])("leave one token without an end, and each a token of its own (%i)", async () => {
    const key = await records.key(await records.company());
    const printed = await Promise.all([rotate(key.id), rotate(key.id)]);
    await expectConsistent(key, printed);
  });

  test("are no more than a key may have tokens", async () => {
    const key = await records.key(await records.company());
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => keys(["rotate", key.id, "--quiet"])));
    const refused = outcomes.filter(({ exitCode }) => exitCode === 1);
    expect(refused).toHaveLength(6 - (MAX_LIVE_TOKENS - 1));
    for (const { stdout, stderr } of refused) expect([stdout, lines(stderr).length]).toStrictEqual(["", 1]);
    const printed = outcomes.filter(({ exitCode }) => exitCode === 0).map(({ stdout }) => sha256(stdout.trim()));
    await expectConsistent(key, printed);
  });

  // The embedded Postgres has one session, where an open transaction keeps all others out.
  const isEmbedded = ["pglite", undefined].includes(process.env.TEST_DATABASE);
  test.skipIf(isEmbedded)("that wait for each other in the midst leave the same", async () => {
    const key = await records.key(await records.company());
    const holder = await records.pool.connect();
    try {
      await holder.query("begin");
      await holder.query("select from api_keys where id = $1 for update", [key.id]);
      const rotations = [rotate(key.id), rotate(key.id)];
      await expect.poll(countOfWaiting).toBe(2);
      const { rows } = await holder.query("select date_trunc('milliseconds', clock_timestamp()) as released");
      await holder.query("rollback");
      await expectConsistent(key, await Promise.all(rotations));
      // The time of waiting is not taken off the overlap.
      const { rowCount } = await records.pool.query(
        "select from api_key_tokens where api_key_id = $1 and created_at >= $2",
        [key.id, rows[0].released],
      );
      expect(rowCount).toBe(2);
    } finally {
      holder.release(true);
    }
  });

  async function countOfWaiting(): Promise<number> {
    const { rows } = await records.pool.query(
      "select count(*)::int as count from pg_stat_activity where application_name = 'process-api keys' and wait_event_type = 'Lock'",
    );
    return rows[0].count;
  }

  async function expectConsistent(key: { id: string; token: string }, printed: string[]): Promise<void> {
    const tokens = await tokensOf(key.id);
    expect([...tokens.keys()].toSorted()).toStrictEqual([sha256(key.token), ...printed].toSorted());
    const endless = printed.filter((hash) => tokens.get(hash) === null);
    expect(endless).toHaveLength(1);
    for (const [hash, left] of tokens) if (!endless.includes(hash)) expectAbout(left, 24 * HOUR);
  }
});
