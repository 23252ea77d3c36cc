import type pg from "pg";
import { SEED_COMPANIES, SEED_PROCESSES, seed } from "../../../drizzle/seed.ts";
import { CommandError } from "../../node/errors.ts";
import { note } from "../support/output.ts";
import { runMigrations } from "./migrations.ts";
import { asOwner } from "./worker-role.ts";

/** A process that every preview has, and a key that may read it. */
export const [PREVIEW_READER] = SEED_PROCESSES;

/** The database is not for a preview, which responds to everybody who knows the seed's public keys. */
export class ForeignDataError extends CommandError {}

/**
 * Brings a preview's database to the newest schema, and seeds it if it is new.
 *
 * @throws ForeignDataError before anything is changed, if it holds a company that is not the seed's
 */
export async function prepareDatabase(connectionString: string): Promise<void> {
  const companies = await asOwner(connectionString, "The preview's database was not looked at", listCompanies);
  if (companies.some((id) => !SEED_COMPANIES.includes(id))) {
    throw new ForeignDataError(
      "The Neon branch holds companies that are not the seed's. A preview responds to whoever knows the seed's public keys: give previews a Neon project of their own.",
    );
  }
  await runMigrations(connectionString, (name) => note(`migrated ${name}`));
  if (companies.length > 0) return;
  await seed(connectionString, { force: true });
  note("seeded");
}

/** The ids of all of them; none also before the first migration. */
async function listCompanies(client: pg.Client): Promise<string[]> {
  const { rows: tables } = await client.query("select to_regclass('public.companies') is not null as exists");
  if (!tables[0].exists) return [];
  const { rows } = await client.query("select id from companies limit 3");
  return rows.map(({ id }) => id);
}
