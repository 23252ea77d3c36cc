import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as applyMigrations } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

/** Any fixed number: whoever migrates this schema takes this lock. */
const LOCK_ID = 7_305_511_027;

/**
 * Brings a database to the newest schema. Runs at the same time wait for each other.
 *
 * @param connectionString a direct connection: a lock of the session does not hold through a transaction pooler
 * @throws Error of node-postgres
 */
export async function migrate(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, application_name: "process-api migrate" });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [LOCK_ID]);
    await applyMigrations(drizzle({ client }), { migrationsFolder: import.meta.dirname });
  } finally {
    // Ends the session, and the lock with it.
    await client.end();
  }
}
