// Every rule that Postgres holds, from both of its sides: the last value that passes and the first that does not.
import { randomUUID } from "node:crypto";
import { DrizzleQueryError, getTableName, sql } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import fc from "fast-check";
import pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { mutated, probe, scalingStrategy } from "../../support/arbitraries.ts";
import { compile, processJsonSchema } from "../../support/contract.ts";
import { sha256, useCompany, useRecords } from "../../support/records.ts";
import { TABLES } from "../../support/tables.ts";

const records = useRecords();
const own = useCompany(records);
let applicationId: string;
let processId: string;
beforeAll(async () => {
  applicationId = (await records.application(own.companyId)).id;
  processId = (await records.process(applicationId)).id;
});

type Values = Record<string, unknown>;
const [YEAR_ONE, LAST] = [new Date("0001-01-01T00:00:00.000Z"), new Date("9999-12-31T23:59:59.999Z")];
/** Times that Date cannot write, or that Postgres cannot read from it. */
const BEYOND = ["10000-01-01 00:00:00+00", "infinity", "0001-12-31 23:59:59.999+00 BC", "-infinity"].map(
  (moment) => sql`${moment}::timestamptz`,
);

/** A row that breaks no rule. */
const VALID = {
  companies: () => ({ name: "A company" }),
  applications: () => ({ companyId: own.companyId, name: `a-${randomUUID()}`, displayName: "An application" }),
  processResourceTypes: () => ({ name: randomUUID(), cpuMillicores: 1, memoryMegabytes: 1, category: "standard" }),
  processes: () => ({ applicationId, key: randomUUID(), entrypoint: "" }),
  processRuns: () => ({ processId, requestedAt: YEAR_ONE }),
  apiKeys: () => ({ companyId: own.companyId, name: "A key" }),
  apiKeyTokens: () => ({ apiKeyId: own.keyId, hash: sha256(randomUUID()), masked: "svl_00…ffff" }),
  apiKeyCapabilities: () => ({ apiKeyId: own.keyId, companyId: own.companyId, permission: "APP:UPDATE" }),
  apiKeyWrites: () => ({ apiKeyId: own.keyId, day: "2025-01-30", bytes: 0 }),
  changes: () => ({ kind: "everything" }),
  feed: () => ({}),
};
type Table = keyof typeof VALID;
const tableOf = (name: Table) => TABLES[name] as PgTable;

/** Writes the row, and takes it back. @returns the name of the constraint that refuses it, or the SQLSTATE */
async function refusal(table: Table, values: Values): Promise<string | undefined> {
  const write = records.db.transaction(async (tx) => {
    await tx.insert(tableOf(table)).values({ ...VALID[table](), ...values } as never);
    tx.rollback();
  });
  const error = await write.catch((thrown: Error) => thrown);
  if (error?.constructor.name === "TransactionRollbackError") return undefined;
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof pg.DatabaseError)) throw cause;
  return cause.constraint ?? cause.code;
}

async function expectRefusals(table: Table, rows: readonly Values[], expected: string | undefined): Promise<void> {
  for (const row of rows) expect([table, row, await refusal(table, row)]).toStrictEqual([table, row, expected]);
}

/** Rows that a CHECK lets pass, and those that it refuses. */
type Rule = { good: Values[]; bad: Values[] };

const times = (n: number, character = "🚀") => character.repeat(n);
const camelCase = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
/** A rule for the values of a column, beside each of the `others`. */
function rule(column: string, good: readonly unknown[], bad: readonly unknown[], ...others: Values[]): Rule {
  const beside = others.length === 0 ? [{}] : others;
  const rows = (values: readonly unknown[]) =>
    beside.flatMap((one) => values.map((value) => ({ ...one, [camelCase(column)]: value })));
  return { good: rows(good), bad: rows(bad) };
}
/** The same rule for several columns: CHECKs of this kind. */
const each =
  (kind: string, ...values: [good: unknown[], bad: unknown[], ...others: Values[]]) =>
  (columns: string): Record<string, Rule> =>
    Object.fromEntries(columns.split(" ").map((column) => [`${column}_${kind}`, rule(column, ...values)]));

