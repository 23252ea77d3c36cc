// What others have to wait for while much is under way: a backlog of changes, and one customer's writes that wait for a lock.
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { startNeonEndpoint } from "../../src/local/neon/endpoint.ts";
import { pollChanges } from "../../src/worker/feed/query.ts";
import { captureStatement } from "../support/statement.ts";
import { withClient } from "./client.ts";
import { startOurs, walk } from "./contenders.ts";
import { type Bench, nearestOf } from "./context.ts";
import { REVOKE, startFeeding, untilSeen } from "./freshness.ts";
import { type Answer, isHit, pace } from "./load.ts";
import { hashOf, type Target, targetOf } from "./population.ts";
import type { Server } from "./server.ts";
import { timeOf } from "./statement.ts";
import { quantile } from "./statistics.ts";
import { startWorker } from "./workerd.ts";

/** Fewer than the pool of Neon's smallest compute has. */
const NEON_CONNECTIONS = 50;

/** A key is revoked right behind so many changes of one application, all of which wait for the feed. */
export interface Backlog {
  changes: number;
  /** From the revocation until the key is answered 401, though it was answered from the cache before. */
  revokedMs: number;
  /** From the revocation until no change is left. */
  drainedMs: number;
  /** What a poll takes of Postgres meanwhile, by its own account: the longest. */
  pollMs: number;
}

const isHeard = async (client: pg.Client) =>
  (await client.query("select from feed where healthy_at > now() - interval '10 seconds'")).rowCount === 1;

/** Takes the lease from the feed for that long, and gives it back. */
async function timePoll(client: pg.Client): Promise<number> {
  const poll = await captureStatement((db) => pollChanges(db, crypto.randomUUID(), null, true));
  await client.query("begin; update feed set leased_until = null");
  try {
    return await timeOf(client, poll);
  } finally {
    await client.query("rollback");
  }
}

/** Reads beside another key's writes, which wait for a lock for as long. */
export interface Neighbours {
  waitingWrites: number;
  reads: number;
  refused: number;
  failed: number;
  p50Ms: number;
  p99Ms: number;
}

export async function measureBacklog({ plan, bundles, database, children, connectionString }: Bench): Promise<Backlog> {
  const { changes } = plan.backlog;
  const { pollMs } = plan.freshness;
  const server = await startOurs(children, bundles.feeding, nearestOf(database));
  const stopFeeding = await startFeeding(server, connectionString);
  // Near the last, which `freshness` leaves alone.
  const target = targetOf(plan.population, plan.population.processes - 1);
  try {
    return await withClient(connectionString, async (client) => {
      const isEmpty = async () => (await client.query("select from changes limit 1")).rowCount === 0;
      while (!(await isHeard(client)) || !(await isEmpty())) await sleep(pollMs);
      await untilSeen(server, target, pollMs, isHit);
      await client.query(
        `insert into changes (kind, resource_id, application_id, company_id)
         select 'process', gen_random_uuid(), id, company_id from generate_series(1, $1::int),
           (select id, company_id from applications order by id limit 1) as one`,
        [changes],
      );
      await client.query(REVOKE, [target.token]);
      const revokedAt = performance.now();
      let isDrained = false;
      const polls: number[] = [];
      const [revokedMs, drainedMs] = await Promise.all([
        untilSeen(server, target, pollMs, ({ status }) => status === 401),
        (async () => {
          while (!(await isEmpty())) await sleep(pollMs);
          isDrained = true;
          return performance.now() - revokedAt;
        })(),
        withClient(connectionString, async (other) => {
          do {
            polls.push(await timePoll(other));
            await sleep(pollMs);
          } while (!isDrained);
        }),
      ]);
      return { changes, revokedMs, drainedMs, pollMs: Math.max(...polls) };
    });
  } finally {
    stopFeeding();
    await children.stop(server.process);
  }
}

export async function measureNeighbours({ plan, bundles, children, connectionString }: Bench): Promise<Neighbours> {
  const { writes, perSecond, seconds } = plan.neighbours;
  const endpoint = await startNeonEndpoint({ connectionString, maxConnections: NEON_CONNECTIONS });
  const bindings = { DATABASE_URL: endpoint.connectionString };
  const server = await startWorker(children, { bundle: bundles.ours.path, bindings });
  const writer = targetOf(plan.population, 0);
  const answers: Answer[] = [];
  try {
    await withClient(connectionString, async (client) => {
      await client.query(
        `insert into api_key_capabilities (api_key_id, company_id, permission)
         select api_key_id, company_id, 'APP:UPDATE' from api_key_tokens join api_keys on api_keys.id = api_key_id
         where hash = decode($1, 'hex') on conflict do nothing`,
        [hashOf(writer)],
      );
      await client.query("begin");
      await client.query("select from processes where id = $1 for update", [writer.processId]);
      const waiting = Array.from({ length: writes }, () => patch(server, writer));
      // The locks are waited for.
      await sleep(500);
      await pace(server.port, walk(plan.population), { perSecond, seconds }, (answer) => void answers.push(answer));
      await client.query("rollback");
      await Promise.all(waiting);
    });
  } finally {
    await children.stop(server.process);
    await endpoint.close();
  }
  const served = answers.filter(({ status }) => status === 200).map(({ ms }) => ms);
  return {
    waitingWrites: writes,
    reads: answers.length,
    refused: answers.filter(({ status }) => status === 503).length,
    failed: answers.filter(({ status }) => status !== 200 && status !== 503).length,
    p50Ms: served.length === 0 ? 0 : quantile(served, 0.5),
    p99Ms: served.length === 0 ? 0 : quantile(served, 0.99),
  };
}

const patch = async ({ port }: Server, { path, token }: Target) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ display_name: "Written" }),
  });
  await response.text();
};
