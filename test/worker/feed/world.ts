// A database, an edge that keeps whatever it is given, and feeds that have troubles, on a clock that the test moves.
import pg from "pg";
import type { Handler } from "../../../src/worker/api/call.ts";
import { HANDLERS } from "../../../src/worker/api/handlers.ts";
import type { Database } from "../../../src/worker/db/client.ts";
import { DatabaseError } from "../../../src/worker/db/errors.ts";
import { type FeedReport, runFeed } from "../../../src/worker/feed/index.ts";
import type { PurgeOptions, PurgeResult } from "../../../src/worker/shared/cache.ts";
import { readConfig } from "../../../src/worker/shared/config.ts";
import { HttpError, outcomeOf } from "../../../src/worker/shared/errors.ts";
import { PURGED_HEADER } from "../../../src/worker/shared/internal-headers.ts";
import { PURGES } from "../../../src/worker/shared/limits.ts";
import { matchPath } from "../../../src/worker/shared/operations.ts";
import type { Random } from "../../support/random.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const config = readConfig({ DATABASE_URL: "postgres://user@host/database" });
const MINUTE_MS = 60_000;
/** After this, answers must not be kept for long any more. */
const SILENCE_MS = 2 * MINUTE_MS;
/** Until the body of a miss has arrived and is stored, after its query. */
const MAX_STORING_MS = 4_900;

/** `now()` is looked up in `moved` before it is in `pg_catalog`. Few rows are many here. */
const MOVE_CLOCK = `
  create schema moved;
  create table moved.clock (now timestamptz not null);
  insert into moved.clock values (to_timestamp(0));
  create function moved.now() returns timestamptz language sql stable as 'select now from moved.clock';
  alter table changes alter changed_at set default moved.now();
  alter table audit_log alter created_at set default moved.now();
  create or replace function max_changes() returns integer language sql immutable as 'select 4';
  do $$ begin execute format('alter database %I set search_path = moved, pg_catalog, public', current_database()); end $$`;

/** A copy of an answer at the edge. */
interface Copy {
  status: number;
  body: string;
  tags: readonly string[];
  freshUntil: number;
  staleUntil: number;
  /** The latest that it may be served, because no feed had been heard of when it was made. */
  servedUntil: number;
  /** When it was first seen to differ from what the database says. */
  wrongSince: number | undefined;
  /** After how many writes through the API the database said so. */
  readAfter: number;
}

interface Answer {
  status: number;
  body: string;
  headers: Headers;
}

export interface Troubles {
  /** One purge in so many is refused, one feed dies in so many steps, one poll in so many fails; 0: none. */
  oneIn: number;
  /** No feed begins. */
  isSilent: boolean;
}

/** Events, so that a run can be held to have tried them. */
export type Event =
  | "hit"
  | "miss"
  | "late store"
  | "refused"
  | "limited"
  | "died"
  | "coarse"
  | "everything"
  | "short"
  | "write purged"
  | "write pending"
  | "write raced"
  | "write seen";

export class World {
  readonly clock = new VirtualClock(Date.UTC(2030, 0, 1));
  readonly seen = new Map<Event, number>();
  troubles: Troubles = { oneIn: 0, isSilent: false };
  /** The last time that something went wrong. */
  troubledAt = Number.NEGATIVE_INFINITY;
  readonly #copies = new Map<string, Copy>();
  /** Names of answers on their way to be stored. */
  readonly #underWay = new Map<string, number>();
  /** Writes through the API so far. */
  #writes = 0;
  /** By the name of an answer, the last write that it must show, because the write said that it had purged. */
  readonly #promised = new Map<string, number>();
  readonly #pool: pg.Pool;
  readonly #random: Random;
  #movedTo = 0;
  #polledAt = Number.NEGATIVE_INFINITY;
  #tokens: number = PURGES.bucketSize;
  #refilledAt = this.clock.now();

  private constructor(connectionString: string, random: Random) {
    this.#pool = new pg.Pool({ connectionString, max: 8 });
    this.#random = random;
  }

