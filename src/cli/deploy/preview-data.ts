import pg from "pg";
import { SEED_COMPANY } from "../../../drizzle/seed.ts";

/** Whether a database holds nothing, the seed (and perhaps more), or other data alone. */
export async function contentsOf(connectionString: string): Promise<"nothing" | "seed" | "other"> {
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
