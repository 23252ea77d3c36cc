// Every rule that Postgres holds, from both of its sides: the last value that passes and the first that does not.
import { randomUUID } from "node:crypto";
import { DrizzleQueryError, eq, sql } from "drizzle-orm";
import fc from "fast-check";
import pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import {
  apiKeyCapabilities,
  apiKeys,
  apiKeyTokens,
  applications,
  companies,
  feed,
  processes,
  processResourceTypes,
  processRuns,
} from "../../../src/worker/db/schema.ts";
import { mutated, probe, scalingStrategy } from "../../support/arbitraries.ts";
import { compile, processJsonSchema } from "../../support/contract.ts";
import { sha256, useRecords } from "../../support/records.ts";

const records = useRecords();
let companyId: string;
let applicationId: string;
let processId: string;
let keyId: string;
beforeAll(async () => {
  companyId = await records.company();
  applicationId = (await records.application(companyId)).id;
  processId = (await records.process(applicationId)).id;
  keyId = (await records.key(companyId)).id;
});

type Values = Record<string, unknown>;
const tables = {
  companies,
  applications,
  processResourceTypes,
  processes,
  processRuns,
  apiKeys,
  apiKeyTokens,
  apiKeyCapabilities,
  feed,
};
type TableName = keyof typeof tables;

/** A row that breaks no rule. */
const validRow: Record<TableName, () => Values> = {
  companies: () => ({ name: "A company" }),
  applications: () => ({ companyId, name: `a-${randomUUID()}`, displayName: "An application" }),
  processResourceTypes: () => ({ name: randomUUID(), cpuMillicores: 1, memoryMegabytes: 1, category: "standard" }),
  processes: () => ({ applicationId, key: randomUUID(), entrypoint: "" }),
  processRuns: () => ({ processId, requestedAt: YEAR_ONE }),
  apiKeys: () => ({ companyId, name: "A key" }),
  apiKeyTokens: () => ({ apiKeyId: keyId, hash: sha256(randomUUID()), masked: "svl_00…ffff" }),
  apiKeyCapabilities: () => ({ apiKeyId: keyId, companyId, permission: "APP:UPDATE", resourceId: applicationId }),
  feed: () => ({}),
};

/** Writes the row, and takes it back. */
async function write(table: TableName, values: Values): Promise<void> {
  const row = { ...validRow[table](), ...values };
  await records.db
    .transaction(async (tx) => {
      await tx.insert(tables[table]).values(row as never);
      tx.rollback();
    })
    .catch((error: Error) => {
      if (error.constructor.name !== "TransactionRollbackError") throw error;
    });
}

/** The name of the constraint that refuses the row, or the SQLSTATE. */
async function refusal(table: TableName, values: Values): Promise<string | undefined> {
  try {
    await write(table, values);
    return undefined;
  } catch (error) {
    const cause = error instanceof DrizzleQueryError ? error.cause : error;
    if (!(cause instanceof pg.DatabaseError)) throw cause;
    return cause.constraint ?? cause.code;
  }
}

