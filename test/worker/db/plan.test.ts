// What Postgres reads for each statement when its tables are large: what is shown, and of a list as many index entries as are counted.
import { randomUUID } from "node:crypto";
import { getTableName } from "drizzle-orm";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../../src/worker/db/client.ts";
import { pollChanges } from "../../../src/worker/feed/query.ts";
import { FIXTURES } from "../../support/fixtures.ts";
import { operations } from "../../support/operations.ts";
import { nodesOf, type Plan, rowsReadBy } from "../../support/plan.ts";
import { sha256, useCompany, useRecords } from "../../support/records.ts";
import { captureStatement, captureStatements, type Sent } from "../../support/statement.ts";
import { type Asked, statementsOf } from "../../support/statements.ts";

const records = useRecords();
const own = useCompany(records, ["APP:READ", "APP:UPDATE"]);
const MANY = 3_000;
/** So many that Postgres does not rather read the whole table than 25 rows by an index. */
const APPLICATIONS = 9_000;
const CHANGES = 6_000;
/** How many rows of a table are counted for the total of a list, or by a poll of the feed. */
const counted: Record<string, number> = { applications: APPLICATIONS + 1, processes: MANY, changes: 5_001 };
const PAGE = { limit: 25, offset: 50 };

let client: pg.PoolClient;
const asked = { ...PAGE } as Asked;
beforeAll(async () => {
  client = await records.pool.connect();
  const query = async (text: string, ...params: unknown[]) => (await client.query(text, params)).rows;
  const { companyId, keyId } = own;
  await query(
    `insert into applications (company_id, name, display_name)
       select $1, 'many-' || n, 'Many' from generate_series(1, ${APPLICATIONS}) n`,
    companyId,
  );
  const { id: applicationId } = await records.application(companyId);
  const [{ id: processId }] = await query(
    `with others as (
       insert into processes (application_id, key, entrypoint, type)
         select id, key, '', case key when 'web' then 'web'::process_type end
         from applications, (values ('web'), ('a'), ('b')) as key (key) where company_id = $1 and name like 'many-%0'
     )
     insert into processes (application_id, key, entrypoint, type)
       select $2, 'many' || case n when 1 then '' else '-' || n end, '', 'cron' from generate_series(1, ${MANY}) n returning id`,
    companyId,
    applicationId,
  );
  await query(
    `insert into process_runs (process_id, requested_at) select id, now() - n * interval '1 minute'
       from processes, generate_series(1, 2) n where application_id = $1 and id <> $2`,
    applicationId,
    processId,
  );
  for (const { table, example } of FIXTURES) {
    if (example === undefined) continue;
    const rows = Array.from({ length: MANY }, () => example({ companyId, applicationId, processId }));
    for (let n = 0; n < MANY; n += 1_000) await records.db.insert(table).values(rows.slice(n, n + 1_000) as never);
    counted[getTableName(table)] = MANY;
  }
  await query(
    `insert into api_key_tokens (hash, api_key_id, masked)
       select sha256(($1::text || n)::bytea), $1::uuid, 'svl_00…0000' from generate_series(1, ${MANY}) n`,
    keyId,
  );
  await query(
    `with keys as (insert into api_keys (company_id, name) select $1, 'A key' from generate_series(1, ${MANY}) returning id)
     insert into api_key_capabilities (api_key_id, company_id, permission, resource_id) select id, $1, 'APP:READ', $2 from keys`,
    companyId,
    applicationId,
  );
  await query(
    `insert into audit_log (api_key_id, company_id, application_id, process_id, operation)
       select $1, $2, $3, gen_random_uuid(), 'update' from generate_series(1, ${MANY})`,
    keyId,
    companyId,
    applicationId,
  );
  await query(
    `insert into idempotent_answers (api_key_id, operation, key, fingerprint, body)
       select $1, 'POST /', n, '', '' from generate_series(1, ${MANY}) n`,
    keyId,
  );
  await query("vacuum analyze");
  Object.assign(asked, { keyHash: sha256(own.token), id: applicationId, process_id: processId });
});
afterAll(async () => {
  await client.query(
    "with gone as (delete from applications where company_id = $1) delete from api_keys where company_id = $1",
    [own.companyId],
  );
  client.release();
});

