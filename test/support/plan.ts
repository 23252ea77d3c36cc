import type pg from "pg";

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

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
    rows: nodes.map((node) => (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"]),
    blocks: nodes.reduce((sum, node) => sum + node["Shared Hit Blocks"] + node["Shared Read Blocks"], 0),
  };
}
