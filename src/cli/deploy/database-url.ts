import { context } from "../../node/context.ts";
import { assertPostgresUrl } from "../../node/database.ts";
import { usageError } from "../../node/errors.ts";

/**
 * Whether it leads to Neon's pooler, where a session, and so a lock of one, ends with each transaction.
 *
 * @see https://neon.com/docs/connect/connection-pooling
 */
export const isPooled = (connectionString: string): boolean =>
  /-pooler$/.test(new URL(connectionString).hostname.split(".", 1)[0] ?? "");

/** @throws CommandError if it is pooled */
export function assertDirect(connectionString: string, name: string): void {
  if (!isPooled(connectionString)) return;
  throw usageError(`${name} is a pooled URL, and migrations need a direct one: take -pooler out of its host.`);
}

/**
 * A Postgres URL from the environment.
 *
 * @throws CommandError that names the variable and not its value
 */
export function readDatabaseUrl(name: string): string {
  const value = context().env[name] ?? "";
  if (value === "") throw usageError(`${name} is not set.`);
  assertPostgresUrl(value, name);
  return value;
}

/** @throws CommandError unless both URLs lead to one database, through the pooler or not, as whichever role */
export function assertSameDatabase(migrationUrl: string, databaseUrl: string): void {
  const [a, b] = [migrationUrl, databaseUrl].map((text) => {
    const { hostname, pathname } = new URL(text);
    return hostname.replace(/^([^.]*)-pooler\./, "$1.") + pathname;
  });
  if (a !== b) throw usageError("MIGRATION_DATABASE_URL and DATABASE_URL lead to two databases.");
}
