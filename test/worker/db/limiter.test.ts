// The limiter in front of a database that is simulated with a moved clock: connections, a service time, an endless queue.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ConcurrencyLimiter, type Permit } from "../../../src/worker/db/limiter.ts";
import { RetryBudget } from "../../../src/worker/db/retry-budget.ts";

const DEADLINE_MS = 3_000;
const BURST_WAIT_MS = 250;
const CONNECTIONS = 10;
const SERVICE_MS = 40;
/** Queries a second. */
const CAPACITY = (CONNECTIONS * 1_000) / SERVICE_MS;
const USUAL = 0.8 * CAPACITY;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const createLimiter = () => new ConcurrencyLimiter({ queueingMs: DEADLINE_MS / 6, expiryMs: 2 * DEADLINE_MS });

class Database {
  serviceMs = SERVICE_MS;
  readonly #freeAt: number[];

  constructor(connections: number) {
    this.#freeAt = Array<number>(connections).fill(0);
  }

  /** @returns the outcome, as soon as it is known */
  async query(): Promise<"answered" | "timeout"> {
    const now = Date.now();
    const connection = this.#freeAt.indexOf(Math.min(...this.#freeAt));
    const endsAt = Math.max(now, this.#freeAt[connection] as number) + this.serviceMs;
    this.#freeAt[connection] = endsAt;
    await new Promise((resolve) => setTimeout(resolve, Math.min(endsAt - now, DEADLINE_MS)));
    return endsAt - now <= DEADLINE_MS ? "answered" : "timeout";
  }
}

interface Subject {
  limiter?: ConcurrencyLimiter;
  database: Database;
}
const newSubject = (connections = CONNECTIONS) => {
  return { limiter: createLimiter(), database: new Database(connections) };
};

/** How many queries ended within a second, and the longest that they took. */
const newSecond = () => ({ answered: 0, timeout: 0, refused: 0, slowestRefusalMs: 0, slowestAnswerMs: 0 });

/** Sends queries at a steady rate, whether or not those before are answered. */
async function offer({ limiter, database }: Subject, perSecond: number, seconds: number) {
  const startedAt = Date.now();
  const result = Array.from({ length: seconds }, newSecond);
  async function send(): Promise<void> {
    const sentAt = Date.now();
    const permit = await limiter?.acquire();
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

describe("at four times the capacity", () => {
  test("nothing is answered without a limit: the simulation has the trouble that the limit is for", async () => {
    const seconds = await offer({ database: new Database(CONNECTIONS) }, 4 * CAPACITY, 6);
    expect(seconds.at(-1)?.answered).toBe(0);
  });

  test.for([
    ["the database is kept busy with what can be answered, and the rest is refused at once", 1, 0.9, 1],
    ["nobody waits for long, either, where little is asked and less can be done", 10, 0.8, 6],
  ] as const)("%s", async ([_, slowness, used, from]) => {
    const subject = newSubject();
    subject.database.serviceMs *= slowness;
    const capacity = CAPACITY / slowness;
    const seconds = await offer(subject, 4 * capacity, 12);
    for (const { answered, timeout } of seconds.slice(from)) {
      expect(answered).toBeGreaterThanOrEqual(used * capacity);
      expect(timeout).toBe(0);
    }
    // Once a queue stands, nobody waits in it for long.
    for (const { refused, slowestRefusalMs } of seconds.slice(6)) {
      expect(refused).toBeGreaterThan(2 * capacity);
      expect(slowestRefusalMs).toBeLessThan(50);
    }
  });
});

test.for([
  ["below the capacity", SERVICE_MS, USUAL],
  // It is not taken for a slow one, although more than the smallest limit are under way.
  ["where the database is far away", 900, 10],
] as const)("nothing is refused %s", async ([_, serviceMs, perSecond]) => {
  const subject = newSubject();
  subject.database.serviceMs = serviceMs;
  const seconds = await offer(subject, perSecond, 6);
  expect(seconds.map(({ refused, timeout }) => refused + timeout)).toStrictEqual([0, 0, 0, 0, 0, 0]);
});

test("a burst of several limits waits for its turn", async () => {
  const { limiter, database } = newSubject();
  const seconds = await offer({ limiter, database }, 10, 1);
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
  const subject = newSubject();
  await offer(subject, USUAL, 3);
  subject.database.serviceMs = 10 * SERVICE_MS;
  const slow = (await offer(subject, USUAL, 40)).slice(5);
  // They come in waves, as the connections become free.
  const mean = slow.reduce((sum, { answered }) => sum + answered, 0) / slow.length;
  expect(mean).toBeGreaterThanOrEqual(0.09 * CAPACITY);
  // The queue may add this, beside the service itself and the wait for a turn.
  const boundMs = subject.database.serviceMs + DEADLINE_MS / 6 + BURST_WAIT_MS;
  for (const { timeout, slowestAnswerMs } of slow) {
    expect(timeout).toBe(0);
    expect(slowestAnswerMs).toBeLessThanOrEqual(boundMs);
  }
  subject.database.serviceMs = SERVICE_MS;
  const well = await offer(subject, USUAL, 7);
  for (const { answered } of well.slice(5)) expect(answered).toBeGreaterThanOrEqual(0.95 * USUAL);
});

test("a database that can do more than the first guess is used within a second", async () => {
  const seconds = await offer(newSubject(16 * CONNECTIONS), 16 * USUAL, 2);
  expect(seconds.at(-1)).toMatchObject({ answered: 16 * USUAL, refused: 0 });
});

test("a database that hangs is asked again and again, and used as soon as it answers", async () => {
  const { limiter, database } = newSubject();
  database.serviceMs = 60_000;
  await offer({ limiter, database }, 50, 120);
  const well = await offer({ limiter, database: new Database(CONNECTIONS) }, USUAL, 7);
  for (const { answered } of well.slice(5)) expect(answered).toBeGreaterThanOrEqual(0.95 * USUAL);
});

test("permits that nobody gives back expire", async () => {
  const limiter = createLimiter();
  const acquireAll = async () => {
    const permits = Array.from({ length: limiter.limit + 1 }, () => limiter.acquire());
    await vi.advanceTimersByTimeAsync(300);
    return (await Promise.all(permits)).filter((permit) => permit !== undefined).length;
  };
  expect([await acquireAll(), await acquireAll()]).toStrictEqual([limiter.limit, 0]);
  await vi.advanceTimersByTimeAsync(2 * DEADLINE_MS);
  expect(await acquireAll()).toBe(limiter.limit);
});

test("retries are a tenth of what succeeds", () => {
  const budget = new RetryBudget();
  const spendAll = () => Array.from({ length: 100 }, () => budget.spend()).filter(Boolean).length;
  expect(spendAll()).toBe(10);
  for (const [earned, spent] of [
    [1_000, 10],
    [20, 2],
  ] as const) {
    for (let n = 0; n < earned; n++) budget.earn();
    expect(spendAll()).toBe(spent);
  }
});

test("whoever asks for more than half of the limit leaves the rest to others", async () => {
  const { limiter } = newSubject();
  const ask = (count: number, owner: string) => Array.from({ length: count }, () => limiter.acquire(owner));
  const [greedy, other] = [ask(11, "greedy"), ask(10, "other")];
  await vi.advanceTimersByTimeAsync(2 * BURST_WAIT_MS);
  const granted = async (permits: typeof greedy) => (await Promise.all(permits)).filter(Boolean).length;
  expect([await granted(greedy), await granted(other)]).toStrictEqual([10, 10]);
});

test("a burst waits for as long as it is allowed to", async () => {
  const granted = async (burstMs: number) => {
    const limiter = new ConcurrencyLimiter({ queueingMs: Number.POSITIVE_INFINITY, expiryMs: 6_000, burstMs });
    const database = new Database(1);
    const write = async () => {
      const permit = await limiter.acquire("one");
      if (permit === undefined) return false;
      await database.query();
      limiter.release(permit, "measured");
      return true;
    };
    const all = Array.from({ length: 25 }, write);
    await vi.advanceTimersByTimeAsync(3_000);
    return (await Promise.all(all)).filter(Boolean).length;
  };
  expect(await granted(1_000)).toBe(25);
  expect(await granted(250)).toBeLessThan(20);
});

test("nobody waits any less because somebody else asks for more than half of the limit", async () => {
  const { limiter } = newSubject();
  for (let n = 0; n < 4 * BURST_WAIT_MS; n += 10) {
    for (let m = 0; m < 20; m++) void limiter.acquire("greedy");
    await vi.advanceTimersByTimeAsync(10);
  }
  const [held, ...permits] = await Promise.all(Array.from({ length: 10 }, () => limiter.acquire("other")));
  const late = limiter.acquire("another");
  await vi.advanceTimersByTimeAsync(BURST_WAIT_MS / 2);
  limiter.release(held as Permit, "unmeasured");
  await vi.advanceTimersByTimeAsync(BURST_WAIT_MS / 2);
  expect([permits.every(Boolean), Boolean(await late)]).toStrictEqual([true, true]);
});

test("a database that is slower for good is as good as any other after ten minutes", async () => {
  const subject = newSubject(100);
  await offer(subject, 30, 2);
  subject.database.serviceMs = 1_000;
  const seconds = await offer(subject, 30, 660);
  expect(seconds[100]?.refused).toBeGreaterThan(10);
  expect(seconds.slice(-30).map(({ refused }) => refused)).toStrictEqual(Array(30).fill(0));
});
