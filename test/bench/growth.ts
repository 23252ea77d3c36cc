// Measures how the time that a statement takes grows with what the tables hold.
import { randomUUID } from "node:crypto";
import { drizzle } from "drizzle-orm/node-postgres";
import type pg from "pg";
import { selectEntries } from "../../src/cli/audit.ts";
import type { Database } from "../../src/worker/db/client.ts";
import { pollChanges } from "../../src/worker/feed/query.ts";
import { captureStatements, type Sent } from "../support/statement.ts";
import { sendRead, sendWrite } from "../support/statements.ts";
import { withClient } from "./client.ts";
import { hashOf } from "./population.ts";
import { timesOf } from "./statement.ts";
import { median } from "./statistics.ts";

/** The times of the statements with so many processes, as many rows of the audit log, and a tenth as many keys. */
export interface Growth {
  rows: number;
  times: Record<string, Time>;
}

/** How long Postgres runs a statement, by its own account: medians. */
interface Time {
  ms: number;
  /** In proportion to {@link YARDSTICK}, run by turns: while tables are filled, a machine may become slower. */
  relative: number;
}

export interface GrowthPlan {
  /** In ascending order. */
  rows: readonly number[];
  /** How often each statement is run. */
  times: number;
  /** Processes of the largest application, and applications of the largest company. */
  large: number;
  /** Runs of one process. */
  runs: number;
  /** Changes that wait for the feed. */
  changes: number;
}

/** Fills a database that nobody else uses up to each number of rows in turn, and measures there. */
export async function measureGrowth(connectionString: string, plan: GrowthPlan): Promise<Growth[]> {
  return withClient(connectionString, async (client) => {
    const ours = await writeOurs(client, plan);
    const asks = asksOf(ours, plan);
    const audits = {
      [AUDIT_OF_KEY]: { key: ours.keyId },
      "audit of an application": { application: ours.applications.get(FEW) as string },
    };
    const all: Growth[] = [];
    let filled = 0;
    for (const rows of plan.rows) {
      await writeOthers(client, filled, rows);
      filled = rows;
      const times: Growth["times"] = {};
      for (const [what, ask] of Object.entries(asks)) {
        times[what] = await timeOf(client, await captureStatements(ask), plan.times);
      }
      for (const [what, options] of Object.entries(audits)) {
        const { sql: text, params } = selectEntries(drizzle({ client }), { ...options, limit: 50 }).toSQL();
        times[what] = await timeOf(client, [{ text, params }], plan.times);
      }
      all.push({ rows, times });
    }
    return all;
  });
}

// What is measured, by the names that have bars.
export const GET = "get a process";
export const LIST = "list 25 processes of a small application";
export const LIST_OF_MANY = "list 25 processes of the largest application";
export const LIST_AT_END = "list its last 100 that can be asked for";
export const CREATE = "create a process in a small application";
export const CREATE_IN_LARGE = "create a process in the largest one";
export const POLL = "poll the feed, with changes that wait";
export const AUDIT_OF_KEY = "audit of a key";

type Ask = (db: Database) => Promise<unknown>;

/** Ids of what is asked for. */
interface Ours {
  /** By how many processes it has. */
  applications: Map<number, string>;
  processId: string;
  keyId: string;
  /** By how many applications its company has: the hash of a token for all of them, and of one for each. */
  keys: Map<number, { all: string; each: string }>;
}

/** Processes of a small application. */
const FEW = 20;
const COMPANIES = [200, 50, 5];