  /** @param connectionString of a database of its own on a real server: transactions must overlap */
  static async open(connectionString: string, random: Random): Promise<World> {
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query(MOVE_CLOCK);
    await client.end();
    const world = new World(connectionString, random);
    world.clock.spawn(async () => {
      for (;;) {
        if (!world.troubles.isSilent) world.clock.spawn(() => world.#feed());
        await world.clock.sleep(MINUTE_MS);
      }
    });
    return world;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async query<Row extends pg.QueryResultRow>(text: string, params: unknown[] = []): Promise<Row[]> {
    await this.#moveClock();
    return (await this.#pool.query<Row>(text, params)).rows;
  }

  /** A connection of its own, for a transaction that stays open. */
  async connect(): Promise<pg.PoolClient> {
    await this.#moveClock();
    return this.#pool.connect();
  }

  async #moveClock(): Promise<void> {
    const now = this.clock.now();
    if (now === this.#movedTo) return;
    this.#movedTo = now;
    await this.#pool.query("update moved.clock set now = to_timestamp($1 / 1000.0)", [now]);
  }

  readonly #db: Database = {
    query: async ({ text, bind }, values) => (await this.query(text, bind(values))) as never[],
    transact: async (statements, values) => {
      const client = await this.connect();
      try {
        // A row that another has locked is left: the clock stands still meanwhile.
        await client.query("begin; set local lock_timeout = '1ms'");
        let rows: never[] = [];
        for (const { text, bind } of statements) rows = (await client.query(text, bind(values))).rows as never[];
        await client.query("commit");
        return rows;
      } catch (error) {
        await client.query("rollback");
        if ((error as pg.DatabaseError).code === "55P03") throw new DatabaseError("timeout");
        throw error;
      } finally {
        client.release();
      }
    },
  };

  /** Asks the database itself. */
  ask(keyHash: string, path: string): Promise<Answer> {
    return this.#call(keyHash, { method: "GET", path, body: "" });
  }

  async #call(
    keyHash: string,
    { method, path, body }: { method: string; path: string; body: string },
    onWritten: () => void = () => {},
  ): Promise<Answer> {
    const match = matchPath(path.split("/")).find(({ operation }) => operation.method === method);
    if (match === undefined) throw new Error(`No operation at ${path}`);
    const { operation, segments } = match;
    const handler = HANDLERS[operation.id] as Handler;
    try {
      const response = await handler({
        operation,
        path: Object.fromEntries(operation.path.map(({ name }, i) => [name, segments[i] as string])),
        query: { limit: 25, offset: 0 },
        target: `${method} ${path}`,
        headers: { idempotencyKey: null, ifMatch: null },
        body: async () => body,
        purge: async (tags) => {
          onWritten();
          return (await this.#purge({ tags })).success;
        },
        caller: { keyHash, trace: {} },
        config,
        db: this.#db,
        recordUse: () => {},
      });
      return { status: response.status, body: await response.text(), headers: response.headers };
    } catch (error) {
      if (error instanceof DatabaseError) return { status: 503, body: "", headers: new Headers() };
      if (!(error instanceof HttpError)) throw error;
      return { status: outcomeOf(error.failure).status, body: "", headers: new Headers(error.cacheHeaders) };
    }
  }

  /**
   * Writes as a client does. If the answer says that copies are purged, then none that is older is served any more,
   * unless one was on its way into the cache at the time.
   *
   * @param shownAt paths of reads that show it, for the API keys with these hashes
   */
  async write(
    keyHash: string,
    request: { method: string; path: string; body: string },
    shownAt: { paths: readonly string[]; keyHashes: readonly string[] },
  ): Promise<number> {
    let write = 0;
    let raced = new Set<string>();
    const { status, headers } = await this.#call(keyHash, request, () => {
      write = ++this.#writes;
      // As of now: when the write is answered they may have been stored, after the purge.
      raced = new Set(this.#underWay.keys());
    });
    if (status !== 200) return status;
    const isPurged = headers.get(PURGED_HEADER) === "true";
    this.#count(isPurged ? "write purged" : "write pending");
    for (const path of isPurged ? shownAt.paths : []) {
      for (const name of shownAt.keyHashes.map((hash) => `${hash} ${path}`)) {
        if (raced.has(name)) this.#count("write raced");
        else this.#promised.set(name, write);
      }
    }
    return status;
  }

  /**
   * Reads as a client does, through the edge.
   *
   * @returns how long the answer is known to have been wrong, in milliseconds; undefined if it is right
   */
  async read(keyHash: string, path: string): Promise<number | undefined> {
    const name = `${keyHash} ${path}`;
    const now = this.clock.now();
    const copy = this.#copies.get(name);
    // Edges forget.
    if (copy === undefined || now >= copy.staleUntil || this.#random.oneIn(10)) {
      await this.#fetch(name, keyHash, path);
      return undefined;
    }
    this.#count("hit");
    const promised = this.#promised.get(name);
    if (promised !== undefined) {
      if (copy.readAfter < promised) throw new Error(`${path} does not show a write that said that it had purged`);
      this.#count("write seen");
    }
    if (now > copy.servedUntil) throw new Error(`${path} was kept for long though no feed was alive`);
    const truth = await this.#fetchIf(now >= copy.freshUntil, name, keyHash, path);
    const isRight = truth.status === copy.status && truth.body === copy.body;
    copy.wrongSince = isRight ? undefined : (copy.wrongSince ?? now);
    return copy.wrongSince === undefined ? undefined : now - copy.wrongSince;
  }

  /** Copies that differ from what the database says. */
  async wrongCopies(): Promise<string[]> {
    const wrong: string[] = [];
    for (const [name, { status, body, staleUntil }] of this.#copies) {
      if (this.clock.now() >= staleUntil) continue;
      const [keyHash = "", path = ""] = name.split(" ");
      const truth = await this.ask(keyHash, path);
      if (truth.status !== status || truth.body !== body) wrong.push(`${path}: ${status}, not ${truth.status}`);
    }
    return wrong;
  }

  /** Other Workers of the account purge, too, and leave nothing in the bucket. */
  spendPurges(): void {
    this.#tokens = 0;
    this.#refilledAt = this.clock.now();
  }

  get copies(): number {
    return this.#copies.size;
  }

  #count(event: Event): void {
    this.seen.set(event, (this.seen.get(event) ?? 0) + 1);
  }

