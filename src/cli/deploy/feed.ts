// The feed, as a release tries it and a way back uses it: from the outbox, by cron, to the cache.
import type pg from "pg";
import { context } from "../../node/context.ts";
import { CommandError, EXIT_CODE } from "../../node/errors.ts";
import { Deployment, Failure, type Target } from "../checks/deployment.ts";
import { expectForgotten, readKeyId, store } from "../checks/index.ts";
import { note } from "../support/output.ts";
import { asOwner } from "./worker-role.ts";

/** A run lasts for a minute, and may have begun some seconds after a deployment. */
const RUN_SECONDS = 75;
/** A new cron trigger takes as many times longer than a new version: 15 minutes. */
const CRON_PATIENCE = 15;
/** Others of the account may spend the platform's purges for a while. */
const PURGE_PATIENCE = 5;
/** Between a commit and its purge: a poll, and a token of the platform's bucket. */
const BOUND_SECONDS = 15;
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
  note(`Waiting ${RUN_SECONDS} s for the previous version's feed to finish.`);
  await context().sleep(RUN_SECONDS * 1_000);
  await asOwner(migrationUrl, "Could not test the feed", async (client) => {
    await expectHeartbeat(client, target.waitSeconds * CRON_PATIENCE);
    if (target.reader === undefined) return;
    const deployment = new Deployment(target);
    const { waitSeconds } = target;
    const keyId = await repeatedly(waitSeconds, "Nothing could be cached to test the feed with.", async () => {
      await store(deployment);
      return readKeyId(deployment);
    });
    await expectPurged(client, keyId, Math.max(BOUND_SECONDS, waitSeconds * PURGE_PATIENCE));
    await repeatedly(waitSeconds, MISSED, () => expectForgotten(deployment));
  });
}

/** @throws CommandError if it has failed for so long */
async function repeatedly<T>(seconds: number, words: string, work: () => Promise<T>): Promise<T> {
  const deadline = context().now() + seconds * 1_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (context().now() + RETRY_MS > deadline) throw new CommandError(`${words} (${error.message})`);
    }
    await context().sleep(RETRY_MS);
  }
}

/** Waits until a question to the database is answered with true. @returns whether it was in time */
async function becomesTrue(client: pg.Client, seconds: number, query: string, values: unknown[] = []) {
  const deadline = context().now() + seconds * 1_000;
  for (;;) {
    const { rows } = await client.query(`select (${query}) as is_true`, values);
    if (rows[0].is_true) return true;
    if (context().now() + RETRY_MS > deadline) return false;
    await context().sleep(RETRY_MS);
  }
}

const IS_ALIVE = "select healthy_at > now() - interval '10 seconds' from feed";
const IS_RUNNING = "select leased_until > now() from feed";
/** Deleted, or still to be purged a second time. */
const IS_PURGED = `select not exists (
  select from changes where id = $1 and not pg_visible_in_snapshot(xid, (select (memory ->> 'purged')::pg_snapshot from feed))
)`;

async function expectHeartbeat(client: pg.Client, patienceSeconds: number): Promise<void> {
  if (await becomesTrue(client, 0, IS_ALIVE)) return;
  note(`Waiting up to ${patienceSeconds} s for the feed: a new cron trigger takes up to 15 minutes.`);
  if (await becomesTrue(client, patienceSeconds, IS_ALIVE)) return;
  throw new CommandError((await becomesTrue(client, 0, IS_RUNNING)) ? REFUSED : SILENT);
}

/** Has the feed purge all that a key has cached. @throws CommandError if it does not */
async function expectPurged(client: pg.Client, keyId: string, patienceSeconds: number): Promise<void> {
  const insert = "insert into changes (kind, resource_id) values ('key', $1) returning id";
  const { rows } = await client.query(insert, [keyId]);
  const isPurged = (seconds: number) => becomesTrue(client, seconds, IS_PURGED, [rows[0].id]);
  if (await isPurged(BOUND_SECONDS)) return;
  note(`Not purged within ${BOUND_SECONDS} s; waiting up to another ${patienceSeconds} s.`);
  if (!(await isPurged(patienceSeconds))) throw new CommandError(REFUSED);
}

const SHORT = "responses are cached for only 30 seconds";
const MISSED = `The feed purged and Cloudflare accepted it, but the cached response is still served. Set EDGE_FRESH_SECONDS = "30" under [vars] in wrangler.toml and release again: ${SHORT} then.`;
const REFUSED = `The feed runs, but its purges do not go through: look for purge_refused and no_cache in the Worker's log, and for others who use the account's purge quota. Until they do, ${SHORT}.`;
const SILENT = `The feed is not running: check that the Worker has its cron trigger, and that its runs do not fail. Until it runs, ${SHORT}. To release without a feed, set crons = [] in wrangler.toml.`;

/**
 * Has everything purged that is cached. A version that gets its traffic back may have responses in its cache that no purge
 * has reached since it lost it.
 *
 * @param migrationUrl undefined: nothing is purged
 * @param meanwhile what else there is to do while the feed of the other version comes to its end
 * @throws CommandError that says how to do it by hand
 */
export async function purgeEverything(migrationUrl: string | undefined, meanwhile = async () => {}): Promise<void> {
  if (migrationUrl === undefined) {
    throw new CommandError(`MIGRATION_DATABASE_URL is not set. ${BY_HAND}`, EXIT_CODE.notPurged);
  }
  await recordEverything(migrationUrl);
  await meanwhile();
  // The first may be taken by a feed of the version that has lost the traffic, and that may be what is wrong with it.
  note(
    `Queued a purge of the whole cache. Queuing another in ${RUN_SECONDS} s, when this version's feed has taken over.`,
  );
  await context().sleep(RUN_SECONDS * 1_000);
  await recordEverything(migrationUrl);
}

async function recordEverything(migrationUrl: string): Promise<void> {
  try {
    const insert = "insert into changes (kind) values ('everything')";
    await asOwner(migrationUrl, "Not purged", (client) => client.query(insert));
  } catch (error) {
    throw error instanceof CommandError ? new CommandError(`${error.message} ${BY_HAND}`, EXIT_CODE.notPurged) : error;
  }
}

const BY_HAND =
  "The cache may hold outdated responses. As the owner of the schema, run this now and again in two minutes: insert into changes (kind) values ('everything')";
