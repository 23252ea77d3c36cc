// A database, an edge that keeps whatever it is given, and feeds that have troubles, on a clock that the test moves.
import pg from "pg";
import { operations } from "#openapi";
import { respond } from "../../../src/worker/api/respond.ts";
import type { Database } from "../../../src/worker/db/client.ts";
import { DatabaseError } from "../../../src/worker/db/errors.ts";
import { runFeed } from "../../../src/worker/feed/index.ts";
import type { PurgeOptions, PurgeResult } from "../../../src/worker/shared/cache.ts";
import { readConfig } from "../../../src/worker/shared/config.ts";
import { HttpError, outcomeOf } from "../../../src/worker/shared/errors.ts";
import { PURGED_HEADER } from "../../../src/worker/shared/internal-headers.ts";
import { PURGES } from "../../../src/worker/shared/limits.ts";
import type { Random } from "../../support/random.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const config = readConfig({ DATABASE_URL: "postgres://user@host/database" });
const MINUTE_MS = 60_000;
/** Without a poll for so long, responses must not be kept for long any more. */
const SILENCE_MS = 2 * MINUTE_MS;
/** In one purge. Few rows are many here. */
const MAX_TAGS = 6;
/** Until the body of a miss has arrived and is stored, after its query. */
const MAX_STORING_MS = 4_900;

const ROUTES = operations.map((operation) => ({
  operation,
  pattern: new RegExp(`^${operation.template.replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`),
}));

function operationAt(method: string, path: string) {
  for (const { operation, pattern } of ROUTES) {
    const match = pattern.exec(path);
    if (match !== null && operation.method === method) return { operation, parameters: { ...match.groups } };
  }
  throw new Error(`No operation at ${path}`);
}

/** `now()` is looked up in `moved` before it is in `pg_catalog`. */
export const MOVE_CLOCK = `
  create schema moved;
  create table moved.clock (now timestamptz not null);
  insert into moved.clock values (to_timestamp(0));
  create function moved.now() returns timestamptz language sql stable as 'select now from moved.clock';
  alter table changes alter changed_at set default moved.now();
  alter table audit_log alter created_at set default moved.now();
  do $$ begin execute format('alter database %I set search_path = moved, pg_catalog, public', current_database()); end $$`;
/** In one statement. */
const MAX_CHANGES = "create or replace function max_changes() returns integer language sql immutable as 'select 4'";

type Answer = { status: number; body: string; headers: Headers };
const isSame = (a: Answer, b: Answer): boolean => a.status === b.status && a.body === b.body;

/** A request that writes, and the paths of the reads that show it. */
type Write = { method: string; path: string; body?: string; shownAt: string[] };

/** A response at the edge. */
interface Cached extends Answer {
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

/** What can happen, so that a run can be held to have tried it. */
export const EVENTS = [
  ...(["hit", "miss", "late store", "refused", "limited", "died", "coarse", "everything", "short"] as const),
  ...(["write purged", "write pending", "write raced", "write seen"] as const),
];

export class World {
  readonly clock = new VirtualClock(Date.UTC(2030, 0, 1));
  readonly seen = new Set<(typeof EVENTS)[number]>();
  /** One purge in so many is refused, one feed dies in so many steps, one poll in so many fails; 0: none. No feed begins. */
  troubles = { oneIn: 0, isSilent: false };
  /** The last time that something went wrong. */
  troubledAt = Number.NEGATIVE_INFINITY;
  /** By API key and path: the name of a response. */
  readonly cached = new Map<string, Cached>();
  readonly #pool: pg.Pool;
  readonly #random: Random;
  /** The names of responses on their way into the cache. */
  readonly #underWay: string[] = [];
  /** Writes through the API so far. */
  #writes = 0;
  /** The last write that a response must show, because the write said that it had purged. */
  readonly #promised = new Map<string, number>();
  #movedTo = 0;
  #polledAt = Number.NEGATIVE_INFINITY;
  #tokens: number = PURGES.bucketSize;
  #refilledAt = this.clock.now();

  /** @param connectionString of a database of its own on a real server: transactions must overlap */
  constructor(connectionString: string, random: Random) {
    this.#pool = new pg.Pool({ connectionString, max: 8 });
    this.#random = random;
  }

