// The feed, as a release tries it and a way back uses it: from the outbox, by cron, to the cache.
import type pg from "pg";
import { context } from "../../node/context.ts";
import { CommandError, EXIT_CODE } from "../../node/errors.ts";
import { Failure, persist, type Target } from "../checks/deployment.ts";
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

const IS_ALIVE = "select healthy_at > now() - interval '10 seconds' from feed";
const IS_RUNNING = "select leased_until > now() from feed";
/** Deleted, or still to be purged a second time. */
const IS_PURGED = `select not exists (
  select from changes where id = $1 and not pg_visible_in_snapshot(xid, (select (memory ->> 'purged')::pg_snapshot from feed))
)`;

const SHORT = "responses are cached for only 30 seconds";
const MISSED = `The feed purged and Cloudflare accepted it, but the cached response is still served. Set EDGE_FRESH_SECONDS = "30" under [vars] in wrangler.toml and release again: ${SHORT} then.`;
const REFUSED = `The feed runs, but its purges do not go through: look for purge_refused and no_cache in the Worker's log, and for others who use the account's purge quota. Until they do, ${SHORT}.`;
const SILENT = `The feed is not running: check that the Worker has its cron trigger, and that its runs do not fail. Until it runs, ${SHORT}. To release without a feed, set crons = [] in wrangler.toml.`;

/**
 * Has a change go its whole way, which no documentation promises: the purge is made from a scheduled handler and with other
 * props than what it must reach.
 *
 * @param target with a reader, whose key the change is about; without one only the feed's heartbeat is waited for
 * @param ownerUrl of the database
 * @throws CommandError that says which part does not work
 */
export async function expectFeed(target: Target, ownerUrl: string): Promise<void> {
  const { waitSeconds } = target;
  note(`Waiting ${RUN_SECONDS} s for the previous version's feed to finish.`);
  await context().sleep(RUN_SECONDS * 1_000);
  await asOwner(ownerUrl, "Could not test the feed", async (client) => {
    note(`Waiting up to ${waitSeconds * CRON_PATIENCE} s for the feed: a new cron trigger takes up to 15 minutes.`);
    if (!(await becomesTrue(client, waitSeconds * CRON_PATIENCE, IS_ALIVE))) {
      throw new CommandError((await becomesTrue(client, 0, IS_RUNNING)) ? REFUSED : SILENT);
    }
    if (target.reader === undefined) return;
    const keyId = await insist(waitSeconds, "Nothing could be cached to test the feed with.", async () => {
      await store(target);
      return readKeyId(target);
    });
    const insert = "insert into changes (kind, resource_id) values ('key', $1) returning id";
    const { rows } = await client.query(insert, [keyId]);
    const seconds = BOUND_SECONDS + Math.max(BOUND_SECONDS, waitSeconds * PURGE_PATIENCE);
    note(`Waiting up to ${seconds} s for the feed to purge the smoke test's key.`);
    if (!(await becomesTrue(client, seconds, IS_PURGED, [rows[0].id]))) throw new CommandError(REFUSED);
    await insist(waitSeconds, MISSED, () => expectForgotten(target));
  });
}

/** @throws CommandError if it has failed for so long */
async function insist<T>(seconds: number, words: string, work: () => Promise<T>): Promise<T> {
  return persist(seconds, work).catch((error) => {
    throw error instanceof Failure ? new CommandError(`${words} (${error.message})`) : error;
  });
}

/** Waits until a question to the database is answered with true. @returns whether it was in time */
async function becomesTrue(client: pg.Client, seconds: number, query: string, values: unknown[] = []) {
  const attempt = async () => {
    const { rows } = await client.query(`select (${query}) as is_true`, values);
    if (!rows[0].is_true) throw new Failure();
    return true;
  };
  return persist(seconds, attempt).catch((error) => {
    if (!(error instanceof Failure)) throw error;
    return false;
  });
}

/**
 * Has everything purged that is cached, twice. A version that gets its traffic back may have responses in its cache that no
 * purge has reached since it lost it.
 *
 * @throws CommandError that says how to do it by hand
 */
export async function purgeEverything(ownerUrl: string): Promise<void> {
  await recordEverything(ownerUrl);
  // The first may be taken by a feed of the version that has lost the traffic, and that may be what is wrong with it.
  note(
    `Queued a purge of the whole cache. Queuing another in ${RUN_SECONDS} s, when this version's feed has taken over.`,
  );
  await context().sleep(RUN_SECONDS * 1_000);
  await recordEverything(ownerUrl);
}

async function recordEverything(ownerUrl: string): Promise<void> {
  const insert = "insert into changes (kind) values ('everything')";
  await asOwner(ownerUrl, "Not purged", (client) => client.query(insert)).catch(({ message }) => {
    throw new CommandError(`${message} ${BY_HAND}`, EXIT_CODE.notPurged);
  });
}

export const BY_HAND =
  "The cache may hold outdated responses. As the owner of the schema, run this now and again in two minutes: insert into changes (kind) values ('everything')";
