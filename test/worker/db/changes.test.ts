// The changes that triggers write into the outbox, whoever the writer is.
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionString } from "../../support/database.ts";
import { OWNED_TABLES } from "../../support/owned-tables.ts";
import { useRecords } from "../../support/records.ts";

const records = useRecords();
let client: pg.Client;
/** That most tests read and none changes for good. */
let shared: World;
beforeAll(async () => {
  client = new pg.Client({ connectionString });
  await client.connect();
  shared = await world();
});
afterAll(() => client.end());

/** One of each, and names to speak of their ids by. */
async function world() {
  const company = await records.company();
  const application = (await records.application(company)).id;
  const size = (await records.resourceType()).id;
  const process = (await records.process(application, { resourceTypeId: size })).id;
  await records.pool.query("insert into process_runs (process_id) values ($1)", [process]);
  const spare = (await records.resourceType()).id;
  const key = (await records.key(company)).id;
  return { company, application, size, spare, process, key };
}
type World = Awaited<ReturnType<typeof world>>;

/** The changes that a statement records: kind, id, and what may be purged in its place; ids by their names. */
async function recorded(world: World, statement: string, values: unknown[] = []): Promise<string[]> {
  await client.query("begin");
  try {
    await client.query(statement, values);
    // Of this transaction: other tests write, too.
    const { rows } = await client.query(
      "select concat_ws(' ', kind, resource_id, application_id, company_id) as change from changes where xmin = pg_current_xact_id()::xid",
    );
    return rows.map(({ change }) => named(world, change)).sort();
  } finally {
    await client.query("rollback");
  }
}

const named = (world: World, change: string): string =>
  Object.entries(world).reduce((text, [name, id]) => text.replaceAll(id, name), change);

const NEW = "9c5b94b1-35ad-49bb-b118-8e8fc24abf80";

test.for<[string, string, string[]]>([
  ["companies", "insert into companies (name) values ('New')", []],
  ["companies", "update companies set name = 'Renamed' where id = :company", ["company company company"]],
  ["companies", "update companies set name = name where id = :company", []],
  [
    "applications",
    `insert into applications (id, company_id, name, display_name) values ('${NEW}', :company, 'new', 'New')`,
    [`application ${NEW} ${NEW} company`, "application-list company company"],
  ],
  [
    "applications",
    "update applications set namespace = 'ns-9' where id = :application",
    ["application application application company"],
  ],
  ["applications", "update applications set name = name where id = :application", []],
  [
    "applications",
    "update applications set created_at = now() - interval '1 day' where id = :application",
    ["application application application company", "application-list company company"],
  ],
  [
    "applications",
    "delete from applications where id = :application",
    ["application application application company", "application-list company company"],
  ],
  [
    "processes",
    `insert into processes (id, application_id, key, entrypoint) values ('${NEW}', :application, 'new', '')`,
    [`process ${NEW} application company`, "process-list application application company"],
  ],
  ["processes", "update processes set port = 1 where id = :process", ["process process application company"]],
  [
    "processes",
    "update processes set display_order = 1 where id = :process",
    ["process process application company", "process-list application application company"],
  ],
  ["processes", "update processes set port = port where id = :process", []],
  [
    "processes",
    "update processes set created_at = now() - interval '1 day' where id = :process",
    ["process process application company", "process-list application application company"],
  ],
  [
    "processes",
    "delete from processes where id = :process",
    ["process process application company", "process-list application application company"],
  ],
  [
    "process_runs",
    "insert into process_runs (process_id) values (:process), (:process)",
    ["run-list process application company"],
  ],
  [
    "process_runs",
    "update process_runs set started_at = now() where process_id = :process",
    ["run-list process application company"],
  ],
  ["process_runs", "update process_runs set started_at = started_at where process_id = :process", []],
  ["process_runs", "delete from process_runs where process_id = :process", ["run-list process application company"]],
  [
    "process_resource_types",
    "insert into process_resource_types (name, cpu_millicores, memory_megabytes, category) values (gen_random_uuid(), 1, 1, 'hobby')",
    ["resource-type-list"],
  ],
  [
    "process_resource_types",
    "update process_resource_types set cpu_millicores = 77 where id = :size",
    ["resource-type size"],
  ],
  ["process_resource_types", "update process_resource_types set name = name where id = :size", []],
  ["process_resource_types", "delete from process_resource_types where id = :spare", ["resource-type spare"]],
  ["api_keys", "insert into api_keys (company_id, name) values (:company, 'New')", []],
  ["api_keys", "update api_keys set is_enabled = false where id = :key", ["key key company"]],
  ["api_keys", "update api_keys set expires_at = now() where id = :key", ["key key company"]],
  ["api_keys", "update api_keys set last_used_at = now() where id = :key", []],
  ["api_keys", "delete from api_keys where id = :key", ["key key company"]],
  [
    "api_key_tokens",
    "insert into api_key_tokens (hash, api_key_id, masked) values (sha256('new'), :key, 'svl_00…ffff')",
    [],
  ],
  ["api_key_tokens", "update api_key_tokens set expires_at = now() where api_key_id = :key", ["key key company"]],
  ["api_key_tokens", "update api_key_tokens set last_used_at = now() where api_key_id = :key", []],
  ["api_key_tokens", "delete from api_key_tokens where api_key_id = :key", ["key key company"]],
  [
    "api_key_capabilities",
    "insert into api_key_capabilities (api_key_id, company_id, permission) values (:key, :company, 'APP:UPDATE')",
    ["key key company"],
  ],
  [
    "api_key_capabilities",
    "update api_key_capabilities set resource_id = :application where api_key_id = :key",
    ["key key company"],
  ],
  ["api_key_capabilities", "delete from api_key_capabilities where api_key_id = :key", ["key key company"]],
])("%s: %s", async ([_, statement, expected]) => {
  const text = statement.replaceAll(/(?<!\w):(\w+)/g, (_, name: keyof World) => `'${shared[name]}'`);
  expect(await recorded(shared, text)).toStrictEqual(expected);
});