function asksOf({ applications, processId, keys }: Ours, { large }: GrowthPlan): Record<string, Ask> {
  const first = { limit: 25, offset: 0 };
  const last = { limit: 100, offset: Math.min(large, 10_000) - 100 };
  const idOf = (processes: number) => applications.get(processes) as string;
  const key = { keyHash: keys.get(5)?.all as string };
  const listProcesses = (processes: number, page: typeof first): Ask => {
    return (db) => sendRead(db, "listProcessesV3", { ...key, ...page, id: idOf(processes) });
  };
  const create = (processes: number): Ask => {
    const columns = JSON.stringify({ type: "worker", entrypoint: "", is_ingress_enabled: false });
    const request = { idempotencyKey: null, columns, slug: "worker" };
    return (db) => sendWrite(db, "createProcessV3", { ...key, ...request, id: idOf(processes) });
  };
  return {
    [GET]: (db) => sendRead(db, "getProcessV3", { ...key, id: idOf(FEW), process_id: processId }),
    [LIST]: listProcesses(FEW, first),
    [LIST_OF_MANY]: listProcesses(large, first),
    [LIST_AT_END]: listProcesses(large, last),
    ...Object.fromEntries(
      [...keys].flatMap(([count, { all, each }]) => [
        [
          `list 25 applications of a company with ${count.toLocaleString("en")}`,
          (db: Database) => sendRead(db, "listApplicationsV3", { keyHash: all, ...first }),
        ],
        [
          `list 25 of ${count.toLocaleString("en")} that are granted one by one`,
          (db: Database) => sendRead(db, "listApplicationsV3", { keyHash: each, ...first }),
        ],
      ]),
    ),
    "list 25 of all runs of a process": (db) =>
      sendRead(db, "listProcessRunsV3", { ...key, ...first, id: idOf(FEW), process_id: processId }),
    [CREATE]: create(FEW),
    [CREATE_IN_LARGE]: create(large),
    [POLL]: (db) => pollChanges(db, randomUUID(), null, true),
  };
}

const YARDSTICK: Sent = { text: "select count(*) from generate_series(1, 2000)", params: [] };

/** Runs what is sent in a transaction, which leaves nothing behind. */
async function timeOf(client: pg.Client, sent: readonly Sent[], times: number): Promise<Time> {
  const all: Time[] = [];
  for (let n = 0; n < times; n++) {
    await client.query("begin");
    let ms = 0;
    for (const one of sent) ms += (await timesOf(client, one)).executionMs;
    await client.query("rollback");
    all.push({ ms, relative: ms / (await timesOf(client, YARDSTICK)).executionMs });
  }
  return { ms: median(all.map((time) => time.ms)), relative: median(all.map((time) => time.relative)) };
}

async function writeOurs(client: pg.Client, { large, runs, changes }: GrowthPlan): Promise<Ours> {
  const ours: Ours = { applications: new Map(), processId: "", keyId: "", keys: new Map() };
  const query = async (text: string, params: unknown[] = []) => (await client.query(text, params)).rows;
  let companyId = "";
  for (const count of [large, ...COMPANIES]) {
    [{ id: companyId }] = await query("insert into companies (name) values ('Ours') returning id");
    const applications = await query(
      `insert into applications (company_id, name, display_name, created_at)
         select $1, 'ours-' || n, 'Ours', now() - n * interval '1 minute' from generate_series(1, $2::int) n returning id`,
      [companyId, count],
    );
    const key = { all: hashOf({ token: `all of ${count}` }), each: hashOf({ token: `each of ${count}` }) };
    for (const [kind, hash] of Object.entries(key)) {
      const [{ id }] = await query("insert into api_keys (company_id, name) values ($1, 'Ours') returning id", [
        companyId,
      ]);
      ours.keyId ||= id;
      await query(
        "insert into api_key_tokens (hash, api_key_id, masked) values (decode($1, 'hex'), $2, 'svl_00…0000')",
        [hash, id],
      );
      await query(
        `insert into api_key_capabilities (api_key_id, company_id, permission, resource_id)
           select $1, $2, permission, resource from unnest(enum_range(null::api_key_permission)) as permission, unnest($3::uuid[]) as resource`,
        [id, companyId, kind === "all" ? [null] : applications.map((one) => one.id)],
      );
    }
    ours.keys.set(count, key);
  }
  for (const count of [FEW, large]) {
    const name = `of-${count}`;
    const [{ id }] = await query(
      "insert into applications (company_id, name, display_name) values ($1, $2, 'Ours') returning id",
      [companyId, name],
    );
    const processes = await query(
      `${processesOf("gen_random_uuid()", "$1::uuid", "generate_series(1, $2::int) n", "n")} returning id`,
      [id, count],
    );
    ours.applications.set(count, id);
    ours.processId ||= processes[0].id;
  }
  await query("update processes set type = 'cron' where id = $1", [ours.processId]);
  await query(
    "insert into process_runs (process_id, requested_at) select $1, now() - n * interval '1 minute' from generate_series(0, $2::int - 1) n",
    [ours.processId, runs],
  );
  await query(
    `insert into audit_log (api_key_id, company_id, application_id, process_id, operation, after)
       select $1, $2, $3, $4, 'update', '{"port": 8080}' from generate_series(1, 30)`,
    [ours.keyId, companyId, ours.applications.get(FEW), ours.processId],
  );
  await query("insert into changes (kind) select 'company' from generate_series(1, $1::int)", [changes]);
  return ours;
}

