import type pg from "pg";

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  Plans?: Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** Runs a statement. @returns how many rows of a table, or of its indexes, each node of the plan has read */
export async function readRows(pool: pg.Pool, table: string, text: string, params: unknown[]): Promise<number[]> {
  const { rows } = await pool.query(`explain (analyze, format json) ${text}`, params);
  return nodesOf(rows[0]["QUERY PLAN"][0].Plan)
    .filter((node) => node["Relation Name"] === table)
    .map((node) => (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"]);
}