const MAX = Number.MAX_SAFE_INTEGER;
const counts = each("range", [1, MAX], [0, MAX + 1]);
const iso = each("iso", [YEAR_ONE, LAST], BEYOND);
const [nearlyNil, nearlyMax] = ["00000000-0000-0000-0000-00000000000", "ffffffff-ffff-ffff-ffff-fffffffffff"];
/** By the groups that hold its version and its variant. */
const uuid = (groups: string) => `11111111-1111-${groups}-111111111111`;
const malformedUuids = ["0111-8111", "9111-8111", "4111-7111", "4111-c111"].map(uuid);
const wellFormedUuids = [`${nearlyNil}0`, `${nearlyMax}f`, uuid("1111-8111"), uuid("8111-bfff")];
const uuids = each("uuid", wellFormedUuids, [`${nearlyNil}1`, `${nearlyMax}e`, ...malformedUuids]);
const malformedLabels = ["", "-a", "a-", "A", "a_b", "a.b", times(64, "a"), "a\n"];
const labels = each("label", ["a", "0", "a-0", times(63, "a"), "a--b"], malformedLabels);
const stringLists = each("shape", [[], [""], ["a", "b"]], [{}, "a", [1], [null], [["a"]]]);
const probes = each("shape", [{ tcpSocket: { port: 1 } }], [{ tcpSocket: {} }], { type: "web" });
const length = (columns: string, low: number, high: number, ...others: Values[]) => {
  const tooShort = low > 0 ? [times(low - 1)] : [];
  return each("length", [times(low), times(high)], [...tooShort, times(high + 1)], ...others)(columns);
};
const manual = (instanceCount: number) => ({ type: "manual", config: { instanceCount } });
const between = (minInstanceCount: number, maxInstanceCount: number) => {
  return { type: "horizontal", config: { minInstanceCount, maxInstanceCount } };
};
/** Values of other columns that only a process of this type may have. */
const onlyFor = (type: string, ...others: Values[]) => {
  const otherTypes = ["web", "worker", "cron", "job", null].filter((one) => one !== type);
  return rule("type", [type], otherTypes, ...others);
};
const malformedMasks = ["svl_09af09af", "svl_09a…09af", "svl_09…09afa", "svl_0g…09af", "xsvl_09…09af"];
const gitSettings = [{ gitType: "github" }, { repoUrl: "https://github.com/example/app" }, { defaultBranch: "main" }];
const wrongOrders = [undefined, -1, MAX + 1].map((order) => ({ order }));
const buildpackMistakes = [...wrongOrders, { id: 1 }, { source: null }, { extra: 0 }];

const FINISHED = { startedAt: YEAR_ONE, finishedAt: YEAR_ONE };