const times = (n: number, character = "é") => character.repeat(n);
const date = (text: string) => new Date(text);
const YEAR_ONE = date("0001-01-01T00:00:00.000Z");
const LAST = date("9999-12-31T23:59:59.999Z");
/** Times that Date cannot write, or that Postgres cannot read from it. */
const BEYOND = ["0001-12-31 23:59:59.999+00 BC", "10000-01-01 00:00:00+00", "infinity", "-infinity"];
const MAX = 9_007_199_254_740_991;
const iso = (column: string) => ({
  good: [YEAR_ONE, LAST].map((moment) => ({ [column]: moment })),
  bad: BEYOND.map((moment) => ({ [column]: sql`${moment}::timestamptz` })),
});
const UUIDS = {
  good: [
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "11111111-1111-1111-8111-111111111111",
    "11111111-1111-8111-bfff-111111111111",
  ],
  bad: [
    "11111111-1111-0111-8111-111111111111",
    "11111111-1111-9111-8111-111111111111",
    "11111111-1111-4111-7111-111111111111",
    "11111111-1111-4111-c111-111111111111",
    "00000000-0000-0000-0000-000000000001",
    "ffffffff-ffff-ffff-ffff-fffffffffffe",
  ],
};
const uuidsIn = (column: string) => ({
  good: UUIDS.good.map((id) => ({ [column]: id })),
  bad: UUIDS.bad.map((id) => ({ [column]: id })),
});
const uuids = uuidsIn("id");
const stringLists = (column: string) => ({
  good: [[], [""], ["a", "b"]].map((list) => ({ [column]: list })),
  bad: [{}, "a", [1], [null], [["a"]]].map((list) => ({ [column]: list })),
});
const lengths = (column: string, low: number, high: number) => ({
  good: [low, high].map((n) => ({ [column]: times(n) })),
  bad: [...(low > 0 ? [low - 1] : []), high + 1].map((n) => ({ [column]: times(n) })),
});
const labels = (column: string) => ({
  good: ["a", "0", "a-0", times(63, "a"), "a--b"].map((label) => ({ [column]: label })),
  bad: ["", "-a", "a-", "A", "a_b", "a.b", times(64, "a"), "a\n"].map((label) => ({ [column]: label })),
});
const webOnly = (values: Values) => ({
  good: [{ ...values, type: "web" }],
  bad: ["worker", "cron", "job", null].map((type) => ({ ...values, type })),
});

const between = (minInstanceCount: number, maxInstanceCount: number) => ({
  type: "horizontal",
  config: { minInstanceCount, maxInstanceCount },
});