describe("a row that moves", () => {
  test("is gone from where it was", async () => {
    const [one, other] = [await world(), await world()];
    const both = { ...one, otherApplication: other.application, otherCompany: other.company };
    expect(
      await recorded(both, "update processes set application_id = $1 where id = $2", [other.application, one.process]),
    ).toStrictEqual([
      "process process application company",
      "process process otherApplication otherCompany",
      "process-list application application company",
      "process-list otherApplication otherApplication otherCompany",
    ]);
    expect(
      await recorded(both, "update applications set company_id = $1, name = $2 where id = $3", [
        other.company,
        randomUUID(),
        one.application,
      ]),
    ).toStrictEqual([
      "application application application company",
      "application application application otherCompany",
      "application-list company company",
      "application-list otherCompany otherCompany",
    ]);
  });
});

describe("a statement that touches more than a thousand rows", () => {
  const BULK =
    "insert into processes (application_id, key, entrypoint) select $1, 'bulk-' || n, '' from generate_series(1, 1001) n";

  test("records what they have in common", async () => {
    const one = await world();
    const application = ["application application application company"];
    expect(await recorded(one, BULK, [one.application])).toStrictEqual(application);
    await client.query(BULK, [one.application]);
    expect(
      await recorded(one, "update processes set port = 1 where application_id = $1", [one.application]),
    ).toStrictEqual(application);
    expect(await recorded(one, "delete from processes where application_id = $1", [one.application])).toStrictEqual(
      application,
    );
    await client.query("delete from processes where application_id = $1", [one.application]);
  });

  test("of the runs of many processes records their applications", async () => {
    const one = await world();
    await client.query(BULK, [one.application]);
    const runs = "insert into process_runs (process_id) select id from processes where application_id = $1";
    expect(await recorded(one, runs, [one.application])).toStrictEqual(["application application application company"]);
    await client.query("delete from processes where application_id = $1", [one.application]);
  });

  test("of many applications records their company, of many companies everything", async () => {
    const one = await world();
    const applications = `insert into applications (company_id, name, display_name)
      select id, 'bulk-' || n, 'Bulk' from companies, generate_series(1, $2::int) n where companies.name = $1`;
    await client.query("update companies set name = $1 where id = $2", [one.company, one.company]);
    expect(await recorded(one, applications, [one.company, 1_001])).toStrictEqual(["company company company"]);
    const companies = `with created as (insert into companies (name) select $1 from generate_series(1, 1001) returning id)
      insert into applications (company_id, name, display_name) select id, 'bulk', 'Bulk' from created`;
    expect(await recorded(one, companies, [randomUUID()])).toStrictEqual(["everything"]);
  });
});

/** What no answer of 200 shows is not recorded. */
const UNRECORDED = ["idempotent_answers"];
const recordedTables = [
  ...OWNED_TABLES.map(({ name }) => name).filter((name) => !UNRECORDED.includes(name)),
  "process_resource_types",
];
/** No copy can be without a row that is new here. */
const HARMLESS_WHEN_NEW = ["companies", "api_keys", "api_key_tokens"];

test.for(recordedTables)("every kind of statement on %s is recorded", async (table) => {
  const { rows } = await client.query(
    `select distinct event_manipulation as event from information_schema.triggers
     where event_object_table = $1 and action_statement like 'EXECUTE FUNCTION record%' order by 1`,
    [table],
  );
  const kinds = ["DELETE", ...(HARMLESS_WHEN_NEW.includes(table) ? [] : ["INSERT"]), "UPDATE"];
  expect(rows.map(({ event }) => event)).toStrictEqual(kinds);
});

test.for(recordedTables)("a %s that is emptied changes everything", async (table) => {
  expect(await recorded(shared, `truncate ${table} cascade`)).toContain("everything");
});

test("a writer who may not touch the outbox writes it all the same, whatever its search path", async () => {
  const one = await world();
  const role = `writer_${randomUUID().slice(0, 8)}`;
  await client.query(`create role ${role}`);
  try {
    await client.query(`grant select, update on processes to ${role}`);
    const statement = `set local search_path = pg_catalog; set local role ${role};
      update public.processes set port = 7 where id = '${one.process}'; reset role; reset search_path`;
    expect(await recorded(one, statement)).toStrictEqual(["process process application company"]);
  } finally {
    await client.query(`drop owned by ${role}; drop role ${role}`);
  }
});