/** By the table, and the rest of the name. */
const RULES: Partial<Record<Table, Record<string, Rule>>> = {
  companies: { ...uuids("id"), ...length("name", 1, 255) },
  applications: {
    ...uuids("id project_id cluster_id docker_registry_credential_id created_by"),
    ...labels("name namespace"),
    ...length("display_name", 1, 255),
    git_only_with_git_source: rule("source", ["privateGit", "publicGit"], ["dockerImage", "app"], ...gitSettings),
    docker_image_only_with_its_source: {
      good: [{ source: "dockerImage", dockerImage: "image" }, { source: "dockerImage" }],
      bad: ["privateGit", "publicGit", "app"].map((source) => ({ source, dockerImage: "image" })),
    },
    ...stringLists("allow_deploy_paths ignore_deploy_paths"),
    deploy_paths_exclusive: {
      good: [{ allowDeployPaths: ["a"] }, { ignoreDeployPaths: ["a"] }],
      bad: [{ allowDeployPaths: ["a"], ignoreDeployPaths: ["b"] }],
    },
    buildpacks_shape: rule(
      "buildpacks",
      [[{ id: "", source: "", order: 0 }], [{ id: "a", source: "b", order: MAX }]],
      buildpackMistakes.map((mistake) => [{ id: "a", source: "b", order: 0, ...mistake }]),
    ),
    hibernate_after_seconds_range: rule("hibernate_after_seconds", [1, 2_147_483_647], [0]),
    ...iso("created_at updated_at"),
  },
  processResourceTypes: {
    ...uuids("id"),
    ...length("name", 1, 255),
    ...counts("cpu_millicores memory_megabytes"),
    ...iso("updated_at"),
  },
  processes: {
    ...uuids("id"),
    ...length("key", 1, 64),
    ...length("display_name", 1, 255),
    ...length("entrypoint", 0, 1024),
    port_range: rule("port", [1, 65_535], [0, 65_536, -1]),
    ...length("schedule time_zone", 0, 100, { type: "cron" }),
    scaling_strategy_shape: rule("scaling_strategy", [manual(50), between(7, 7)], [manual(51), between(8, 7)]),
    ...probes("liveness_probe readiness_probe"),
    ...iso("created_at updated_at"),
    ingress_only_for_web: onlyFor("web", { isIngressEnabled: true }, { ingressProtocol: "grpc" }),
    probes_only_for_web: onlyFor("web", { livenessProbe: {} }, { readinessProbe: {} }),
    schedule_only_for_cron: onlyFor("cron", { schedule: "" }, { timeZone: "" }),
    job_start_policy_only_for_job: onlyFor("job", { jobStartPolicy: "beforeDeployment" }),
  },
  processRuns: {
    ...uuids("id"),
    ...iso("requested_at"),
    // What is before the request breaks another rule as well.
    started_at_iso: rule("started_at", [YEAR_ONE, LAST], BEYOND.slice(0, 2)),
    finished_at_iso: rule("finished_at", [YEAR_ONE, LAST], BEYOND.slice(0, 2), { startedAt: YEAR_ONE }),
    starts_once_requested: rule("started_at", [LAST, null], [YEAR_ONE], { requestedAt: LAST }),
    finishes_once_started: {
      good: [{ startedAt: YEAR_ONE }, { startedAt: LAST, finishedAt: LAST }],
      bad: [{ startedAt: LAST, finishedAt: YEAR_ONE }, { finishedAt: LAST }],
    },
    result_once_finished: {
      // The control plane may not say how a run has ended.
      good: [{ ...FINISHED, outcome: "failed", exitCode: 1 }, { ...FINISHED, outcome: "succeeded" }, FINISHED],
      bad: [{ outcome: "succeeded" }, { exitCode: 0 }, { startedAt: LAST, exitCode: 0 }],
    },
    failure_reason_only_if_failed: rule("outcome", ["failed"], ["succeeded", null], {
      ...FINISHED,
      failureReason: "a",
    }),
    ...length("failure_reason", 1, 1024, { ...FINISHED, outcome: "failed" }),
    // POSIX, `exit`: the low eight bits.
    exit_code_range: rule("exit_code", [0, 255], [-1, 256], FINISHED),
    retry_count_range: rule("retry_count", [0, 2_147_483_647], [-1]),
  },
  apiKeys: { ...uuids("id"), ...length("name", 1, 255), ...iso("expires_at last_used_at created_at updated_at") },
  apiKeyTokens: {
    hash_length: rule("hash", [times(64, "0")], [times(62, "0"), times(66, "0")]),
    masked_pattern: rule("masked", ["svl_09…09af"], [...malformedMasks, `svl_${times(64, "a")}`]),
    ...iso("expires_at last_used_at"),
  },
  apiKeyWrites: {
    day_finite: rule("day", ["0001-01-01", "9999-12-31"], ["infinity", "-infinity"]),
    bytes_range: rule("bytes", [0, MAX], [-1, MAX + 1]),
  },
  changes: { changed_at_finite: rule("changed_at", [YEAR_ONE, BEYOND[0]], [BEYOND[1], BEYOND[3]]) },
  feed: {
    is_only: rule("is_only", [], [false]),
    leased_until_finite: rule("leased_until", [], [BEYOND[1], BEYOND[3]]),
    healthy_at_finite: rule("healthy_at", [], [BEYOND[1], BEYOND[3]]),
  },
};
const CHECKS = (Object.entries(RULES) as [Table, Record<string, Rule>][]).flatMap(([table, rules]) =>
  Object.entries(rules).map(([name, rows]) => ({ name: `${getTableName(tableOf(table))}_${name}`, table, ...rows })),
);

