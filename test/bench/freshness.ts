// How long a change takes from its commit to the first answer that shows it, on real time, through the feed.
import { setTimeout as sleep } from "node:timers/promises";
import { withClient } from "./client.ts";
import { askFor } from "./contenders.ts";
import { type Answer, type Ask, pace } from "./load.ts";
import type { FreshnessPlan } from "./plan.ts";
import { type Population, PROCESSES_PER_APPLICATION, type Target, targetOf } from "./population.ts";
import type { Server } from "./server.ts";
import { quantile } from "./statistics.ts";

/** Milliseconds from commits to what clients see. */
export interface Delays {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

export interface Freshness {
  changesPerMinute: number;
  seconds: number;
  /** How long changes had been made at this rate before. */
  afterSeconds: number;
  /** From a process's change until an answer shows it. */
  changes: Delays;
  /** From a key's revocation until it is answered 401. */
  revocations: Delays;
  /** Calls meanwhile. */
  purges: number;
}

/** One in so many changes revokes a key. */
const REVOCATION_EVERY = 5;
/** Until the last change must be seen. */
const MAX_WAIT_MS = 120_000;

/** Nine in ten keys are revoked, one after the other, … */
const revokedTarget = (population: Population, n: number): Target => targetOfApplication(population, n);

/** … and processes of the others are changed, one after the other. */
function changedTarget(population: Population, n: number): Target {
  const { keys, processes } = population;
  const first = Math.floor(0.9 * keys);
  const lap = Math.floor(n / (keys - first)) % Math.floor(processes / PROCESSES_PER_APPLICATION / keys);
  return targetOfApplication(population, first + (n % (keys - first)) + keys * lap);
}

const targetOfApplication = (population: Population, n: number): Target =>
  targetOf(population, n * PROCESSES_PER_APPLICATION);

/**
 * Changes processes and revokes keys at a steady rate, and asks for each until it is seen. Each is in the cache before.
 *
 * @param server the Worker of workers/feeding.ts
 * @param used how many changes and revocations were made before, to which these are added: a key that was revoked is of no more use
 */
export async function measureFreshness(
  server: Server,
  connectionString: string,
  population: Population,
  {
    changesPerMinute,
    seconds,
    afterSeconds = 0,
    pollMs,
  }: FreshnessPlan["rates"][number] & Pick<FreshnessPlan, "pollMs">,
  used: { changes: number; revocations: number },
): Promise<Freshness> {
  const countIn = (seconds: number) => Math.round((changesPerMinute * seconds) / 60);
  const first = countIn(afterSeconds);
  const count = first + Math.max(2, countIn(seconds));
  let before = 0;
  const changes: Promise<number>[] = [];
  const revocations: Promise<number>[] = [];
  await withClient(connectionString, async (client) => {
    const startedAt = performance.now();
    for (let n = 0; n < count; n++) {
      if (n === first) before = await purgesOf(server);
      const isRevocation = n % REVOCATION_EVERY === REVOCATION_EVERY - 1;
      const target = isRevocation
        ? revokedTarget(population, used.revocations + revocations.length)
        : changedTarget(population, used.changes + changes.length);
      await once(server, askFor(target));
      // Not in step: a revocation every five seconds would always come just before a purge, or always just after it.
      const dueMs = startedAt + ((n + Math.random()) * 60_000) / changesPerMinute - performance.now();
      if (dueMs > 0) await sleep(dueMs);
      if (isRevocation) {
        await client.query(REVOKE, [target.token]);
        revocations.push(later(untilSeen(server, target, pollMs, ({ status }) => status === 401)));
      } else {
        const name = `Change ${crypto.randomUUID()}`;
        await client.query("update processes set display_name = $1 where id = $2", [name, target.processId]);
        changes.push(later(untilSeen(server, target, pollMs, ({ body }) => body.includes(name))));
      }
    }
  });
  used.changes += changes.length;
  used.revocations += revocations.length;
  const firstRevocations = Math.floor(first / REVOCATION_EVERY);
  return {
    changesPerMinute,
    seconds,
    afterSeconds,
    changes: delaysOf((await Promise.all(changes)).slice(first - firstRevocations)),
    revocations: delaysOf((await Promise.all(revocations)).slice(firstRevocations)),
    purges: (await purgesOf(server)) - before,
  };
}

export const REVOKE = `update api_keys set is_enabled = false
  where id = (select api_key_id from api_key_tokens where hash = sha256($1::text::bytea))`;

/**
 * Has the feed run again and again, as the cron trigger does. The server before was killed in the middle of a run: that run's
 * lease would hold this one up for ten seconds, and what it has spent was not of this server's bucket.
 *
 * @returns what ends it
 */
export async function startFeeding({ port }: Server, connectionString: string): Promise<() => void> {
  await withClient(connectionString, (client) =>
    client.query("update feed set leased_until = null, memory = memory - 'bucket'"),
  );
  let isOver = false;
  void (async () => {
    while (!isOver) await fetch(`http://127.0.0.1:${port}/bench/feed`).catch(() => sleep(1_000));
  })();
  return () => {
    isOver = true;
  };
}

/** @returns from now until the first request whose answer is as it should be, in milliseconds */
export async function untilSeen(
  server: Server,
  target: Target,
  pollMs: number,
  isSeen: (answer: Answer) => boolean,
): Promise<number> {
  const committedAt = performance.now();
  while (performance.now() - committedAt < MAX_WAIT_MS) {
    const answer = await once(server, askFor(target));
    if (isSeen(answer)) return answer.sentAt - committedAt;
    await sleep(pollMs);
  }
  throw new Error(`Not seen after ${MAX_WAIT_MS / 1_000} s: ${target.path}`);
}

async function once({ port }: Server, ask: Ask): Promise<Answer> {
  const answers: Answer[] = [];
  await pace(port, [ask], { perSecond: 1, seconds: 1 }, (answer) => void answers.push(answer));
  return answers[0] as Answer;
}

async function purgesOf({ port }: Server): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/bench/purges`)).json() as Promise<number>;
}

/** Lets a promise fail before anybody waits for it. */
function later<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

const delaysOf = (times: readonly number[]): Delays => ({
  p50Ms: times.length === 0 ? 0 : quantile(times, 0.5),
  p99Ms: times.length === 0 ? 0 : quantile(times, 0.99),
  maxMs: Math.max(0, ...times),
});
