// The feed, as a release tries it and a rollback uses it: from the outbox, by cron, to the cache.
import type pg from "pg";
import { Deployment, Failure, type Target } from "../checks/deployment.ts";
import { expectForgotten, readKeyId, store } from "../checks/index.ts";
import { context } from "../support/context.ts";
import { CommandError } from "../support/errors.ts";
import { note } from "../support/output.ts";
import { asOwner } from "./worker-role.ts";

/** Runs of the version before are over by then. */
const RUN_SECONDS = 60;
/** A new cron trigger takes as many times longer than a new version: 15 minutes. */
const CRON_PATIENCE = 15;
/** For a poll of the feed and a purge, with room for a purge that was refused once. */
const PURGE_SECONDS = 15;
const RETRY_MS = 1_000;

/**
 * Has a change go its whole way, which no documentation promises: the purge is made from a scheduled handler and with other
 * props than what it must reach.
 *
 * @param target with a reader, whose key the change is about; without one only the feed's heartbeat is waited for
 * @param migrationUrl of the role that owns the schema
 * @throws CommandError that says which part does not work
 */
export async function expectFeed(target: Target, migrationUrl: string): Promise<void> {
  note(`Waiting for ${RUN_SECONDS} s, until the feed is this version's.`);
  await context().sleep(RUN_SECONDS * 1_000);
  await asOwner(migrationUrl, "The feed was not tried", async (client) => {
    await expectHeartbeat(client, target.waitSeconds * CRON_PATIENCE);
    if (target.reader === undefined) return;
    const deployment = new Deployment(target);
    try {
      await store(deployment);
      await client.query("insert into changes (kind, resource_id) values ('key', $1)", [await readKeyId(deployment)]);
      await expectForgotten(deployment, { seconds: PURGE_SECONDS });
    } catch (error) {
      throw error instanceof Failure ? new CommandError(`${MISSED} (${error.message})`) : error;
    }
  });
}

async function expectHeartbeat(client: pg.Client, patienceSeconds: number): Promise<void> {
  const deadline = context().now() + patienceSeconds * 1_000;
  for (let isFirst = true; ; isFirst = false) {
    const { rows } = await client.query(
      "select coalesce(healthy_at > now() - interval '10 seconds', false) as healthy, coalesce(leased_until > now(), false) as running from feed",
    );
    const { healthy, running } = rows[0] as { healthy: boolean; running: boolean };
    if (healthy) return;
    if (context().now() + RETRY_MS > deadline) throw new CommandError(running ? REFUSED : SILENT);
    if (isFirst) note(`Waiting for the feed, ${patienceSeconds} s at most: a new cron trigger takes up to 15 minutes.`);
    await context().sleep(RETRY_MS);
  }
}

const SHORT = "cached responses live for 30 seconds";
const MISSED = `The feed runs and its purges are accepted, but they do not reach what is cached. Set EDGE_FRESH_SECONDS = "30" under [vars] in wrangler.toml, and release that: ${SHORT} then.`;
const REFUSED = `The feed runs, but has not purged what has changed: look for purge_refused and no_cache in the Worker's log. Until it does, ${SHORT}.`;
const SILENT = `The feed does not run: look whether the Worker has its cron trigger, and for errors of its runs. Until it does, ${SHORT}. To release without it, set crons = [] in wrangler.toml.`;

/**
 * Has everything purged that is cached. A version that gets its traffic back may have responses in its cache that no purge
 * has reached since it lost it.
 *
 * @throws CommandError that says how to do it by hand
 */
export async function recordEverything(migrationUrl: string): Promise<void> {
  await asOwner(migrationUrl, BY_HAND, (client) => client.query("insert into changes (kind) values ('everything')"));
  note("The feed will purge all that is cached.");
}

const BY_HAND = "Its cache may hold what has changed since; purge it: insert into changes (kind) values ('everything')";
