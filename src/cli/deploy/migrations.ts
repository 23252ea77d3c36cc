import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DrizzleQueryError } from "drizzle-orm";
import pg from "pg";
import { MigrationError, migrate } from "../../../drizzle/migrate.ts";
import { context } from "../support/context.ts";
import { CommandError } from "../support/errors.ts";

const folder = (): URL => new URL("drizzle/", context().project);

/**
 * Brings a database to the newest schema.
 *
 * @param connectionString a direct one
 * @returns the names of the migrations that it applied
 * @throws CommandError with the cause: the migration, the SQLSTATE and the words of Postgres
 */
export async function runMigrations(connectionString: string): Promise<string[]> {
  try {
    return await migrate(connectionString, fileURLToPath(folder()));
  } catch (error) {
    throw new CommandError(`Not migrated: ${describeFailure(error)}`);
  }
}

/** Postgres says neither the connection string nor the password. What node-postgres itself says stays out. */
export function describeFailure(error: unknown): string {
  if (error instanceof MigrationError) return error.message;
  if (error instanceof DrizzleQueryError) return `${fileWith(error.query)}${describeFailure(error.cause)}`;
  if (error instanceof pg.DatabaseError) {
    const hint = error.hint === undefined ? "" : ` (${error.hint})`;
    return `SQLSTATE ${error.code}: ${error.message}${hint}`;
  }
  const { code } = (error ?? {}) as { code?: unknown };
  return `the database cannot be reached, or was lost${typeof code === "string" ? `: ${code}` : ""}.`;
}

function fileWith(statement: string): string {
  const file = readdirSync(folder()).find(
    (name) => name.endsWith(".sql") && readFileSync(new URL(name, folder()), "utf8").includes(statement),
  );
  return file === undefined ? "" : `${file}: `;
}