const RULES: Record<string, { table: TableName; good: Values[]; bad: Values[] }[]> = {
  companies_id_uuid: [{ table: "companies", ...uuids }],
  companies_name_length: [{ table: "companies", ...lengths("name", 1, 255) }],
  applications_id_uuid: [{ table: "applications", ...uuids }],
  applications_name_label: [{ table: "applications", ...labels("name") }],
  applications_display_name_length: [{ table: "applications", ...lengths("displayName", 1, 255) }],
  applications_namespace_label: [{ table: "applications", ...labels("namespace") }],
  applications_project_id_uuid: [{ table: "applications", ...uuidsIn("projectId") }],
  applications_cluster_id_uuid: [{ table: "applications", ...uuidsIn("clusterId") }],
  applications_docker_registry_credential_id_uuid: [
    { table: "applications", ...uuidsIn("dockerRegistryCredentialId") },
  ],
  applications_created_by_uuid: [{ table: "applications", ...uuidsIn("createdBy") }],
  applications_git_only_with_git_source: [
    { gitType: "github" },
    { repoUrl: "https://github.com/example/app" },
    { defaultBranch: "main" },
  ].map((values) => ({
    table: "applications",
    good: ["privateGit", "publicGit"].map((source) => ({ ...values, source })),
    bad: ["dockerImage", "app"].map((source) => ({ ...values, source })),
  })),
  applications_docker_image_only_with_its_source: [
    {
      table: "applications",
      good: [{ source: "dockerImage", dockerImage: "image" }, { source: "dockerImage" }],
      bad: ["privateGit", "publicGit", "app"].map((source) => ({ source, dockerImage: "image" })),
    },
  ],
  applications_allow_deploy_paths_shape: [{ table: "applications", ...stringLists("allowDeployPaths") }],
  applications_ignore_deploy_paths_shape: [{ table: "applications", ...stringLists("ignoreDeployPaths") }],
  applications_deploy_paths_exclusive: [
    {
      table: "applications",
      good: [{ allowDeployPaths: ["a"] }, { ignoreDeployPaths: ["a"] }],
      bad: [{ allowDeployPaths: ["a"], ignoreDeployPaths: ["b"] }],
    },
  ],
  applications_buildpacks_shape: [
    {
      table: "applications",
      good: [
        { buildpacks: [{ id: "", source: "", order: 0 }] },
        { buildpacks: [{ id: "a", source: "b", order: MAX }] },
      ],
      bad: [
        { id: "a", source: "b" },
        { id: "a", source: "b", order: -1 },
        { id: "a", source: "b", order: MAX + 1 },
        { id: 1, source: "b", order: 0 },
        { id: "a", source: null, order: 0 },
        { id: "a", source: "b", order: 0, extra: 0 },
      ].map((buildpack) => ({ buildpacks: [buildpack] })),
    },
  ],
  applications_hibernate_after_seconds_range: [
    {
      table: "applications",
      good: [{ hibernateAfterSeconds: 1 }, { hibernateAfterSeconds: 2_147_483_647 }],
      bad: [{ hibernateAfterSeconds: 0 }],
    },
  ],
  applications_created_at_iso: [{ table: "applications", ...iso("createdAt") }],
  applications_updated_at_iso: [{ table: "applications", ...iso("updatedAt") }],
  process_resource_types_id_uuid: [{ table: "processResourceTypes", ...uuids }],
  process_resource_types_name_length: [{ table: "processResourceTypes", ...lengths("name", 1, 255) }],
  process_resource_types_cpu_millicores_range: [
    {
      table: "processResourceTypes",
      good: [{ cpuMillicores: 1 }, { cpuMillicores: MAX }],
      bad: [{ cpuMillicores: 0 }, { cpuMillicores: MAX + 1 }],
    },
  ],
  process_resource_types_memory_megabytes_range: [
    {
      table: "processResourceTypes",
      good: [{ memoryMegabytes: 1 }, { memoryMegabytes: MAX }],
      bad: [{ memoryMegabytes: 0 }, { memoryMegabytes: MAX + 1 }],
    },
  ],
  process_resource_types_updated_at_iso: [{ table: "processResourceTypes", ...iso("updatedAt") }],
  processes_id_uuid: [{ table: "processes", ...uuids }],
  processes_key_length: [
    { table: "processes", ...lengths("key", 1, 64) },
    { table: "processes", good: [{ key: times(64, "🚀") }], bad: [{ key: times(65, "🚀") }] },
  ],
  processes_display_name_length: [{ table: "processes", ...lengths("displayName", 1, 255) }],
  processes_entrypoint_length: [{ table: "processes", ...lengths("entrypoint", 0, 1024) }],
  processes_port_range: [
    { table: "processes", good: [{ port: 1 }, { port: 65_535 }], bad: [{ port: 0 }, { port: 65_536 }, { port: -1 }] },
  ],
  processes_schedule_length: [
    {
      table: "processes",
      good: [{ type: "cron", schedule: times(100) }],
      bad: [{ type: "cron", schedule: times(101) }],
    },
  ],
  processes_time_zone_length: [
    {
      table: "processes",
      good: [{ type: "cron", timeZone: times(100) }],
      bad: [{ type: "cron", timeZone: times(101) }],
    },
  ],
  processes_scaling_strategy_shape: [
    {
      table: "processes",
      good: [
        { scalingStrategy: { type: "manual", config: { instanceCount: 50 } } },
        { scalingStrategy: between(7, 7) },
      ],
      bad: [{ scalingStrategy: { type: "manual", config: { instanceCount: 51 } } }, { scalingStrategy: between(8, 7) }],
    },
  ],
  processes_liveness_probe_shape: [
    {
      table: "processes",
      good: [{ type: "web", livenessProbe: { tcpSocket: { port: 1 } } }],
      bad: [{ type: "web", livenessProbe: { tcpSocket: {} } }],
    },
  ],
  processes_readiness_probe_shape: [
    {
      table: "processes",
      good: [{ type: "web", readinessProbe: { tcpSocket: { port: 1 } } }],
      bad: [{ type: "web", readinessProbe: { tcpSocket: {} } }],
    },
  ],
  processes_created_at_iso: [{ table: "processes", ...iso("createdAt") }],
  processes_updated_at_iso: [{ table: "processes", ...iso("updatedAt") }],
  processes_ingress_only_for_web: [
    { table: "processes", ...webOnly({ isIngressEnabled: true }) },
    { table: "processes", ...webOnly({ ingressProtocol: "grpc" }) },
  ],
  processes_probes_only_for_web: [
    { table: "processes", ...webOnly({ livenessProbe: {} }) },
    { table: "processes", ...webOnly({ readinessProbe: {} }) },
  ],
  processes_schedule_only_for_cron: [
    {
      table: "processes",
      good: [{ type: "cron", schedule: "" }],
      bad: ["web", "worker", "job", null].map((type) => ({ type, schedule: "" })),
    },
    {
      table: "processes",
      good: [{ type: "cron", timeZone: "" }],
      bad: ["web", "worker", "job", null].map((type) => ({ type, timeZone: "" })),
    },
  ],
  processes_job_start_policy_only_for_job: [
    {
      table: "processes",
      good: [{ type: "job", jobStartPolicy: "beforeDeployment" }],
      bad: ["web", "worker", "cron", null].map((type) => ({ type, jobStartPolicy: "beforeDeployment" })),
    },
  ],
  api_keys_id_uuid: [{ table: "apiKeys", ...uuids }],
  api_keys_name_length: [{ table: "apiKeys", ...lengths("name", 1, 255) }],
  api_keys_expires_at_iso: [{ table: "apiKeys", ...iso("expiresAt") }],
  api_keys_last_used_at_iso: [{ table: "apiKeys", ...iso("lastUsedAt") }],
  api_keys_created_at_iso: [{ table: "apiKeys", ...iso("createdAt") }],
  api_keys_updated_at_iso: [{ table: "apiKeys", ...iso("updatedAt") }],
  process_runs_id_uuid: [{ table: "processRuns", ...uuids }],
  process_runs_requested_at_iso: [{ table: "processRuns", ...iso("requestedAt") }],
  process_runs_started_at_iso: [
    {
      table: "processRuns",
      good: [YEAR_ONE, LAST].map((startedAt) => ({ startedAt })),
      // What is before the request breaks another rule, too.
      bad: BEYOND.slice(1, 3).map((moment) => ({ startedAt: sql`${moment}::timestamptz` })),
    },
  ],
  process_runs_finished_at_iso: [
    {
      table: "processRuns",
      good: [YEAR_ONE, LAST].map((finishedAt) => ({ startedAt: YEAR_ONE, finishedAt })),
      bad: BEYOND.slice(1, 3).map((moment) => ({ startedAt: YEAR_ONE, finishedAt: sql`${moment}::timestamptz` })),
    },
  ],
  process_runs_starts_once_requested: [
    {
      table: "processRuns",
      good: [
        { requestedAt: LAST, startedAt: LAST },
        { requestedAt: LAST, startedAt: null },
      ],
      bad: [{ requestedAt: LAST, startedAt: YEAR_ONE }],
    },
  ],
  process_runs_finishes_once_started: [
    {
      table: "processRuns",
      good: [
        { startedAt: YEAR_ONE, finishedAt: null },
        { startedAt: LAST, finishedAt: LAST },
      ],
      bad: [
        { startedAt: LAST, finishedAt: YEAR_ONE },
        { startedAt: null, finishedAt: LAST },
      ],
    },
  ],
  api_key_tokens_hash_length: [
    {
      table: "apiKeyTokens",
      good: [{ hash: times(64, "0") }],
      bad: [{ hash: times(62, "0") }, { hash: times(66, "0") }],
    },
  ],
  api_key_tokens_masked_pattern: [
    {
      table: "apiKeyTokens",
      good: [{ masked: "svl_09…09af" }],
      bad: ["svl_09af09af", "svl_09a…09af", "svl_09…09afa", "svl_0g…09af", "xsvl_09…09af", `svl_${times(64, "a")}`].map(
        (masked) => ({ masked }),
      ),
    },
  ],
  feed_is_only: [{ table: "feed", good: [], bad: [{ isOnly: false }] }],
  api_key_tokens_expires_at_iso: [{ table: "apiKeyTokens", ...iso("expiresAt") }],
  api_key_tokens_last_used_at_iso: [{ table: "apiKeyTokens", ...iso("lastUsedAt") }],
};

