// The changes that triggers write into the outbox, whoever the writer is.
import { randomUUID } from "node:crypto";
import { getTableName } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RUNS_EXPIRED } from "../../../src/worker/resources/process-run/rows.ts";
import { connectionString } from "../../support/database.ts";
import { operations } from "../../support/operations.ts";
import { useRecords } from "../../support/records.ts";
import { idsIn } from "../../support/response.ts";
import { tablesOf } from "../../support/statements.ts";
import { TABLES } from "../../support/tables.ts";

const records = useRecords();
const client = new pg.Client({ connectionString });
/** Most tests read it, and none changes it for good. */
let shared: World;
beforeAll(async () => {
  await client.connect();
  shared = await newWorld();
});
afterAll(() => client.end());

/** One of each, and names to speak of their ids by. */
async function newWorld() {
  const [company, deserted] = [await records.company(), await records.company()];
  const size = (await records.resourceType()).id;
  const { id: application, process_id: process } = await records.pathIds(company);
  await client.query("update processes set resource_type_id = $1 where id = $2", [size, process]);
  const spare = (await records.resourceType()).id;
  return { company, deserted, application, size, spare, process, key: (await records.key(company)).id };
}
type World = Record<string, string>;

/** The changes that a statement records after another one. Ids of the world stand in them as `:process`. */
async function recorded(world: World, statement: string, before = ""): Promise<string[]> {
  const withIds = (text: string) => text.replaceAll(/(?<!\w):(\w+)/g, (_, name) => `'${world[name]}'`);
  await client.query("begin");
  try {
    await client.query(`${withIds(before)}; delete from changes`);
    await client.query(withIds(statement));
    // Of this transaction: others write as well.
    const { rows } = await client.query(
      "select concat_ws(' ', kind, resource_id, application_id, company_id) as change from changes where xmin = pg_current_xact_id()::xid",
    );
    return rows.map(({ change }) => named(world, change)).sort();
  } finally {
    await client.query("rollback");
  }
}

/** Kind, id, and what may be purged in its place, with names for ids. */
function named(world: World, change: string): string {
  const known = Object.entries(world).reduce((text, [name, id]) => text.replaceAll(id, name), change);
  return idsIn(known).reduce((text, id) => text.replaceAll(id, "new"), known);
}

const LISTED: Record<string, string> = {
  company: "company company company",
  deserted: "company deserted deserted",
  application: "application application application company",
  applications: "application-list company company",
  process: "process process application company",
  processes: "process-list application application company",
  runs: "run-list process application company",
  key: "key key company",
  everything: "everything",
  size: "resource-type size",
  spare: "resource-type spare",
  sizes: "resource-type-list",
  "new application": "application new new company",
  "new process": "process new application company",
};
const STATEMENTS = `
insert into companies (name) values ('New') → nothing
update companies set name = 'Renamed' where id = :company → company
update companies set name = name where id = :company → nothing
delete from companies where id = :deserted → deserted
insert into applications (company_id, name, display_name) values (:company, 'new', 'New') → new application, applications
update applications set namespace = 'ns-9' where id = :application → application
update applications set name = name where id = :application → nothing
update applications set created_at = now() - interval '1 day' where id = :application → application, applications
delete from applications where id = :application → application, applications
insert into processes (application_id, key, entrypoint) values (:application, 'new', '') → new process, processes
update processes set port = 1 where id = :process → process
update processes set display_order = 1 where id = :process → process, processes
update processes set port = port where id = :process → nothing
update processes set created_at = now() - interval '1 day' where id = :process → process, processes
delete from processes where id = :process → process, processes
insert into process_runs (process_id) values (:process), (:process) → runs
update process_runs set exit_code = 2 where process_id = :process → runs
update process_runs set exit_code = exit_code where process_id = :process → nothing
delete from process_runs where process_id = :process → runs
insert into process_runs (process_id, requested_at) values (:process, now() - interval '30 days 1 second') → nothing
update process_runs set requested_at = now() - interval '31 days' where process_id = :process → runs
insert into process_resource_types (name, cpu_millicores, memory_megabytes, category)
  values ('new', 1, 1, 'hobby') → sizes
update process_resource_types set cpu_millicores = 77 where id = :size → size
update process_resource_types set name = name where id = :size → nothing
delete from process_resource_types where id = :spare → spare
insert into api_keys (company_id, name) values (:company, 'New') → nothing
update api_keys set is_enabled = false where id = :key → key
update api_keys set expires_at = now() where id = :key → key
update api_keys set last_used_at = now() where id = :key → nothing
delete from api_keys where id = :key → key
insert into api_key_tokens (hash, api_key_id, masked) values (sha256('new'), :key, 'svl_00…ffff') → nothing
update api_key_tokens set expires_at = now() where api_key_id = :key → key
update api_key_tokens set last_used_at = now() where api_key_id = :key → nothing
delete from api_key_tokens where api_key_id = :key → key
insert into api_key_capabilities (api_key_id, company_id, permission) values (:key, :company, 'APP:UPDATE') → key
update api_key_capabilities set resource_id = :application where api_key_id = :key → key
delete from api_key_capabilities where api_key_id = :key → key`;

