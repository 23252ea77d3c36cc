import type pg from "pg";

export interface Plan {
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Index Recheck"?: number;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: Plan[];
}

export const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** How many rows a node has read of its table, or of an index. */
export const rowsReadBy = (node: Plan): number =>
  node["Actual Loops"] *
  (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0));

/**
 * Runs a statement.
 *
 * @returns `rows`: how many rows of a table, or of its indexes, each node of the plan has read; `blocks`: how many blocks all of
 *   them have, also for what an index has passed over
 */
export async function readsOf(
  pool: pg.Pool,
  table: string,
  { sql, params }: { sql: string; params: unknown[] },
): Promise<{ rows: number[]; blocks: number }> {
  const explained = await pool.query(`explain (analyze, buffers, format json) ${sql}`, params);
  const nodes = nodesOf(explained.rows[0]["QUERY PLAN"][0].Plan).filter((node) => node["Relation Name"] === table);
  return {
    rows: nodes.map(rowsReadBy),
    blocks: nodes.reduce((sum, node) => sum + node["Shared Hit Blocks"] + node["Shared Read Blocks"], 0),
  };
}