describe("a CHECK", () => {
  test("has its rule below, every one", async () => {
    const { rows } = await records.pool.query<{ conname: string }>(
      "select conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace order by conname",
    );
    expect(rows.map(({ conname }) => conname)).toStrictEqual(Object.keys(RULES).sort());
  });

  test.for(Object.entries(RULES))("%s lets its bounds pass and nothing beyond", async ([constraint, rules]) => {
    for (const { table, good, bad } of rules) {
      for (const values of good) expect([values, await refusal(table, values)]).toStrictEqual([values, undefined]);
      for (const values of bad) expect([values, await refusal(table, values)]).toStrictEqual([values, constraint]);
    }
  });
});

describe("a key or an index", () => {
  test("lets there be one feed", async () => {
    expect(await refusal("feed", {})).toBe("feed_pkey");
  });

  test("lets an application have one web process", async () => {
    const { id } = await records.application(companyId);
    await records.process(id, { type: "web" });
    expect(await refusal("processes", { applicationId: id, type: "web" })).toBe("processes_one_web_per_application");
    expect(await refusal("processes", { applicationId: id, type: "worker" })).toBeUndefined();
    expect(await refusal("processes", { type: "web" })).toBeUndefined();
  });

  test("lets an application have a key once", async () => {
    const { id } = await records.application(companyId);
    await records.process(id, { key: "web" });
    expect(await refusal("processes", { applicationId: id, key: "web" })).toBe("processes_application_id_key_key");
    expect(await refusal("processes", { applicationId: id, key: "Web" })).toBeUndefined();
    expect(await refusal("processes", { key: "web" })).toBeUndefined();
  });

  test("keeps processes to applications and machine sizes that exist", async () => {
    expect(await refusal("processes", { applicationId: randomUUID() })).toMatch(/application_id.*fk$/);
    expect(await refusal("processes", { resourceTypeId: randomUUID() })).toMatch(/resource_type_id.*fk$/);
  });

  test("keeps a grant within the company of its key", async () => {
    const elsewhere = await records.company();
    const foreign = await records.application(elsewhere);
    expect(await refusal("apiKeyCapabilities", { resourceId: foreign.id })).toBe("api_key_capabilities_application_fk");
    expect(await refusal("apiKeyCapabilities", { resourceId: foreign.id, companyId: elsewhere })).toBe(
      "api_key_capabilities_api_key_fk",
    );
    expect(await refusal("apiKeyCapabilities", { companyId: elsewhere, resourceId: null })).toBe(
      "api_key_capabilities_api_key_fk",
    );
  });

  test("grants a permission once, also to all", async () => {
    expect(await refusal("apiKeyCapabilities", { permission: "APP:READ", resourceId: null })).toBe(
      "api_key_capabilities_api_key_id_permission_resource_id_key",
    );
    expect(await refusal("apiKeyCapabilities", { permission: "APP:READ" })).toBeUndefined();
  });

  test("knows no other types, protocols, policies and permissions", async () => {
    for (const [table, values] of [
      ["processes", { type: "static" }],
      ["processes", { type: "web", ingressProtocol: "tcp" }],
      ["processes", { type: "job", jobStartPolicy: "never" }],
      ["apiKeyCapabilities", { permission: "APP:ADMIN" }],
      ["processResourceTypes", { category: "compute" }],
      ["apiKeys", { source: "API" }],
      ["applications", { status: "running" }],
      ["applications", { type: "site" }],
      ["applications", { source: "zip" }],
      ["applications", { source: "publicGit", gitType: "gitea" }],
      ["applications", { buildType: "make" }],
    ] as const) {
      expect([values, await refusal(table, values)]).toStrictEqual([values, "22P02"]);
    }
  });
});

