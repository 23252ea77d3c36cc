// `npm run db:migrate`: brings a database to the newest schema.
import { OUTSIDE_MARK } from "../../drizzle/migrate.ts";
import { findDatabase } from "../node/database.ts";
import { assertDirect } from "./deploy/environment.ts";
import { runMigrations } from "./deploy/migrations.ts";
import { note, print } from "./support/output.ts";
import { command, createProgram } from "./support/program.ts";

const NOTES = `
The database is that of DATABASE_URL, or of a running \`npm run dev\`. With Neon it
must be the direct URL, without -pooler in its host.

Consecutive migrations share a transaction: all of them are applied, or none. One whose
first line is "${OUTSIDE_MARK}" runs alone, after those before it are
committed; if it fails, fix the cause and run this command again. Runs at the same
time wait for each other. Prints each migration once it is committed, a line each; if
there are none, says so on stderr.`;

async function migrateDatabase(): Promise<void> {
  const { connectionString } = findDatabase();
  assertDirect(connectionString, "DATABASE_URL");
  let hasApplied = false;
  await runMigrations(connectionString, (name) => {
    hasApplied = true;
    return print(name);
  });
  if (!hasApplied) note("Nothing to migrate.");
}

export default await command(import.meta, () =>
  createProgram("db:migrate")
    .description("Applies the migrations of drizzle/ that a database does not have yet.")
    .addHelpText("after", NOTES)
    .action(migrateDatabase),
);