test.for(STATEMENTS.trim().split(/\n(?! )/))("%s", async (line) => {
  const [statement = "", changes = ""] = line.split(" → ");
  const expected = changes === "nothing" ? [] : changes.split(", ").map((name) => String(LISTED[name]));
  expect(await recorded(shared, statement)).toStrictEqual(expected.sort());
});

test("a run that has expired leaves nothing to purge, whoever deletes it", async () => {
  const age = (interval: string) =>
    `update process_runs set requested_at = now() - interval '${interval}' where process_id = :process`;
  const remove = "delete from process_runs where process_id = :process";
  const finish = "update process_runs set exit_code = 2 where process_id = :process";
  for (const statement of [remove, finish]) {
    expect(await recorded(shared, statement, age("30 days 1 second"))).toStrictEqual([]);
    expect(await recorded(shared, statement, age("29 days 23 hours 59 minutes"))).toStrictEqual([LISTED.runs]);
  }
});

test("a run expires after 720 hours, also where one of the days had 23", async () => {
  /** As a time zone of POSIX counts days (https://www.postgresql.org/docs/current/datetime-posix-timezone-specs.html). */
  const dayOfYear = (days: number) => {
    const date = new Date(Date.now() + days * 86_400_000);
    return Math.min(1 + Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0)) / 86_400_000), 365);
  };
  const zone = `set local time zone 'AAA0BBB,J${dayOfYear(-15)},J${dayOfYear(150)}'`;
  const age =
    "update process_runs set requested_at = now() - interval '719 hours 59 minutes' where process_id = :process";
  expect(
    await recorded(shared, "delete from process_runs where process_id = :process", `${zone}; ${age}`),
  ).toStrictEqual([LISTED.runs]);
  const { sql } = new PgDialect().sqlToQuery(RUNS_EXPIRED);
  await client.query(`begin; ${zone}`);
  const { rows } = await client.query(`select extract(epoch from now() - (${sql}))::int as seconds`);
  await client.query("rollback");
  expect(rows).toStrictEqual([{ seconds: 720 * 3_600 }]);
});

test("a row that moves is gone from where it was", async () => {
  const there = await newWorld();
  const { application: application2, company: company2, key: key2 } = there;
  const both = { ...shared, application2, company2, key2, random: randomUUID() };
  const moves = [
    "update processes set application_id = :application2 where id = :process",
    "update applications set company_id = :company2, name = :random where id = :application",
    "update api_key_capabilities set api_key_id = :key2, company_id = :company2, permission = 'APP:UPDATE' where api_key_id = :key",
  ];
  const changes: string[][] = [];
  for (const move of moves) changes.push(await recorded(both, move));
  expect(changes).toStrictEqual([
    [
      "process process application company",
      "process process application2 company2",
      "process-list application application company",
      "process-list application2 application2 company2",
    ],
    [
      "application application application company",
      "application application application company2",
      "application-list company company",
      "application-list company2 company2",
    ],
    ["key key company", "key key2 company2"],
  ]);
});

const BULK = `insert into processes (application_id, key, entrypoint)
  select :application, 'bulk-' || n, '' from generate_series(1, 1001) n`;
const BULK_COMPANIES = "insert into companies (name) select 'bulk' from generate_series(1, 1001)";
const APPLICATIONS = "insert into applications (company_id, name, display_name)";

test.for<[before: string, statement: string, change: string]>([
  ["", BULK, "application"],
  [BULK, "update processes set port = 1 where application_id = :application", "application"],
  [BULK, "delete from processes where application_id = :application", "application"],
  [
    BULK,
    "insert into process_runs (process_id) select id from processes where application_id = :application",
    "application",
  ],
  ["", `${APPLICATIONS} select :company, 'bulk-' || n, 'Bulk' from generate_series(1, 1001) n`, "everything"],
  [BULK_COMPANIES, "update companies set name = 'bulky' where name = 'bulk'", "everything"],
])("a statement of more than a thousand rows records what they have in common: %s; %s", async (one) => {
  const [before, statement, change] = one;
  expect(await recorded(shared, statement, before)).toStrictEqual([LISTED[change]]);
});