/** How many rows each node has read of its table, the most first; nothing of what is sent stays. */
async function rowsRead(ask: (db: Database) => Promise<unknown>, before = "select"): Promise<[string, number][]> {
  const sent = await captureStatements(ask);
  await client.query("begin");
  try {
    // Rows may be so short that Postgres would rather read all of them.
    await client.query("set local enable_seqscan = off");
    await client.query(before);
    const plans: Plan[] = [];
    for (const { text, params } of sent) plans.push(await explain({ text, params }));
    return plans.flatMap(nodesOf).flatMap((node): [string, number][] => {
      const table = node["Relation Name"];
      return table === undefined ? [] : [[table, rowsReadBy(node)]];
    });
  } finally {
    await client.query("rollback");
  }
}

async function explain({ text, params }: Sent): Promise<Plan> {
  const { rows } = await client.query(`explain (analyze, format json) ${text}`, params);
  return rows[0]["QUERY PLAN"][0].Plan;
}

const SMALL = ["companies", "process_resource_types"];

const pages = operations.filter(({ isPage }) => isPage).map(({ id }) => id);

/** They call functions, of which a plan shows nothing (test/worker/feed/sweeps.test.ts). */
const CALLS = ["deleteAudit", "deleteKeyEvents"];

test.for(Object.keys(statementsOf(asked)).filter((name) => !CALLS.includes(name)))(
  "%s reads what it shows",
  async (name) => {
    const before = `insert into changes (kind) select 'company' from generate_series(1, ${CHANGES})`;
    const ask = statementsOf(asked)[name] as (db: Database) => Promise<unknown>;
    const read = await rowsRead(ask, `update feed set leased_until = null; ${before}`);
    expect(read.length).toBeGreaterThan(0);
    const more = read.filter(([table, rows]) => rows > PAGE.offset + PAGE.limit && !SMALL.includes(table));
    const isCounting = name === "pollChanges" || pages.includes(name);
    const missing = "An index is missing, or it has not the order of the list";
    expect(more, missing).toStrictEqual(more.slice(0, isCounting ? 1 : 0).map(([table]) => [table, counted[table]]));
    expect(more, missing).toHaveLength(isCounting ? 1 : 0);
  },
);

const MEMORY = { drained: "1:1:", purged: "5:9:5,8", batches: [], waitingSince: null, polledAt: 0, isLost: false };
const NO_CHANGES = "update feed set leased_until = null; delete from changes";

test("a poll of the feed leaves alone what is purged and not deleted yet", async () => {
  const read = await rowsRead(
    (db) => pollChanges(db, randomUUID(), MEMORY, true),
    // Purged, though others that had begun before were under way at that time.
    `${NO_CHANGES}; insert into changes (kind, xid) select 'company', '7' from generate_series(1, ${CHANGES});
     insert into changes (kind, xid) values ('company', '5'), ('company', '8'), ('company', '9')`,
  );
  const counts = read.flatMap(([table, rows]) => (table === "changes" ? [rows] : []));
  // Counted, and read.
  expect(counts.toSorted()).toStrictEqual([0, 0, 1, 1, 2, 2]);
});

test.for([
  ["each of 5,000 changes", 4_998, { company: 4_998, key: 2 }],
  ["everything in place of more", 4_999, { everything: 2 }],
] as const)("a poll of the feed returns %s", async ([_, count, expected]) => {
  const { text, params } = await captureStatement((db) => pollChanges(db, randomUUID(), MEMORY, true));
  await client.query("begin");
  try {
    await client.query(
      `${NO_CHANGES}; insert into changes (kind, xid) select 'company', '9' from generate_series(1, ${count});
       insert into changes (kind, xid) values ('key', '5'), ('key', '8')`,
    );
    const { rows } = await client.query(text, params);
    expect(rows[0].lease).not.toBeNull();
    const kinds = Object.groupBy(rows.slice(1), ({ kind }) => kind);
    expect(Object.fromEntries(Object.entries(kinds).map(([kind, all]) => [kind, all?.length]))).toStrictEqual(expected);
  } finally {
    await client.query("rollback");
  }
});