  async open(): Promise<void> {
    const client = await this.#pool.connect();
    await client.query(`${MOVE_CLOCK}; ${MAX_CHANGES}`);
    // This session has the search path of before.
    client.release(true);
    this.clock.spawn(async () => {
      for (;;) {
        if (!this.troubles.isSilent) this.clock.spawn(() => this.#feed());
        await this.clock.sleep(MINUTE_MS);
      }
    });
  }

  readonly close = (): Promise<void> => this.#pool.end();

  async query<Row extends pg.QueryResultRow>(text: string, params: unknown[] = []): Promise<Row[]> {
    await this.#moveClock();
    return (await this.#pool.query<Row>(text, params)).rows;
  }

  /** Begins a transaction with these statements. @returns undefined, and takes them back, if a row is locked or gone */
  async begin(statements: { text: string; params: unknown[] }[]) {
    await this.#moveClock();
    const client = await this.#pool.connect();
    try {
      // The clock stands still, and so does the transaction that has a lock.
      await client.query("begin; set local lock_timeout = '1ms'");
      let rows: never[] = [];
      for (const { text, params } of statements) rows = (await client.query(text, params)).rows as never[];
      return { rows, commit: () => client.query("commit").finally(() => client.release()) };
    } catch (error) {
      await client.query("rollback");
      client.release();
      if (!["55P03", "23503"].includes(String((error as pg.DatabaseError).code))) throw error;
      return undefined;
    }
  }

  async #moveClock(): Promise<void> {
    if (this.clock.now() === this.#movedTo) return;
    this.#movedTo = this.clock.now();
    await this.#pool.query("update moved.clock set now = to_timestamp($1 / 1000.0)", [this.#movedTo]);
  }

  readonly #db: Database = {
    query: async ({ text, bind }, values) => (await this.query(text, bind(values))) as never[],
    transact: async (statements, values) => {
      const begun = await this.begin(statements.map(({ text, bind }) => ({ text, params: bind(values) })));
      if (begun === undefined) throw new DatabaseError("timeout");
      await begun.commit();
      return begun.rows;
    },
  };

  /** Asks the Api, and so the database, past the cache. */
  async #call(keyHash: string, method: string, path: string, body = "", onWritten = () => {}): Promise<Answer> {
    const { operation, parameters } = operationAt(method, path);
    const sent = { target: `${method} ${path}`, headers: { idempotencyKey: null, conditions: {} } };
    const services = { config, isPurgeable: true, db: this.#db, caller: { keyHash, trace: {} }, note: () => {} };
    try {
      const response = await respond({
        ...sent,
        ...services,
        operation,
        body: async () => body,
        path: parameters,
        query: { limit: 25, offset: 0 },
        purge: async (tags) => {
          onWritten();
          return (await this.#purge({ tags })).success;
        },
      });
      return { status: response.status, body: await response.text(), headers: response.headers };
    } catch (error) {
      if (error instanceof DatabaseError) return { status: 503, body: "", headers: new Headers() };
      if (!(error instanceof HttpError)) throw error;
      return { status: outcomeOf(error.failure).status, body: "", headers: new Headers(error.cacheHeaders) };
    }
  }

  /**
   * Writes as a client does. If the response says that it has purged, then nothing older is served any more, unless it was
   * on its way into the cache at the time.
   *
   * @param keyHashes of the API keys whose reads show it
   */
  async write(keyHash: string, { method, path, body, shownAt }: Write, keyHashes: string[]): Promise<number> {
    let write = 0;
    let raced: string[] = [];
    const { status, headers } = await this.#call(keyHash, method, path, body, () => {
      write = ++this.#writes;
      // As of now: by the time of the response they may have been stored, after the purge.
      raced = [...this.#underWay];
    });
    if (status !== 200) return status;
    const isPurged = headers.get(PURGED_HEADER) === "true";
    this.seen.add(isPurged ? "write purged" : "write pending");
    for (const name of isPurged ? shownAt.flatMap((path) => keyHashes.map((hash) => `${hash} ${path}`)) : []) {
      if (raced.includes(name)) this.seen.add("write raced");
      else this.#promised.set(name, write);
    }
    return status;
  }

  /**
   * Reads as a client does, through the edge.
   *
   * @returns how long the response is known to have been wrong, in milliseconds; undefined if it is right
   */
  async read(keyHash: string, path: string): Promise<number | undefined> {
    const name = `${keyHash} ${path}`;
    const now = this.clock.now();
    const cached = this.cached.get(name);
    // Edges forget.
    if (cached === undefined || now >= cached.staleUntil || this.#random.oneIn(10)) {
      await this.#fetch(name);
      return undefined;
    }
    this.seen.add("hit");
    const promised = this.#promised.get(name);
    if (promised !== undefined) {
      if (cached.readAfter < promised) throw new Error(`${path} does not show a write that said that it had purged`);
      this.seen.add("write seen");
    }
    if (now > cached.servedUntil) throw new Error(`${path} was kept for long though no feed was alive`);
    const truth = await (now >= cached.freshUntil ? this.#fetch(name) : this.#ask(name));
    cached.wrongSince = isSame(truth, cached) ? undefined : (cached.wrongSince ?? now);
    return cached.wrongSince && now - cached.wrongSince;
  }

  /** The cached responses that differ from what the database says. */
  async wrong(): Promise<string[]> {
    const wrong: string[] = [];
    for (const [name, cached] of this.cached) {
      if (this.clock.now() >= cached.staleUntil) continue;
      const truth = await this.#ask(name);
      if (!isSame(truth, cached)) wrong.push(`${name}: ${cached.status}, not ${truth.status}`);
    }
    return wrong;
  }

  /** Other Workers of the account purge as well, and leave nothing in the bucket. */
  spendPurges(): void {
    this.#tokens = 0;
    this.#refilledAt = this.clock.now();
  }

  #ask(name: string): Promise<Answer> {
    const [keyHash = "", path = ""] = name.split(" ");
    return this.#call(keyHash, "GET", path);
  }

  /** A miss: its query is done now, and its response is stored later, whatever is purged in between. */
  async #fetch(name: string): Promise<Answer> {
    this.seen.add("miss");
    const readAfter = this.#writes;
    this.#underWay.push(name);
    const answer = await this.#ask(name);
    const isSilent = this.clock.now() - this.#polledAt > SILENCE_MS;
    this.clock.spawn(async () => {
      await this.clock.sleep(this.#random.integer(0, config.databaseDeadlineMs));
      await this.clock.sleep(this.#random.integer(0, MAX_STORING_MS));
      await this.#store(name, answer, isSilent, readAfter);
      this.#underWay.splice(this.#underWay.indexOf(name), 1);
    });
    return answer;
  }

  async #store(name: string, answer: Answer, isSilent: boolean, readAfter: number): Promise<void> {
    const control = answer.headers.get("cache-control") ?? "";
    const msOf = (name: string) => 1_000 * Number(new RegExp(`(?:^| )${name}=(\\d+)`).exec(control)?.[1] ?? 0);
    const now = this.clock.now();
    const freshUntil = now + msOf("max-age");
    if (freshUntil === now) return;
    const tags = (answer.headers.get("cache-tag") ?? "").split(",");
    // Machine sizes change rarely.
    const isShort = isSilent && !tags.some((tag) => tag.includes("resource-type-list"));
    if (isShort) this.seen.add("short");
    if ((await this.#ask(name)).body !== answer.body) this.seen.add("late store");
    const staleUntil = freshUntil + msOf("stale-while-revalidate");
    const servedUntil = isShort ? now + MINUTE_MS : Number.POSITIVE_INFINITY;
    this.cached.set(name, { ...answer, tags, freshUntil, staleUntil, servedUntil, readAfter, wrongSince: undefined });
  }

  #feed(): Promise<unknown> {
    const query: Database["query"] = async (...statement) => {
      await this.#trouble();
      if (this.#happens()) throw new DatabaseError("unavailable");
      const rows = await this.#db.query(...statement);
      this.#polledAt = this.clock.now();
      await this.#trouble();
      return rows as never[];
    };
    const { now, sleep } = this.clock;
    const purge = (options: PurgeOptions) => this.#purge(options);
    return runFeed({ ...config, db: { query }, purge, durationMs: MINUTE_MS, maxTags: MAX_TAGS, now, sleep });
  }

  #happens(): boolean {
    const isTrouble = this.troubles.oneIn > 0 && this.#random.oneIn(this.troubles.oneIn);
    if (isTrouble) this.troubledAt = this.clock.now();
    return isTrouble;
  }

  /** Takes time, or for ever. */
  async #trouble(): Promise<void> {
    await this.clock.sleep(this.#random.integer(0, 200));
    if (!this.#happens()) return;
    this.seen.add("died");
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
      this.seen.add(isRefused ? "refused" : "limited");
      return { success: false, errors: [{ code: 429, message: "rate limit" }] };
    }
    this.#tokens--;
    if (tags.length > MAX_TAGS) throw new Error(`${tags.length} tags`);
    if (purgeEverything) this.seen.add("everything");
    if (tags.some((tag) => /^(?:company|application):/.test(tag))) this.seen.add("coarse");
    for (const [name, cached] of this.cached) {
      if (purgeEverything || cached.tags.some((tag) => tags.includes(tag))) this.cached.delete(name);
    }
    await this.#trouble();
    return { success: true, errors: [] };
  }
}
