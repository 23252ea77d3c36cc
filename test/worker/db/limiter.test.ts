// The limiter in front of a database that is simulated with a moved clock: connections, a service time, a queue without
// end.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ConcurrencyLimiter } from "../../../src/worker/db/limiter.ts";
import { RetryBudget } from "../../../src/worker/db/retry-budget.ts";

const DEADLINE_MS = 3_000;
const BURST_WAIT_MS = 250;
const CONNECTIONS = 10;
const SERVICE_MS = 40;
/** Queries a second. */
const CAPACITY = (CONNECTIONS * 1_000) / SERVICE_MS;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const createLimiter = () => new ConcurrencyLimiter({ queueingMs: DEADLINE_MS / 6, expiryMs: 2 * DEADLINE_MS });

/** The outcome of a query is known this long after it was sent. */
class Database {
  serviceMs = SERVICE_MS;
  readonly #freeAt: number[];

  constructor(connections = CONNECTIONS) {
    this.#freeAt = Array<number>(connections).fill(0);
  }

  async query(): Promise<"answered" | "timeout"> {
    const now = Date.now();
    const connection = this.#freeAt.indexOf(Math.min(...this.#freeAt));
    const endsAt = Math.max(now, this.#freeAt[connection] as number) + this.serviceMs;
    this.#freeAt[connection] = endsAt;
    await sleep(Math.min(endsAt - now, DEADLINE_MS));
    return endsAt - now <= DEADLINE_MS ? "answered" : "timeout";
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Second {
  answered: number;
  timeout: number;
  refused: number;
  slowestRefusalMs: number;
  slowestAnswerMs: number;
}

/** Sends queries at a steady rate, whether or not those before are answered. @returns what was answered in each second */
async function offer(
  { limiter, database }: { limiter: ConcurrencyLimiter | undefined; database: Database },
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Second[]> {
  const startedAt = Date.now();
  const result = Array.from({ length: seconds }, () => ({
    answered: 0,
    timeout: 0,
    refused: 0,
    slowestRefusalMs: 0,
    slowestAnswerMs: 0,
  }));
  async function send(): Promise<void> {
    const sentAt = Date.now();
    const permit = limiter === undefined ? undefined : await limiter.acquire();
    const outcome = limiter !== undefined && permit === undefined ? "refused" : await database.query();
    if (permit !== undefined) limiter?.release(permit, outcome === "timeout" ? "overload" : "measured");
    const second = result[Math.floor((Date.now() - startedAt) / 1_000)];
    if (second === undefined) return;
    second[outcome]++;
    const slowest = outcome === "refused" ? "slowestRefusalMs" : "slowestAnswerMs";
    second[slowest] = Math.max(second[slowest], Date.now() - sentAt);
  }
  for (let sent = 0; sent < perSecond * seconds; sent++) {
    void send();
    await vi.advanceTimersByTimeAsync(1_000 / perSecond);
  }
  return result;
}

const subject = (connections?: number) => ({ limiter: createLimiter(), database: new Database(connections) });

describe("at four times the capacity", () => {
  test("nothing is answered without a limit: the simulation has the trouble that the limit is for", async () => {
    const seconds = await offer(
      { limiter: undefined, database: new Database() },
      { perSecond: 4 * CAPACITY, seconds: 8 },
    );
    expect(seconds.at(-1)?.answered).toBe(0);
  });

  test("the database is kept busy with what can be answered, and the rest is refused at once", async () => {
    const seconds = await offer(subject(), { perSecond: 4 * CAPACITY, seconds: 12 });
    for (const { answered, timeout } of seconds.slice(1)) {
      expect(answered).toBeGreaterThanOrEqual(0.9 * CAPACITY);
      expect(timeout).toBe(0);
    }
    expect(seconds.at(-1)?.refused).toBeGreaterThan(2 * CAPACITY);
    // Once a queue stands, nobody waits in it for long.
    expect(seconds.at(-1)?.slowestRefusalMs).toBeLessThan(50);
  });
});

test("where little is asked and less can be done, nobody waits for long, either", async () => {
  const { limiter, database } = subject(10);
  database.serviceMs = 10 * SERVICE_MS;
  const capacity = 25;
  const seconds = await offer({ limiter, database }, { perSecond: 4 * capacity, seconds: 12 });
  for (const { answered, refused, slowestRefusalMs } of seconds.slice(6)) {
    expect(answered).toBeGreaterThanOrEqual(0.8 * capacity);
    expect(refused).toBeGreaterThan(2 * capacity);
    expect(slowestRefusalMs).toBeLessThan(50);
  }
});

test("below the capacity nothing is refused", async () => {
  const seconds = await offer(subject(), { perSecond: 0.8 * CAPACITY, seconds: 6 });
  expect(seconds.map(({ refused, timeout }) => refused + timeout)).toStrictEqual([0, 0, 0, 0, 0, 0]);
});

test("a burst of several limits waits for its turn", async () => {
  const { limiter, database } = subject();
  const seconds = await offer({ limiter, database }, { perSecond: 10, seconds: 1 });
  expect(seconds[0]?.refused).toBe(0);
  const burst = Array.from({ length: 4 * CONNECTIONS }, async () => {
    const permit = await limiter.acquire();
    if (permit === undefined) return "refused";
    await database.query();
    limiter.release(permit, "measured");
    return "answered";
  });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(new Set(await Promise.all(burst))).toStrictEqual(new Set(["answered"]));
});

test("a database that is ten times slower for a while is followed down and up again", async () => {
  const { limiter, database } = subject();
  const perSecond = 0.8 * CAPACITY;
  await offer({ limiter, database }, { perSecond, seconds: 3 });
  database.serviceMs = 10 * SERVICE_MS;
  const slow = await offer({ limiter, database }, { perSecond, seconds: 40 });
  // They come in waves, as the connections become free.
  const answered = slow.slice(5).map((second) => second.answered);
  expect(answered.reduce((sum, count) => sum + count, 0) / answered.length).toBeGreaterThanOrEqual(0.09 * CAPACITY);
  expect(slow.slice(5).map(({ timeout }) => timeout)).toStrictEqual(Array(35).fill(0));
  // The queue may add this, beside the service itself and the wait for a turn.
  const boundMs = database.serviceMs + DEADLINE_MS / 6 + BURST_WAIT_MS;
  for (const { slowestAnswerMs } of slow.slice(5)) expect(slowestAnswerMs).toBeLessThanOrEqual(boundMs);
  database.serviceMs = SERVICE_MS;
  const well = await offer({ limiter, database }, { perSecond, seconds: 7 });
  for (const { answered } of well.slice(5)) expect(answered).toBeGreaterThanOrEqual(0.95 * perSecond);
});

test("a database that can do more than the first guess is used", async () => {
  const seconds = await offer(subject(4 * CONNECTIONS), { perSecond: 3 * CAPACITY, seconds: 4 });
  expect(seconds.at(-1)).toMatchObject({ answered: 3 * CAPACITY, refused: 0 });
});

test("a database that hangs is asked again and again, and used as soon as it answers", async () => {
  const { limiter, database } = subject();
  const perSecond = 0.8 * CAPACITY;
  database.serviceMs = 60_000;
  await offer({ limiter, database }, { perSecond: 50, seconds: 120 });
  const well = await offer({ limiter, database: new Database() }, { perSecond, seconds: 7 });
  for (const { answered } of well.slice(5)) expect(answered).toBeGreaterThanOrEqual(0.95 * perSecond);
});

test("a far-away database is not taken for a slow one", async () => {
  const { limiter, database } = subject();
  database.serviceMs = 900;
  const perSecond = (CONNECTIONS * 1_000) / 900 / 2;
  const seconds = await offer({ limiter, database }, { perSecond: Math.floor(perSecond), seconds: 6 });
  expect(seconds.map(({ refused }) => refused)).toStrictEqual([0, 0, 0, 0, 0, 0]);
});

test("permits that nobody gives back expire", async () => {
  const limiter = createLimiter();
  const acquireAll = async () => {
    const permits = Array.from({ length: limiter.limit + 1 }, () => limiter.acquire());
    await vi.advanceTimersByTimeAsync(300);
    return (await Promise.all(permits)).filter((permit) => permit !== undefined).length;
  };
  expect(await acquireAll()).toBe(limiter.limit);
  expect(await acquireAll()).toBe(0);
  await vi.advanceTimersByTimeAsync(2 * DEADLINE_MS);
  expect(await acquireAll()).toBe(limiter.limit);
});

test("retries are a tenth of what succeeds", () => {
  const budget = new RetryBudget();
  let spent = 0;
  while (budget.spend()) spent++;
  expect(spent).toBe(10);
  for (let n = 0; n < 1_000; n++) budget.earn();
  while (budget.spend()) spent++;
  expect(spent).toBe(20);
  for (let n = 0; n < 20; n++) budget.earn();
  expect([budget.spend(), budget.spend(), budget.spend()]).toStrictEqual([true, true, false]);
});
