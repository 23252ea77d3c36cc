import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as applyMigrations } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

/** Any fixed number: whoever migrates this schema takes this advisory lock. */
export const MIGRATION_LOCK_ID = 7_305_511_027;
const CONNECT_TIMEOUT_MS = 30_000;

/** The migrations do not follow from what the database has already. Nothing was applied. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

interface Migration {
  /** Its file, without `.sql`. */
  tag: string;
  /** When it was generated, in milliseconds since the epoch: Drizzle's order. */
  when: number;
  /** Hash of the file's content. */
  hash: string;
}

/**
 * Brings a database to the newest schema, in one transaction. Runs at the same time wait for each other.
 *
 * @param connectionString a direct connection: a lock of the session does not hold through a transaction pooler
 * @param folder holds the migrations and their journal
 * @returns tags of the migrations that it applied, in their order
 * @throws MigrationError; DrizzleQueryError with the cause; Error of node-postgres
 */
export async function migrate(connectionString: string, folder: string = import.meta.dirname): Promise<string[]> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: "process-api migrate",
  });
  // A connection that is lost fails the query, too.
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK_ID]);
    // A statement that waits for a table makes every reader after it wait: rather fail, and be run again.
    await client.query("set lock_timeout = '10s'");
    const pending = pendingOf(readMigrations(folder), await appliedTo(client));
    await applyMigrations(drizzle({ client }), { migrationsFolder: folder });
    return pending.map(({ tag }) => tag);
  } finally {
    // Ends the session, and the lock with it.
    await client.end();
  }
}

/** @returns hashes by time */
async function appliedTo(client: pg.Client): Promise<Map<number, string>> {
  const { rows } = await client.query("select to_regclass('drizzle.__drizzle_migrations') is not null as found");
  if (!rows[0].found) return new Map();
  const applied = await client.query("select created_at, hash from drizzle.__drizzle_migrations");
  return new Map(applied.rows.map(({ created_at, hash }) => [Number(created_at), hash]));
}

/** Drizzle looks at the time of the last migration alone, and passes over in silence what it does not expect. */
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

function readMigrations(folder: string): Migration[] {
  const journal = JSON.parse(readFileSync(join(folder, "meta/_journal.json"), "utf8"));
  const files = readMigrationFiles({ migrationsFolder: folder });
  return files.map(({ folderMillis, hash }, index) => ({ tag: journal.entries[index].tag, when: folderMillis, hash }));
}
