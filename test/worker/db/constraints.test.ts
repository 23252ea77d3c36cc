// Every rule that Postgres holds, from both of its sides: the last value that passes and the first that does not.
import { randomUUID } from "node:crypto";
import { DrizzleQueryError, getTableName } from "drizzle-orm";
import fc from "fast-check";
import pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { mutated, probe, scalingStrategy } from "../../support/arbitraries.ts";
import { compile, processJsonSchema } from "../../support/contract.ts";
import { FIXTURES, type Fixture, type Owners } from "../../support/fixtures.ts";
import { useCompany, useRecords } from "../../support/records.ts";
import type { between, Values } from "../../support/rules.ts";

const records = useRecords();
const own = useCompany(records);
let owners: Owners;
beforeAll(async () => {
  const { id: applicationId } = await records.application(own.companyId);
  const { id: processId } = await records.process(applicationId);
  owners = { ...own, applicationId, processId };
});

const fixtureOf = (table: string) => FIXTURES.find((one) => getTableName(one.table) === table) as Fixture;

/** Writes the row, and takes it back. @returns the name of the constraint that refuses it, or the SQLSTATE */
async function refusal(name: string, values: Values): Promise<string | undefined> {
  const write = records.db.transaction(async (tx) => {
    const { table, row } = fixtureOf(name);
    await tx.insert(table).values({ ...row(owners), ...values } as never);
    tx.rollback();
  });
  const error = await write.catch((thrown: Error) => thrown);
  if (error?.constructor.name === "TransactionRollbackError") return undefined;
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof pg.DatabaseError)) throw cause;
  return cause.constraint ?? cause.code;
}

async function expectRefusals(table: string, rows: readonly Values[], expected: string | undefined): Promise<void> {
  for (const row of rows) expect([table, row, await refusal(table, row)]).toStrictEqual([table, row, expected]);
}

const CHECKS = FIXTURES.flatMap(({ table, rules }) =>
  Object.entries(rules).map(([name, rule]) => {
    return { name: `${getTableName(table)}_${name}`, table: getTableName(table), ...rule };
  }),
);

describe("a CHECK", () => {
  test("has its rule in a fixture.ts, every one", async () => {
    const { rows } = await records.pool.query<{ conname: string }>(
      "select conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace order by conname",
    );
    const names = CHECKS.map(({ name }) => name).sort();
    expect(names, "Give the fixture.ts of the table a rule for each CHECK").toStrictEqual(
      rows.map(({ conname }) => conname),
    );
  });

  test.for(CHECKS)("$name lets its bounds pass and nothing beyond", async ({ name, table, good, bad }) => {
    await expectRefusals(table, good, undefined);
    await expectRefusals(table, bad, name);
  });
});

describe("a key or an index", () => {
  test("lets there be one feed", () => expectRefusals("feed", [{}], "feed_pkey"));

  test("lets an application have one web process, and a key once", async () => {
    const { id } = await records.application(own.companyId);
    await records.process(id, { type: "web", key: "web" });
    const here = { applicationId: id };
    await expectRefusals("processes", [{ ...here, type: "web" }], "processes_one_web_per_application");
    await expectRefusals("processes", [{ ...here, key: "web" }], "processes_application_id_key_key");
    const others = [{ ...here, type: "worker" }, { ...here, key: "Web" }, { type: "web" }, { key: "web" }];
    await expectRefusals("processes", others, undefined);
  });

  test("keeps processes to applications and machine sizes that exist", async () => {
    await expectRefusals("processes", [{ applicationId: randomUUID() }], "processes_application_id_applications_id_fk");
    const ofSize = "processes_resource_type_id_process_resource_types_id_fk";
    await expectRefusals("processes", [{ resourceTypeId: randomUUID() }], ofSize);
  });

  test("keeps a grant within the company of its key", async () => {
    const companyId = await records.company();
    const { id: resourceId } = await records.application(companyId);
    await expectRefusals("api_key_capabilities", [{ resourceId }], "api_key_capabilities_application_fk");
    const foreign = [{ resourceId, companyId }, { companyId }];
    await expectRefusals("api_key_capabilities", foreign, "api_key_capabilities_api_key_fk");
  });

  test("grants a permission once, also to all", async () => {
    const grant = { permission: "APP:READ" };
    const once = "api_key_capabilities_api_key_id_permission_resource_id_key";
    await expectRefusals("api_key_capabilities", [grant], once);
    await expectRefusals("api_key_capabilities", [{ ...grant, resourceId: owners.applicationId }], undefined);
  });

  test.for<[string, Values[]]>([
    ["processes", [{ type: "static" }, { type: "web", ingressProtocol: "tcp" }]],
    ["processes", [{ type: "job", jobStartPolicy: "never" }]],
    ["api_key_capabilities", [{ permission: "APP:ADMIN" }]],
    ["process_resource_types", [{ category: "compute" }]],
    ["api_keys", [{ source: "API" }]],
    ["process_runs", [{ trigger: "api" }, { outcome: "canceled" }]],
    ["applications", [{ status: "running" }, { type: "site" }, { source: "zip" }, { buildType: "make" }]],
    ["applications", [{ source: "publicGit", gitType: "gitea" }]],
  ])("knows no other words in %s", ([table, rows]) => expectRefusals(table, rows, "22P02"));
});