describe("the shape of a jsonb column", () => {
  const isScalingStrategy = compile(processJsonSchema.properties.scaling_strategy.anyOf[0]);
  const isProbe = compile(processJsonSchema.properties.liveness_probe.anyOf[0]);

  interface Scaling {
    type: string;
    config: { minInstanceCount: number; maxInstanceCount: number };
  }
  const isOrdered = ({ type, config }: Scaling) =>
    type === "manual" || config.minInstanceCount <= config.maxInstanceCount;

  test.for([
    {
      column: "scaling_strategy",
      valid: scalingStrategy as fc.Arbitrary<unknown>,
      isValid: (value: unknown) => isScalingStrategy(value) && isOrdered(value as Scaling),
    },
    { column: "liveness_probe", valid: probe as fc.Arbitrary<unknown>, isValid: (value: unknown) => isProbe(value) },
    { column: "readiness_probe", valid: probe as fc.Arbitrary<unknown>, isValid: (value: unknown) => isProbe(value) },
  ])("$column accepts and rejects what the contract does", async ({ column, valid, isValid }) => {
    const { rows } = await records.pool.query<{ definition: string }>(
      "select pg_get_constraintdef(oid) as definition from pg_constraint where conname = $1",
      [`processes_${column}_shape`],
    );
    const condition = rows[0]?.definition.replace(/^CHECK /, "");
    const candidates = fc.sample(
      fc.oneof({ weight: 1, arbitrary: valid }, { weight: 4, arbitrary: mutated(valid) }),
      1_000,
    );
    // The constraint itself, over many values at once. A CHECK passes unless it is false.
    const checked = await records.pool.query<{ passes: boolean }>(
      `select ${condition} is not false as passes from jsonb_array_elements($1::jsonb) with ordinality as t(${column}, n) order by n`,
      [JSON.stringify(candidates)],
    );
    const expected = candidates.map((candidate) => ({ candidate, passes: isValid(candidate) }));
    expect(candidates.map((candidate, i) => ({ candidate, passes: checked.rows[i]?.passes }))).toStrictEqual(expected);
    expect(expected.filter(({ passes }) => passes).length).toBeGreaterThan(100);
    expect(expected.filter(({ passes }) => !passes).length).toBeGreaterThan(100);
  });
});

