import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { readMigrationFiles } from "drizzle-orm/migrator";
import pg from "pg";

/** Any fixed number: whoever migrates this schema takes this advisory lock. */
export const MIGRATION_LOCK_ID = 7_305_511_027;
/**
 * The first line of a migration that runs outside a transaction, alone, statement by statement, because a statement of it
 * wants that (`CREATE INDEX CONCURRENTLY`). Whatever interrupts it, it must be right to run all of it again.
 */
export const OUTSIDE_MARK = "-- outside a transaction";

const CONNECT_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;
const LOCK_POLL_MS = 500;
/** A statement that waits for a table makes every reader after it wait: rather fail, and be run again. */
const LOCK_TIMEOUT = "10s";
/** For a statement with CONCURRENTLY, which waits for transactions that are older than it, and meanwhile makes nobody wait. */
const CONCURRENT_LOCK_TIMEOUT = "10min";

/** The database is not in a state from which the migrations could go on. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** A statement of a migration has failed: `cause` is why. */
export class FailedStatementError extends Error {
  override readonly name = "FailedStatementError";
  /** Of the migration. */
  readonly tag: string;
  /** Names of indexes that it has left unfinished. */
  readonly invalidIndexes: readonly string[];

  constructor(tag: string, cause: unknown, invalidIndexes: readonly string[] = []) {
    super(`${tag} has failed`, { cause });
    this.tag = tag;
    this.invalidIndexes = invalidIndexes;
  }
}

export interface Migration {
  /** Its file, without `.sql`. */
  tag: string;
  /** When it was generated, in milliseconds since the epoch: Drizzle's order. */
  when: number;
  /** Hash of the file's content. */
  hash: string;
  statements: string[];
  isOutside: boolean;
}

/**
 * Brings a database to the newest schema. Consecutive migrations are applied in one transaction, those outside a transaction one by
 * one. Runs at the same time wait for each other.
 *
 * Drizzle's own migrator would apply all in one transaction. Files and journal are as it has them.
 *
 * @param connectionString a direct connection: a lock of the session does not hold through a transaction pooler
 * @param folder holds the migrations and their journal
 * @param onApplied is called with the tag of each migration, in their order, once it is committed
 * @throws MigrationError; FailedStatementError; Error of node-postgres
 */
export async function migrate(
  connectionString: string,
  folder: string = import.meta.dirname,
  onApplied: (tag: string) => unknown = () => {},
): Promise<void> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // Networks forget connections on which nothing is sent while an index is built.
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: "process-api migrate",
  });
  // A connection that is lost fails the query, too.
  client.on("error", () => {});
  await client.connect();
  try {
    await lock(client);
    const pending = pendingOf(readMigrations(folder), await appliedTo(client));
    await assertIndexesValid(client, pending);
    if (pending.length > 0) await client.query(MAKE_JOURNAL);
    for (const group of groupsOf(pending)) {
      const [first] = group;
      if (first?.isOutside) await applyOutside(client, first, pending.slice(pending.indexOf(first) + 1));
      else await applyTogether(client, group);
      for (const { tag } of group) await onApplied(tag);
    }
  } finally {
    // Ends the session, and with it the lock and what is not committed.
    await client.end();
  }
}

/**
 * Takes the lock of {@link MIGRATION_LOCK_ID}. Asks again and again, because a statement that waits for it would be a
 * transaction, for which the `CREATE INDEX CONCURRENTLY` of the run that has the lock would wait.
 */
async function lock(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query("select pg_try_advisory_lock($1) as is_ours", [MIGRATION_LOCK_ID]);
    if (rows[0].is_ours) return;
    await setTimeout(LOCK_POLL_MS);
  }
}

/** As Drizzle makes it. */
const MAKE_JOURNAL = `
  create schema if not exists drizzle;
  create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`;

const record = (client: pg.Client, { hash, when }: Migration) =>
  client.query("insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)", [hash, when]);

function groupsOf(migrations: readonly Migration[]): Migration[][] {
  const groups: Migration[][] = [];
  for (const migration of migrations) {
    const group = groups.at(-1);
    if (group === undefined || migration.isOutside || group[0]?.isOutside) groups.push([migration]);
    else group.push(migration);
  }
  return groups;
}

