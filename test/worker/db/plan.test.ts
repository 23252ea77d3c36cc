// How Postgres reads its tables when they are large: through an index, whatever is asked.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { getOwnApiKey } from "../../../src/worker/api/api-key/query.ts";
import { getProcessForKey, listProcessesForKey, listRunsForKey } from "../../../src/worker/api/process/query.ts";
import type { Database } from "../../../src/worker/db/client.ts";
import { deleteExpiredRuns, pollChanges } from "../../../src/worker/feed/query.ts";
import { sha256, useCompany, useRecords } from "../../support/records.ts";
import { captureStatement } from "../../support/statement.ts";

const records = useRecords();
const own = useCompany(records);
let ids: { applicationId: string; processId: string };
beforeAll(async () => {
  const { rows } = await records.pool.query(
    `with many as (
       insert into applications (company_id, name, display_name)
       select $1, 'many-' || n, 'Many' from generate_series(1, 1000) n returning id
     )
     insert into processes (application_id, key, entrypoint)
     select id, 'many-' || n, '' from many, generate_series(1, 10) n
     returning application_id as "applicationId", id as "processId"`,
    [own.companyId],
  );
  ids = rows[0];
  await records.pool.query(
    `insert into api_key_tokens (hash, api_key_id, masked)
     select sha256(($1::text || n)::bytea), $1::uuid, 'svl_00…0000' from generate_series(1, 5000) n`,
    [own.keyId],
  );
  await records.pool.query("update processes set type = 'cron' where id = $1", [ids.processId]);
  await records.pool.query(
    `insert into process_runs (process_id, requested_at)
     select id, now() - n * interval '1 minute' from processes, generate_series(1, case id when $1 then 3000 else 2 end) n`,
    [ids.processId],
  );
  await records.pool.query("vacuum analyze");
});
afterAll(() =>
  records.pool.query(
    "with gone as (delete from applications where company_id = $1) delete from api_keys where company_id = $1",
    [own.companyId],
  ),
);

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows"?: number;
  "Rows Removed by Filter"?: number;
  Plans?: Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

type Key = { keyHash: string; trace: object };
test.for<[string, (db: Database, key: Key) => Promise<unknown>, string[]]>([
  ["a process", (db, key) => getProcessForKey(db, { ...key, ...ids }), ["processes", "applications"]],
  [
    "a page of processes",
    (db, key) => listProcessesForKey(db, { ...key, ...ids, limit: 25, offset: 50 }),
    ["processes", "applications"],
  ],
  ["a page of runs", (db, key) => listRunsForKey(db, { ...key, ...ids, limit: 25, offset: 50 }), ["process_runs"]],
  ["the key", getOwnApiKey, []],
])("%s is read through indexes", async ([_, ask, tables]) => {
  const { text, params } = await captureStatement((db) => ask(db, { keyHash: sha256(own.token), trace: {} }));
  const { rows } = await records.pool.query(`explain (format json) ${text}`, params);
  const nodes = nodesOf(rows[0]["QUERY PLAN"][0].Plan);
  for (const table of [...tables, "api_key_tokens"]) {
    const kinds = nodes.filter((node) => node["Relation Name"] === table).map((node) => node["Node Type"]);
    expect([table, kinds.length]).not.toContain(0);
    for (const kind of kinds)
      expect([table, kind]).toContainEqual(expect.stringMatching(/Index (Only )?Scan|Bitmap Heap Scan/));
  }
});

const seen = async (ask: (db: Database) => Promise<unknown>, table: string) => {
  const { text, params } = await captureStatement(ask);
  const { rows } = await records.pool.query(`explain (analyze, format json) ${text}`, params);
  const nodes = nodesOf(rows[0]["QUERY PLAN"][0].Plan).filter((node) => node["Relation Name"] === table);
  return nodes.map((node) => Number(node["Actual Rows"]) + (node["Rows Removed by Filter"] ?? 0));
};

test("a page of runs reads no more of 3,000 than it shows, and counts them", async () => {
  const page = { keyHash: sha256(own.token), trace: {}, ...ids, limit: 25, offset: 50 };
  expect((await seen((db) => listRunsForKey(db, page), "process_runs")).toSorted()).toStrictEqual([3_000, 75]);
});

test("where no run has expired, none is read to find out", async () => {
  // Those of other tests.
  await seen(deleteExpiredRuns, "process_runs");
  expect(await seen(deleteExpiredRuns, "process_runs")).toStrictEqual([0, 0, 0]);
});

test("a poll of the feed leaves alone what is purged and not deleted yet", async () => {
  const memory = { drained: "1:1:", purged: "5:9:5,8", batches: [], waitingSince: null, polledAt: 0, isLost: false };
  const { text, params } = await captureStatement((db) => pollChanges(db, randomUUID(), memory, true));
  const client = await records.pool.connect();
  try {
    await client.query("begin; delete from changes; update feed set leased_until = null");
    // Purged, though others that had begun before were under way at that time.
    await client.query("insert into changes (kind, xid) select 'company', '7' from generate_series(1, 10000)");
    await client.query("insert into changes (kind, xid) values ('company', '5'), ('company', '8'), ('company', '9')");
    const { rows } = await client.query(`explain (analyze, format json) ${text}`, params);
    const nodes = nodesOf(rows[0]["QUERY PLAN"][0].Plan).filter((node) => node["Relation Name"] === "changes");
    const seen = nodes.map((node) => Number(node["Actual Rows"]) + (node["Rows Removed by Filter"] ?? 0));
    expect(seen).toStrictEqual([1, 2]);
  } finally {
    await client.query("rollback");
    client.release();
  }
});