describe("updated_at", () => {
  const cases = [
    { table: "companies", change: "name = 'Another'", row: async () => ({ id: await records.company() }) },
    { table: "applications", change: "namespace = 'ns-2'", row: () => records.application(companyId) },
    { table: "process_resource_types", change: "cpu_millicores = 2", row: () => records.resourceType() },
    { table: "processes", change: "entrypoint = 'npm run other'", row: () => records.process(applicationId) },
    { table: "api_keys", change: "is_enabled = false", row: () => records.key(companyId) },
  ];

  test("is tried of every table that has one", async () => {
    const { rows } = await records.pool.query(
      "select table_name from information_schema.columns where table_schema = 'public' and column_name = 'updated_at'",
    );
    expect(cases.map(({ table }) => table).sort()).toStrictEqual(rows.map((row) => row.table_name).sort());
  });

  test.for(cases)("of $table moves when a row changes, whoever changes it", async ({ table, change, row }) => {
    const { id } = await row();
    const past = date("2020-01-01T00:00:00.000Z");
    const update = async (assignment: string) => {
      const { rows } = await records.pool.query<{ updated_at: Date }>(
        `update ${table} set ${assignment} where id = $1 returning updated_at`,
        [id],
      );
      return rows[0]?.updated_at;
    };
    expect(await update(`updated_at = '${past.toISOString()}'`)).toStrictEqual(past);
    const moved = await update(change);
    expect(moved?.getTime()).toBeGreaterThan(past.getTime());
    // The same values once more are no change.
    expect(await update(change)).toStrictEqual(moved);
  });

  test("does not move when a key is used", async () => {
    const { id } = await records.key(companyId, { updatedAt: date("2020-01-01T00:00:00.000Z") });
    await records.db.update(apiKeys).set({ lastUsedAt: new Date() }).where(eq(apiKeys.id, id));
    const [row] = await records.db.select().from(apiKeys).where(eq(apiKeys.id, id));
    expect(row?.updatedAt).toStrictEqual(date("2020-01-01T00:00:00.000Z"));
  });
});