describe("a CHECK", () => {
  test("has its rule above, every one", async () => {
    const { rows } = await records.pool.query<{ conname: string }>(
      "select conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace order by conname",
    );
    expect(rows.map(({ conname }) => conname)).toStrictEqual(CHECKS.map(({ name }) => name).sort());
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
    await expectRefusals("apiKeyCapabilities", [{ resourceId }], "api_key_capabilities_application_fk");
    const foreign = [{ resourceId, companyId }, { companyId }];
    await expectRefusals("apiKeyCapabilities", foreign, "api_key_capabilities_api_key_fk");
  });

  test("grants a permission once, also to all", async () => {
    const grant = { permission: "APP:READ" };
    const once = "api_key_capabilities_api_key_id_permission_resource_id_key";
    await expectRefusals("apiKeyCapabilities", [grant], once);
    await expectRefusals("apiKeyCapabilities", [{ ...grant, resourceId: applicationId }], undefined);
  });

  test.for<[Table, Values[]]>([
    ["processes", [{ type: "static" }, { type: "web", ingressProtocol: "tcp" }]],
    ["processes", [{ type: "job", jobStartPolicy: "never" }]],
    ["apiKeyCapabilities", [{ permission: "APP:ADMIN" }]],
    ["processResourceTypes", [{ category: "compute" }]],
    ["apiKeys", [{ source: "API" }]],
    ["processRuns", [{ trigger: "api" }, { outcome: "canceled" }]],
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
  const CHANGES: Record<string, [change: string, newRow: () => Promise<{ id: string }>]> = {
    companies: ["name = 'Another'", async () => ({ id: await records.company() })],
    applications: ["namespace = 'ns-2'", () => records.application(own.companyId)],
    process_resource_types: ["cpu_millicores = 2", () => records.resourceType()],
    processes: ["entrypoint = 'npm run other'", () => records.process(applicationId)],
    api_keys: ["is_enabled = false", () => records.key(own.companyId)],
  };
  async function update(table: string, id: string, assignment: string): Promise<Date> {
    const statement = `update ${table} set ${assignment} where id = $1 returning updated_at`;
    return (await records.pool.query(statement, [id])).rows[0].updated_at;
  }

  test("is tried of every table that has one", async () => {
    const columns = "select * from information_schema.columns where table_schema = 'public'";
    const { rows } = await records.pool.query(`${columns} and column_name = 'updated_at'`);
    expect(Object.keys(CHANGES).sort()).toStrictEqual(rows.map((row) => row.table_name).sort());
  });

  test.for(Object.entries(CHANGES))("of %s moves when a row changes", async ([table, [change, newRow]]) => {
    const { id } = await newRow();
    expect(await update(table, id, `updated_at = '${PAST.toISOString()}'`)).toStrictEqual(PAST);
    const moved = await update(table, id, change);
    expect(moved.getTime()).toBeGreaterThan(PAST.getTime());
    // The same values once more are no change.
    expect(await update(table, id, change)).toStrictEqual(moved);
  });

  test.for(Object.entries(CHANGES))("of %s never goes back", async ([table, [change, newRow]]) => {
    const { id } = await newRow();
    await update(table, id, "updated_at = '2999-01-01T00:00:00.999Z'");
    expect(await update(table, id, change)).toStrictEqual(new Date("2999-01-01T00:00:01Z"));
  });

  test("does not move when a key is used", async () => {
    const { id } = await records.key(own.companyId, { updatedAt: PAST });
    expect(await update("api_keys", id, "last_used_at = now()")).toStrictEqual(PAST);
  });
});
