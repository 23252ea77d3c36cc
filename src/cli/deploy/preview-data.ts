import pg from "pg";
import { SEED_COMPANY, SEED_PROCESSES, seed } from "../../../drizzle/seed.ts";
import { CommandError } from "../support/errors.ts";
import { note } from "../support/output.ts";
import { runMigrations } from "./migrations.ts";

/** A process that every preview has, and a key that may read it. */
export const [PREVIEW_READER] = SEED_PROCESSES;

/**
 * Brings a preview's database to the newest schema, and seeds it if it is new.
 *
 * @throws CommandError also if it holds other data than the seed's
 */
export async function prepareDatabase(connectionString: string): Promise<void> {
  for (const migration of await runMigrations(connectionString)) note(`migrated ${migration}`);
  const contents = await contentsOf(connectionString);
  if (contents === "other") {
    throw new CommandError(
      "The Neon branch holds data that is not the seed's. A preview answers whoever knows the seed's public keys: give previews a Neon project of their own.",
    );
  }
  if (contents === "seed") return;
  await seed(connectionString, { force: true });
  note("seeded");
}

/** Whether a database holds nothing, the seed (and perhaps more), or other data alone. */
async function contentsOf(connectionString: string): Promise<"nothing" | "seed" | "other"> {
  const client = new pg.Client({ connectionString, application_name: "process-api preview" });
  await client.connect();
  try {
    const { rows } = await client.query("select bool_or(id = $1) as has_seed from companies", [SEED_COMPANY]);
    const { has_seed } = rows[0] as { has_seed: boolean | null };
    if (has_seed === null) return "nothing";
    return has_seed ? "seed" : "other";
  } finally {
    await client.end();
  }
}