const { scaling_strategy, liveness_probe } = processJsonSchema.properties;
const isScalingStrategy = compile(scaling_strategy.anyOf[0]);
const isProbe = compile(liveness_probe.anyOf[0]);
/** What the contract's schema cannot say. */
const isOrdered = ({ type, config }: ReturnType<typeof between>) =>
  type === "manual" || config.minInstanceCount <= config.maxInstanceCount;

test.for<[string, fc.Arbitrary<unknown>, (value: unknown) => boolean]>([
  ["scaling_strategy", scalingStrategy, (value) => isScalingStrategy(value) && isOrdered(value as never)],
  ["liveness_probe", probe, isProbe],
  ["readiness_probe", probe, isProbe],
])("the shape of %s is what the contract accepts", async ([column, valid, isValid]) => {
  const definition = `select pg_get_constraintdef(oid) from pg_constraint where conname = 'processes_${column}_shape'`;
  const { rows } = await records.pool.query<{ pg_get_constraintdef: string }>(definition);
  const condition = rows[0]?.pg_get_constraintdef.replace(/^CHECK /, "");
  const any = fc.oneof({ weight: 1, arbitrary: valid }, { weight: 4, arbitrary: mutated(valid) });
  const candidates = fc.sample(any, 1_000);
  // The constraint itself, over many values at once. A CHECK passes unless it is false.
  const checked = await records.pool.query<{ passes: boolean }>(
    `select ${condition} is not false as passes from jsonb_array_elements($1::jsonb) with ordinality as t(${column}, n) order by n`,
    [JSON.stringify(candidates)],
  );
  const expected = candidates.map((candidate) => ({ candidate, passes: isValid(candidate) }));
  expect(candidates.map((candidate, i) => ({ candidate, passes: checked.rows[i]?.passes }))).toStrictEqual(expected);
  for (const one of [true, false]) expect(expected.filter(({ passes }) => passes === one).length).toBeGreaterThan(100);
});

describe("updated_at", () => {
  const PAST = new Date("2020-01-01T00:00:00.000Z");
  const changeable = FIXTURES.flatMap(({ table, row, change }) =>
    change ? [{ name: getTableName(table), table, row, change }] : [],
  );
  const insert = async ({ table, row }: Pick<Fixture, "table" | "row">): Promise<string> => {
    const [inserted] = await records.db
      .insert(table)
      .values(row(owners) as never)
      .returning();
    return String(inserted?.id);
  };
  async function update(table: string, id: string, assignment: string): Promise<Date> {
    const statement = `update ${table} set ${assignment} where id = $1 returning updated_at`;
    return (await records.pool.query(statement, [id])).rows[0].updated_at;
  }

  test("is tried of every table that has one: by `change` of its fixture", async () => {
    const columns = "select * from information_schema.columns where table_schema = 'public'";
    const { rows } = await records.pool.query(`${columns} and column_name = 'updated_at'`);
    expect(changeable.map(({ name }) => name).sort()).toStrictEqual(rows.map((row) => row.table_name).sort());
  });

  test.for(changeable)("of $name moves when a row changes", async ({ change, ...fixture }) => {
    const { name: table } = fixture;
    const id = await insert(fixture);
    expect(await update(table, id, `updated_at = '${PAST.toISOString()}'`)).toStrictEqual(PAST);
    const moved = await update(table, id, change);
    expect(moved.getTime()).toBeGreaterThan(PAST.getTime());
    // The same values once more are no change.
    expect(await update(table, id, change)).toStrictEqual(moved);
  });

  test.for(changeable)("of $name never goes back", async ({ change, ...fixture }) => {
    const { name: table } = fixture;
    const id = await insert(fixture);
    await update(table, id, "updated_at = '2999-01-01T00:00:00.999Z'");
    expect(await update(table, id, change)).toStrictEqual(new Date("2999-01-01T00:00:01Z"));
  });

  test("does not move when a key is used", async () => {
    const { id } = await records.key(own.companyId, { updatedAt: PAST });
    expect(await update("api_keys", id, "last_used_at = now()")).toStrictEqual(PAST);
  });
});
