import { fileURLToPath } from "node:url";
import pg from "pg";
import { FailedStatementError, MigrationError, migrate } from "../../../drizzle/migrate.ts";
import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";

/**
 * Brings a database to the newest schema.
 *
 * @param connectionString a direct one
 * @param onApplied is called with the name of each migration once it is committed: what fails later takes none of them back
 * @throws CommandError with the cause: the migration, the SQLSTATE and the words of Postgres
 */
export async function runMigrations(connectionString: string, onApplied: (name: string) => unknown): Promise<void> {
  const folder = fileURLToPath(new URL("drizzle/", context().project));
  try {
    await migrate(connectionString, folder, onApplied);
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(`Not migrated: ${describeFailure(error)}`);
  }
}

/** Postgres says neither the connection string nor the password. What node-postgres itself says stays out. */
export function describeFailure(error: unknown): string {
  if (error instanceof MigrationError) return error.message;
  if (error instanceof FailedStatementError) {
    const left = error.invalidIndexes.join(", ");
    const failure = `${error.tag}.sql: ${describeFailure(error.cause)}`;
    return left === "" ? failure : `${failure}. Left invalid until the migrations are run again: ${left}`;
  }
  if (error instanceof pg.DatabaseError) {
    const hint = error.hint === undefined ? "" : ` (${error.hint})`;
    return `SQLSTATE ${error.code}: ${error.message}${hint}`;
  }
  const { code } = (error ?? {}) as { code?: unknown };
  return `the database cannot be reached, or was lost${typeof code === "string" ? `: ${code}` : ""}.`;
}