/** All that a cached response shows anything of. Each also reads the heartbeat of the feed. */
const recordedTables = [
  ...new Set(operations.filter((one) => one.isCached && !one.isWrite).flatMap(({ id }) => tablesOf(id))),
].filter((name) => name !== "feed");
/** No cached response can be without a row that is new here. */
const HARMLESS_WHEN_NEW = ["companies", "api_keys", "api_key_tokens"];

test("cached responses show something of these tables", () => {
  const names = [
    "api_keys",
    "api_key_capabilities",
    "api_key_tokens",
    "applications",
    "companies",
    "process_resource_types",
  ];
  expect(recordedTables).toEqual(expect.arrayContaining([...names, "process_runs", "processes"]));
});

test.for(recordedTables)("every kind of statement on %s is recorded", async (table) => {
  const { rows } = await client.query(
    `select distinct event_manipulation as event from information_schema.triggers
     where event_object_table = $1 and action_statement like 'EXECUTE FUNCTION record%' order by 1`,
    [table],
  );
  const kinds = ["DELETE", ...(HARMLESS_WHEN_NEW.includes(table) ? [] : ["INSERT"]), "UPDATE"];
  expect(rows.map(({ event }) => event)).toStrictEqual(kinds);
  const enabled = await client.query(
    "select distinct tgenabled from pg_trigger where tgrelid = $1::regclass and tgfoid::regproc::text like 'record%'",
    [table],
  );
  expect(enabled.rows, "ENABLE ALWAYS").toStrictEqual([{ tgenabled: "A" }]);
  // Of a table that is emptied there is no trigger in the information schema.
  expect(await recorded(shared, `truncate ${table} cascade`)).toContain("everything");
});

const WRITES = [
  "insert into public.applications (company_id, name, display_name) values (:company, 'new', 'New')",
  "update public.applications set namespace = 'ns-9' where id = :application",
  "delete from public.applications where id = :application",
  "truncate public.applications cascade",
  "insert into public.processes (application_id, key, entrypoint) values (:application, 'new', '')",
  "update public.processes set port = 7 where id = :process",
  "delete from public.processes where id = :process",
  "truncate public.processes cascade",
];

test.for(WRITES)("a writer who may not touch the outbox writes to it all the same: %s", async (write) => {
  const role = `writer_${randomUUID().slice(0, 8)}`;
  const before = `create role ${role};
    grant select, insert, update, delete, truncate on ${Object.values(TABLES)
      .map(getTableName)
      .filter((name) => name !== "changes")
      .join()} to ${role}`;
  const asWriter = `set local search_path = pg_catalog; set local role ${role}; ${write}; reset role; reset search_path`;
  const expected = await recorded(shared, write);
  expect(expected).not.toStrictEqual([]);
  expect(await recorded(shared, asWriter, before)).toStrictEqual(expected);
});

test.for(WRITES)("whoever writes as a replica is recorded: %s", async (write) => {
  const asReplica = `set local session_replication_role = replica; ${write}`;
  const expected = await recorded(shared, write);
  expect(expected).not.toStrictEqual([]);
  expect(await recorded(shared, asReplica)).toStrictEqual(expected);
});

const OUR_FUNCTIONS = `select oid::regprocedure::text as name from pg_proc where pronamespace = 'public'::regnamespace
  and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')`;

/** The Worker's role may not delete from the tables, and they delete nothing that is younger than 30 days. */
const DELETING = ["delete_expired_audit", "delete_expired_key_events"];

test("no function can be executed by everybody, and those that record have their owner's rights by a trigger only", async () => {
  expect((await client.query(OUR_FUNCTIONS)).rows.length).toBeGreaterThan(0);
  const isOpen = "has_function_privilege('public', oid, 'execute')";
  const isRecording = "prorettype = 'trigger'::regtype and proname <> 'set_updated_at'";
  const asOwner = `(${isRecording}) or proname = any($1)`;
  const { rows } = await client.query(`${OUR_FUNCTIONS} and (${isOpen} or prosecdef <> (${asOwner}))`, [DELETING]);
  expect(rows).toStrictEqual([]);
});