  async #fetchIf(isRefresh: boolean, name: string, keyHash: string, path: string): Promise<Answer> {
    return isRefresh ? this.#fetch(name, keyHash, path) : this.ask(keyHash, path);
  }

  /** A miss: its query is done now, and its answer is stored later, whatever is purged in between. */
  async #fetch(name: string, keyHash: string, path: string): Promise<Answer> {
    this.#count("miss");
    const readAfter = this.#writes;
    this.#underWay.set(name, (this.#underWay.get(name) ?? 0) + 1);
    const answer = await this.ask(keyHash, path);
    const isSilent = this.clock.now() - this.#polledAt > SILENCE_MS;
    this.clock.spawn(async () => {
      await this.clock.sleep(this.#random.integer(0, config.databaseDeadlineMs));
      await this.clock.sleep(this.#random.integer(0, MAX_STORING_MS));
      await this.#store(name, answer, { isSilent, readAfter });
      const left = (this.#underWay.get(name) ?? 1) - 1;
      if (left > 0) this.#underWay.set(name, left);
      else this.#underWay.delete(name);
    });
    return answer;
  }

  async #store(
    name: string,
    { status, body, headers }: Answer,
    { isSilent, readAfter }: { isSilent: boolean; readAfter: number },
  ): Promise<void> {
    const control = headers.get("cache-control") ?? "";
    const seconds = (directive: string) => Number(new RegExp(`(?:^| )${directive}=(\\d+)`).exec(control)?.[1] ?? 0);
    const fresh = seconds("max-age") * 1_000;
    if (fresh === 0) return;
    const now = this.clock.now();
    const stale = seconds("stale-while-revalidate") * 1_000;
    // Machine sizes change rarely.
    const isShort = isSilent && !headers.get("cache-tag")?.includes("resource-type-list");
    if (isShort) this.#count("short");
    const [keyHash = "", path = ""] = name.split(" ");
    if ((await this.ask(keyHash, path)).body !== body) this.#count("late store");
    this.#copies.set(name, {
      status,
      body,
      tags: (headers.get("cache-tag") ?? "").split(","),
      freshUntil: now + fresh,
      staleUntil: now + fresh + stale,
      servedUntil: isShort ? now + MINUTE_MS : Number.POSITIVE_INFINITY,
      wrongSince: undefined,
      readAfter,
    });
  }

  /** One run of the feed, with its troubles. */
  #feed(): Promise<FeedReport> {
    return runFeed({
      db: {
        query: async (statement, values, trace) => {
          await this.#trouble();
          if (this.#happens()) throw new DatabaseError("unavailable");
          const rows = await this.#db.query(statement, values, trace);
          this.#polledAt = this.clock.now();
          await this.#trouble();
          return rows;
        },
      },
      purge: (options) => this.#purge(options),
      databaseDeadlineMs: config.databaseDeadlineMs,
      durationMs: MINUTE_MS,
      now: this.clock.now,
      sleep: this.clock.sleep,
    });
  }

  #happens(): boolean {
    const { oneIn } = this.troubles;
    const isTrouble = oneIn > 0 && this.#random.oneIn(oneIn);
    if (isTrouble) this.troubledAt = this.clock.now();
    return isTrouble;
  }

  /** Takes time, or for ever. */
  async #trouble(): Promise<void> {
    await this.clock.sleep(this.#random.integer(0, 200));
    if (!this.#happens()) return;
    this.#count("died");
    await this.clock.die();
  }

  async #purge({ tags = [], purgeEverything = false }: PurgeOptions): Promise<PurgeResult> {
    await this.#trouble();
    const now = this.clock.now();
    const earned = ((now - this.#refilledAt) / MINUTE_MS) * PURGES.callsPerMinute;
    this.#tokens = Math.min(PURGES.bucketSize, this.#tokens + earned);
    this.#refilledAt = now;
    const isRefused = this.#happens();
    if (isRefused || this.#tokens < 1) {
      this.#count(isRefused ? "refused" : "limited");
      return { success: false, errors: [{ code: 429, message: "rate limit" }] };
    }
    this.#tokens--;
    if (tags.length > PURGES.maxTagsPerCall) throw new Error(`${tags.length} tags`);
    if (purgeEverything) this.#count("everything");
    if (tags.some((tag) => /^(?:company|application):/.test(tag))) this.#count("coarse");
    for (const [name, copy] of this.#copies) {
      if (purgeEverything || copy.tags.some((tag) => tags.includes(tag))) this.#copies.delete(name);
    }
    await this.#trouble();
    return { success: true, errors: [] };
  }
}