/** Named alike, as those are that are created with a type alone. */
const processesOf = (id: string, application: string, rows: string, n: string): string =>
  `insert into processes (id, application_id, key, display_name, entrypoint, created_at)
     select ${id}, ${application}, 'worker' || case when ${n} > 1 then '-' || ${n} else '' end, 'Worker', 'npm start',
       now() - ${n} * interval '1 second'
     from ${rows}`;

const TABLES = ["companies", "applications", "processes", "api_keys", "api_key_tokens", "api_key_capabilities"];
/** Processes for each. */
const [PER_APPLICATION, PER_KEY, PER_COMPANY] = [20, 10, 1_000];

/** Those of a kind grow: a row is written to the end of an index in a fraction of the time. */
const idOf = (kind: string, n: string): string =>
  `('0000000${kind}-0000-4000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;

/** Writes the rows of so many processes more. */
async function writeOthers(client: pg.Client, from: number, to: number): Promise<void> {
  // Foreign keys and triggers: all that they look for is there.
  for (const table of TABLES) await client.query(`alter table ${table} disable trigger all`);
  const oneFor = (processes: number) => `generate_series(${from / processes}, ${to / processes} - 1) n`;
  const companyOf = (processes: number) => idOf("c", `n * ${processes} / ${PER_COMPANY}`);
  const statements = [
    `insert into companies (id, name) select ${idOf("c", "n")}, 'A company' from ${oneFor(PER_COMPANY)}`,
    `insert into applications (id, company_id, name, display_name)
       select ${idOf("a", "n")}, ${companyOf(PER_APPLICATION)}, 'app-' || n, 'An application' from ${oneFor(PER_APPLICATION)}`,
    processesOf(
      "gen_random_uuid()",
      idOf("a", "n"),
      `${oneFor(PER_APPLICATION)}, generate_series(1, ${PER_APPLICATION}) k`,
      "k",
    ),
    `insert into api_keys (id, company_id, name) select ${idOf("b", "n")}, ${companyOf(PER_KEY)}, 'A key' from ${oneFor(PER_KEY)}`,
    `insert into api_key_tokens (hash, api_key_id, masked)
       select sha256(n::text::bytea), ${idOf("b", "n")}, 'svl_00…0000' from ${oneFor(PER_KEY)}`,
    `insert into api_key_capabilities (api_key_id, company_id, permission)
       select ${idOf("b", "n")}, ${companyOf(PER_KEY)}, 'APP:READ' from ${oneFor(PER_KEY)}`,
    `insert into audit_log (api_key_id, company_id, application_id, process_id, operation, after)
       select ${idOf("b", `n / ${PER_KEY}`)}, ${companyOf(1)}, ${idOf("a", `n / ${PER_APPLICATION}`)}, gen_random_uuid(),
         'update', '{"port": 8080}' from ${oneFor(1)}`,
    // Now, or the server would do so while something is measured.
    "vacuum analyze",
    "checkpoint",
  ];
  for (const statement of statements) await client.query(statement);
  for (const table of TABLES) await client.query(`alter table ${table} enable trigger all`);
}