async function applyTogether(client: pg.Client, migrations: readonly Migration[]): Promise<void> {
  await client.query("begin");
  await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
  for (const migration of migrations) {
    for (const statement of migration.statements) {
      await client.query(statement).catch((error) => {
        throw new FailedStatementError(migration.tag, error);
      });
    }
    await record(client, migration);
  }
  await client.query("commit");
}

/** Any role may have been given a limit that the build of a large index would exceed. Older servers do not know all of them. */
const SET_TIMEOUTS = `
  select set_config(name, case name when 'lock_timeout' then $1 else '0' end, false) from pg_settings
  where name in ('lock_timeout', 'statement_timeout', 'transaction_timeout')`;

/** @param later those that are still to come */
async function applyOutside(client: pg.Client, migration: Migration, later: readonly Migration[]): Promise<void> {
  for (const statement of migration.statements) {
    const isConcurrent = /\bconcurrently\b/i.test(statement);
    await client.query(SET_TIMEOUTS, [isConcurrent ? CONCURRENT_LOCK_TIMEOUT : LOCK_TIMEOUT]);
    await client.query(statement).catch(async (error) => {
      throw new FailedStatementError(migration.tag, error, await findInvalidIndexes(client).catch(() => []));
    });
  }
  await client.query("reset all");
  await assertIndexesValid(client, later);
  await record(client, migration);
}

/**
 * An interrupted build leaves its index, which writers keep up to date and no reader uses, and over which
 * `CREATE INDEX … IF NOT EXISTS` passes.
 *
 * @param pending those that will be applied: what they drop may be invalid
 * @throws MigrationError that names what is invalid and not dropped
 */
async function assertIndexesValid(client: pg.Client, pending: readonly Migration[]): Promise<void> {
  const dropped = pending.flatMap(({ statements }) =>
    statements.flatMap((statement) => [...statement.matchAll(DROP_INDEX)].map(([, name]) => name)),
  );
  const invalid = (await findInvalidIndexes(client)).filter((name) => !dropped.includes(name));
  if (invalid.length === 0) return;
  const drops = invalid.map((name) => `drop index concurrently "${name}";`).join(" ");
  throw new MigrationError(
    `an interrupted CREATE INDEX CONCURRENTLY has left an invalid index that no pending migration drops. Drop it, and run the migrations again: ${drops}`,
  );
}

const DROP_INDEX = /\bdrop index concurrently if exists "([^"]+)"/gi;

async function findInvalidIndexes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(
    `select relname from pg_index join pg_class on pg_class.oid = indexrelid
    where not indisvalid and relnamespace = 'public'::regnamespace order by relname`,
  );
  return rows.map(({ relname }) => relname);
}

/** @returns hashes by time */
async function appliedTo(client: pg.Client): Promise<Map<number, string>> {
  const { rows } = await client.query("select to_regclass('drizzle.__drizzle_migrations') is not null as found");
  if (!rows[0].found) return new Map();
  const applied = await client.query("select created_at, hash from drizzle.__drizzle_migrations");
  return new Map(applied.rows.map(({ created_at, hash }) => [Number(created_at), hash]));
}

/** Those that are not applied yet. @throws MigrationError where the others are not what was applied */
function pendingOf(migrations: readonly Migration[], applied: ReadonlyMap<number, string>): Migration[] {
  const last = Math.max(...applied.keys());
  return migrations.filter(({ tag, when, hash }) => {
    const appliedHash = applied.get(when);
    if (appliedHash === undefined && when <= last) {
      throw new MigrationError(
        `${tag} is older than a migration that is applied already, and would be passed over: delete it and generate it again (npm run db:generate).`,
      );
    }
    if (appliedHash !== undefined && appliedHash !== hash) {
      throw new MigrationError(`${tag} has changed since it was applied: leave it as it was, and add another.`);
    }
    return appliedHash === undefined;
  });
}

export function readMigrations(folder: string): Migration[] {
  const journal = JSON.parse(readFileSync(join(folder, "meta/_journal.json"), "utf8"));
  const files = readMigrationFiles({ migrationsFolder: folder });
  return files.map(({ folderMillis, hash, sql }, index) => ({
    tag: journal.entries[index].tag,
    when: folderMillis,
    hash,
    statements: sql,
    isOutside: sql[0]?.startsWith(`${OUTSIDE_MARK}\n`) ?? false,
  }));
}
