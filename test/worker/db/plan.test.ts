// How Postgres reads its tables when they are large: through an index, whatever is asked.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { getOwnApiKey } from "../../../src/worker/api/api-key/query.ts";
import { getProcessForKey, listProcessesForKey } from "../../../src/worker/api/process/query.ts";
import type { Database } from "../../../src/worker/db/client.ts";
import { sha256, useRecords } from "../../support/records.ts";
import { captureStatement } from "../../support/statement.ts";

const APPLICATIONS = 1_000;
const PROCESSES_EACH = 10;

const records = useRecords();
let companyId: string;
let applicationId: string;
let processId: string;
let keyHash: string;
beforeAll(async () => {
  companyId = await records.company();
  const key = await records.key(companyId);
  keyHash = sha256(key.token);
  await records.pool.query(
    `with bulk as (
       insert into applications (company_id, name, display_name)
       select $1, 'bulk-' || n, 'Bulk' from generate_series(1, $2::int) n
       returning id
     )
     insert into processes (application_id, key, entrypoint)
     select id, 'bulk-' || n, '' from bulk, generate_series(1, $3::int) n`,
    [companyId, APPLICATIONS, PROCESSES_EACH],
  );
  await records.pool.query(
    `insert into api_key_tokens (hash, api_key_id, masked)
     select sha256(('bulk-' || n || $2::text)::bytea), $1, 'svl_00…0000'
     from generate_series(1, 5000) n`,
    [key.id, randomUUID()],
  );
  const { rows } = await records.pool.query(
    "select p.id, application_id from processes p join applications a on a.id = application_id where company_id = $1 limit 1",
    [companyId],
  );
  ({ id: processId, application_id: applicationId } = rows[0]);
  await records.pool.query("vacuum analyze");
});
afterAll(async () => {
  await records.pool.query("delete from applications where company_id = $1", [companyId]);
});

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  Plans?: Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

test.for<[string, (db: Database) => Promise<unknown>, string[]]>([
  [
    "a process",
    (db) => getProcessForKey(db, { keyHash, trace: {}, applicationId, processId }),
    ["processes", "applications"],
  ],
  [
    "a page of processes",
    (db) => listProcessesForKey(db, { keyHash, trace: {}, applicationId, limit: 25, offset: 50 }),
    ["processes", "applications"],
  ],
  ["the key", (db) => getOwnApiKey(db, { keyHash, trace: {} }), []],
])("%s is read through indexes", async ([_, ask, tables]) => {
  const { text, params } = await captureStatement(ask);
  const { rows } = await records.pool.query(`explain (format json) ${text}`, params);
  const scans = nodesOf(rows[0]["QUERY PLAN"][0].Plan).filter((node) => node["Relation Name"] !== undefined);
  for (const table of [...tables, "api_key_tokens"]) {
    const kinds = scans.filter((node) => node["Relation Name"] === table).map((node) => node["Node Type"]);
    expect(kinds.length).toBeGreaterThan(0);
    expect(
      kinds.filter((kind) => !/Index (Only )?Scan|Bitmap Heap Scan/.test(kind)),
      table,
    ).toStrictEqual([]);
  }
});
