// The Zipf run: some processes are asked for all the time and most hardly ever, and now and then one is changed.
import { setTimeout as sleep } from "node:timers/promises";
import { withClient } from "./client.ts";
import { askFor } from "./contenders.ts";
import { type Answer, isHit, pace } from "./load.ts";
import { type Population, targetOf } from "./population.ts";
import type { Server } from "./server.ts";
import { createZipf } from "./zipf.ts";

export interface PopularityOptions {
  seconds: number;
  requestsPerSecond: number;
  updatesPerSecond: number;
}

export interface Popularity extends PopularityOptions {
  /** With 503, as the machine was busy with something else. */
  refused: number;
  /** Parts of all other answers, by what `Cache-Status` says of them. */
  hitRatio: number;
  /** That reached Postgres. */
  queriesPerSecond: number;
  updates: number;
  /** Answers to requests sent after a change was committed that do not show it, … */
  staleAnswers: number;
  /** … and how long after it the last of them was sent, in milliseconds. */
  maxStalenessMs: number;
}

/** A process's name, and from when on. */
interface Change {
  name: string;
  committedAt: number;
}

/** Asks for processes by their popularity and changes some, which only the feed sees. */
export async function measurePopularity(
  server: Server,
  queries: () => Promise<number>,
  connectionString: string,
  population: Population,
  options: PopularityOptions,
): Promise<Popularity> {
  const draw = createZipf(population.processes);
  const changes = new Map<string, Change[]>();
  const answers: Answer[] = [];
  let refused = 0;
  const before = await queries();
  const updates = await withClient(connectionString, async (client) => {
    const stopUpdating = repeat(1_000 / options.updatesPerSecond, async (n) => {
      const { processId } = targetOf(population, draw());
      const name = `Name ${n}`;
      await client.query("update processes set display_name = $1 where id = $2", [name, processId]);
      const known = changes.get(processId) ?? [];
      changes.set(processId, [...known, { name, committedAt: performance.now() }]);
    });
    const asks = () => askFor(targetOf(population, draw()));
    const rhythm = { perSecond: options.requestsPerSecond, seconds: options.seconds };
    try {
      await pace(server.port, asks, rhythm, (answer) => {
        if (answer.status === 200) answers.push(answer);
        else if (answer.status === 503) refused++;
        else throw new Error(`The Zipf run: ${answer.status} ${answer.body}`);
      });
    } finally {
      await stopUpdating();
    }
    return stopUpdating();
  });
  const staleness = answers.flatMap((answer) => stalenessOf(answer, changes) ?? []);
  const hits = answers.filter(isHit);
  return {
    ...options,
    refused,
    hitRatio: hits.length / answers.length,
    queriesPerSecond: ((await queries()) - before) / options.seconds,
    updates,
    staleAnswers: staleness.length,
    maxStalenessMs: Math.max(0, ...staleness),
  };
}

/** How long before an answer was asked for it had become wrong, in milliseconds; undefined if it was right. */
function stalenessOf({ body, sentAt }: Answer, changes: ReadonlyMap<string, readonly Change[]>): number | undefined {
  const { id, display_name: name } = JSON.parse(body) as { id: string; display_name: string };
  const known = changes.get(id) ?? [];
  const next = known[known.findIndex((change) => change.name === name) + 1];
  return next !== undefined && next.committedAt < sentAt ? sentAt - next.committedAt : undefined;
}

/** Does something at regular times until it is stopped. */
function repeat(everyMs: number, work: (n: number) => Promise<void>) {
  let count = 0;
  let isStopped = false;
  const done = (async () => {
    for (; !isStopped; count++) {
      await sleep(everyMs);
      await work(count);
    }
    return count;
  })();
  // Thrown where it is awaited.
  done.catch(() => {});
  /** @returns how often it was done */
  return function stop(): Promise<number> {
    isStopped = true;
    return done;
  };
}
