import { randomUUID } from "node:crypto";
import { drizzle } from "drizzle-orm/neon-http";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { getProcessForKey } from "../../src/api/process/query.ts";
import { openRecords, type Records, sha256 } from "../support/records.ts";

let records: Records;
let applicationId: string;
let processId: string;
let token: string;
beforeAll(async () => {
  records = await openRecords(inject("connectionString"));
  const companyId = await records.company();
  applicationId = (await records.application(companyId)).id;
  const key = await records.key(companyId);
  token = key.token;
  processId = (await records.process(applicationId)).id;
  // Tables that no planner would rather read whole, then thrown away with the transaction's end by deletion below.
  await records.pool.query(
    `insert into processes (application_id, key, entrypoint) select $1, 'bulk-' || n, '' from generate_series(1, 20000) n`,
    [applicationId],
  );
  await records.pool.query(
    `insert into api_key_tokens (hash, api_key_id, masked)
     select sha256(('bulk-' || n || $2::text)::bytea), $1, 'svl_0000…0000' from generate_series(1, 20000) n`,
    [key.id, randomUUID()],
  );
  await records.pool.query("analyze");
});
afterAll(async () => {
  await records.pool.query("delete from processes where application_id = $1", [applicationId]);
  await records.close();
});

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  Plans?: Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

test("the one query reads processes and tokens through their indexes", async () => {
  const statements: { text: string; params: unknown[] }[] = [];
  const spy = drizzle({
    client: {
      query: async (text: string, params: unknown[]) => {
        statements.push({ text, params });
        return { rows: [] };
      },
    } as never,
  });
  await getProcessForKey(spy, { keyHash: sha256(token), applicationId, processId });
  const [statement] = statements;
  const { rows } = await records.pool.query(`explain (format json) ${statement?.text}`, statement?.params);
  const nodes = nodesOf(rows[0]["QUERY PLAN"][0].Plan);
  const scans = new Map(nodes.map((node) => [node["Relation Name"], node["Node Type"]]));
  for (const table of ["processes", "api_key_tokens"])
    expect([table, scans.get(table)]).toStrictEqual([table, "Index Scan"]);
  expect(nodes.filter((node) => node["Node Type"] === "Seq Scan" && node["Relation Name"] === "processes")).toEqual([]);
});
