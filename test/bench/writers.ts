// Measures what the outbox's triggers cost those who write.
import type pg from "pg";
import { withClient } from "./client.ts";
import { median } from "./statistics.ts";

export interface WriterCost {
  what: "insert" | "update" | "delete";
  rows: number;
  /** Medians, in milliseconds. */
  withMs: number;
  withoutMs: number;
}

const NEW_ROWS = `insert into processes (application_id, key, entrypoint)
  select (select id from applications order by id limit 1), 'bench-' || n, '' from generate_series(1, $1::int) n`;
const SOME_ROWS = "id in (select id from processes order by id limit $1::int)";

const STATEMENTS: Record<WriterCost["what"], string> = {
  insert: NEW_ROWS,
  update: `update processes set display_name = 'Written' where ${SOME_ROWS}`,
  delete: `delete from processes where ${SOME_ROWS}`,
};

/** Writes so many rows at once, with the triggers and without them, by turns. Nothing of it stays. */
export async function measureWriters(
  connectionString: string,
  { rows, times }: { rows: readonly number[]; times: number },
): Promise<WriterCost[]> {
  return withClient(connectionString, async (client) => {
    const costs: WriterCost[] = [];
    for (const count of rows) {
      for (const what of ["insert", "update", "delete"] as const) {
        const taken = { withMs: [] as number[], withoutMs: [] as number[] };
        for (let n = 0; n < times; n++) {
          for (const name of ["withMs", "withoutMs"] as const) {
            taken[name].push(await write(client, STATEMENTS[what], count, name === "withMs"));
          }
        }
        costs.push({ what, rows: count, withMs: median(taken.withMs), withoutMs: median(taken.withoutMs) });
      }
    }
    return costs;
  });
}

/** @returns how long one statement takes, in milliseconds, without its commit */
async function write(client: pg.Client, statement: string, rows: number, isWithTriggers: boolean): Promise<number> {
  await client.query("begin");
  try {
    if (!isWithTriggers) await client.query("alter table processes disable trigger user");
    const startedAt = performance.now();
    await client.query(statement, [rows]);
    return performance.now() - startedAt;
  } finally {
    await client.query("rollback");
    if (rows > 1_000) await client.query("vacuum processes");
  }
}
