import { type SQL, sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  boolean,
  check,
  customType,
  date,
  foreignKey,
  index,
  integer as int,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { TAGGED } from "../shared/cache.ts";
import { LOWER_CASE_UUID_PATTERN } from "../shared/uuid.ts";
import { arrayOf, integer, nullable, object, oneOf, type Shape, string } from "./jsonpath.ts";

export const processType = pgEnum("process_type", ["web", "worker", "cron", "job"]);
export const ingressProtocol = pgEnum("ingress_protocol", ["http", "grpc"]);
export const jobStartPolicy = pgEnum("job_start_policy", [
  "beforeDeployment",
  "afterSuccessDeployment",
  "afterFailedDeployment",
]);
export const applicationStatus = pgEnum("application_status", [
  "deploymentInProgress",
  "deploymentFailed",
  "deploymentSuccess",
  "deleting",
  "appDeletionFailed",
  "deploymentCancelled",
]);
export const applicationType = pgEnum("application_type", ["app", "previewApp"]);
export const applicationSource = pgEnum("application_source", ["privateGit", "publicGit", "dockerImage", "app"]);
export const gitType = pgEnum("git_type", ["github", "bitbucket", "gitlab"]);
export const buildType = pgEnum("build_type", ["dockerfile", "pack", "nixpacks"]);
export const resourceTypeCategory = pgEnum("resource_type_category", [
  "hobby",
  "standard",
  "cpuOptimized",
  "memoryOptimized",
]);
export const apiKeySource = pgEnum("api_key_source", ["DASHBOARD", "CLI", "EXTERNAL", "SUPPORT_MCP"]);
/** Kinds of tags, and what stands for all of them. */
export const changeKind = pgEnum("change_kind", [...TAGGED, "everything"]);
export const auditedOperation = pgEnum("audited_operation", ["create", "update", "delete", "trigger"]);
export const runTrigger = pgEnum("run_trigger", ["scheduled", "manual"]);
export const runOutcome = pgEnum("run_outcome", ["succeeded", "failed"]);
export const apiKeyEvent = pgEnum("api_key_event", ["issued", "rotated", "disabled", "enabled", "revoked"]);
export const apiKeyPermission = pgEnum("api_key_permission", ["APP:READ", "APP:CREATE", "APP:UPDATE", "APP:DELETE"]);

/** Text in and out is hexadecimal without a prefix. */
const hexBytes = customType<{ data: string; driverData: string }>({
  dataType: () => "bytea",
  toDriver: (hex) => `\\x${hex}`,
});

const transactionId = customType<{ data: string }>({ dataType: () => "xid8" });

/** Millisecond precision: what is stored is what a client reads. */
const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const createdAt = () => moment("created_at").notNull().defaultNow();
/** Kept current by a trigger (drizzle/0001_updated_at.sql), because not every writer is ours. */
const updatedAt = () => moment("updated_at").notNull().defaultNow();
const id = () => uuid("id").primaryKey().defaultRandom();

/** A label of RFC 1123, as Kubernetes wants it of a namespace. */
const DNS_LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/** Postgres itself takes any 128 bits. */
const isUuid = (column: AnyPgColumn): SQL => sql`${column}::text ~ ${sql.raw(`'${LOWER_CASE_UUID_PATTERN}'`)}`;
const isDnsLabel = (column: AnyPgColumn): SQL => sql`${column} ~ ${sql.raw(`'${DNS_LABEL_PATTERN}'`)}`;
const isBetween = (column: AnyPgColumn, low: number, high: number): SQL =>
  sql`${column} between ${sql.raw(String(low))} and ${sql.raw(String(high))}`;
const hasLength = (column: AnyPgColumn, low: number, high: number): SQL =>
  sql`char_length(${column}) between ${sql.raw(String(low))} and ${sql.raw(String(high))}`;
/** Years of four digits; Postgres itself knows infinity, 4713 BC and 294276. */
const isIsoMoment = (column: AnyPgColumn): SQL =>
  sql`${column} >= '0001-01-01T00:00:00Z' and ${column} < '10000-01-01T00:00:00Z'`;
const isShaped = (column: AnyPgColumn, shape: Shape): SQL =>
  sql`${column} is null or (${column} @@ ${sql.raw(`'strict ${shape("$")}'`)}) is true`;
/** `type` may be null, hence no plain `=`, which would let a null pass. */
const isOnlyFor = (type: string, typeColumn: AnyPgColumn, condition: SQL): SQL =>
  sql`${typeColumn} is not distinct from ${sql.raw(`'${type}'`)} or (${condition})`;

/** JSON null would pass for SQL null in a client, but it is neither a list. */
const isListOf = (column: AnyPgColumn, item: Shape): SQL =>
  sql`(${column} @@ ${sql.raw(`'strict ${arrayOf(item)("$")}'`)}) is true`;

const MAX_SAFE_INTEGER = 9007199254740991;
const MAX_INSTANCES = 50;

const scalingStrategyShape: Shape = (path) => {
  const manual = object({ type: oneOf("manual"), config: object({ instanceCount: integer(0, MAX_INSTANCES) }) });
  const horizontal = object({
    type: oneOf("horizontal"),
    config: object(
      { minInstanceCount: integer(0, MAX_INSTANCES), maxInstanceCount: integer(0, MAX_INSTANCES) },
      {
        targetCpuPercent: nullable(integer(1, 100)),
        targetMemoryPercent: nullable(integer(1, 100)),
        scaleUpIntervalSeconds: nullable(integer(1, 60_000)),
        scaleUpIncrement: nullable(integer(1, 5)),
        scaleDownIntervalSeconds: nullable(integer(1, 60_000)),
        scaleDownIncrement: nullable(integer(1, 5)),
      },
    ),
  });
  const isOrdered = `${path}.config.minInstanceCount <= ${path}.config.maxInstanceCount`;
  return `(${manual(path)} || (${horizontal(path)} && ${isOrdered}))`;
};

const probeShape: Shape = object(
  {},
  {
    exec: nullable(object({ command: arrayOf(string) })),
    httpGet: nullable(
      object(
        {},
        {
          path: nullable(string),
          port: nullable(integer(1, 65_535)),
          host: nullable(string),
          scheme: nullable(oneOf("HTTP", "HTTPS")),
          httpHeaders: nullable(arrayOf(object({ name: string, value: string }))),
        },
      ),
    ),
    tcpSocket: nullable(object({ port: integer(1, 65_535) }, { host: nullable(string) })),
    initialDelaySeconds: nullable(integer(0, MAX_SAFE_INTEGER)),
    periodSeconds: nullable(integer(1, MAX_SAFE_INTEGER)),
    timeoutSeconds: nullable(integer(1, MAX_SAFE_INTEGER)),
    successThreshold: nullable(integer(1, MAX_SAFE_INTEGER)),
    failureThreshold: nullable(integer(1, MAX_SAFE_INTEGER)),
  },
);

export const companies = pgTable(
  "companies",
  {
    id: id(),
    name: text("name").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    check("companies_id_uuid", isUuid(table.id)),
    check("companies_name_length", hasLength(table.name, 1, 255)),
  ],
);

export const applications = pgTable(
  "applications",
  {
    id: id(),
    companyId: uuid("company_id")
      .notNull()
      .references(() => companies.id),
    name: text("name").notNull(),
    displayName: text("display_name").notNull(),
    namespace: text("namespace"),
    status: applicationStatus("status"),
    type: applicationType("type").notNull().default("app"),
    source: applicationSource("source").notNull().default("app"),
    isSuspended: boolean("is_suspended").notNull().default(false),
    projectId: uuid("project_id"),
    clusterId: uuid("cluster_id"),
    dockerRegistryCredentialId: uuid("docker_registry_credential_id"),
    createdBy: uuid("created_by"),
    gitType: gitType("git_type"),
    repoUrl: text("repo_url"),
    defaultBranch: text("default_branch"),
    dockerImage: text("docker_image"),
    autoDeploy: boolean("auto_deploy").notNull().default(false),
    allowDeployPaths: jsonb("allow_deploy_paths").notNull().default([]),
    ignoreDeployPaths: jsonb("ignore_deploy_paths").notNull().default([]),
    buildType: buildType("build_type").notNull().default("nixpacks"),
    buildPath: text("build_path"),
    isBuildCacheEnabled: boolean("is_build_cache_enabled").notNull().default(true),
    packBuilder: text("pack_builder"),
    buildpacks: jsonb("buildpacks").notNull().default([]),
    nixpacksVersion: text("nixpacks_version"),
    dockerfilePath: text("dockerfile_path"),
    dockerContext: text("docker_context"),
    isHibernationEnabled: boolean("is_hibernation_enabled").notNull().default(false),
    hibernateAfterSeconds: int("hibernate_after_seconds"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    unique("applications_company_id_name_key").on(table.companyId, table.name),
    unique("applications_id_company_id_key").on(table.id, table.companyId),
    index("applications_company_id_created_at_id_idx").on(table.companyId, table.createdAt, table.id),
    check("applications_id_uuid", isUuid(table.id)),
    check("applications_name_label", isDnsLabel(table.name)),
    check("applications_display_name_length", hasLength(table.displayName, 1, 255)),
    check("applications_namespace_label", isDnsLabel(table.namespace)),
    check("applications_project_id_uuid", isUuid(table.projectId)),
    check("applications_cluster_id_uuid", isUuid(table.clusterId)),
    check("applications_docker_registry_credential_id_uuid", isUuid(table.dockerRegistryCredentialId)),
    check("applications_created_by_uuid", isUuid(table.createdBy)),
    check(
      "applications_git_only_with_git_source",
      sql`${table.source} in ('privateGit', 'publicGit') or (${table.gitType} is null and ${table.repoUrl} is null and ${table.defaultBranch} is null)`,
    ),
    check(
      "applications_docker_image_only_with_its_source",
      sql`${table.source} = 'dockerImage' or ${table.dockerImage} is null`,
    ),
    check("applications_allow_deploy_paths_shape", isListOf(table.allowDeployPaths, string)),
    check("applications_ignore_deploy_paths_shape", isListOf(table.ignoreDeployPaths, string)),
    check(
      "applications_deploy_paths_exclusive",
      sql`${table.allowDeployPaths} = '[]' or ${table.ignoreDeployPaths} = '[]'`,
    ),
    check(
      "applications_buildpacks_shape",
      isListOf(table.buildpacks, object({ id: string, source: string, order: integer(0, MAX_SAFE_INTEGER) })),
    ),
    check("applications_hibernate_after_seconds_range", isBetween(table.hibernateAfterSeconds, 1, 2_147_483_647)),
    check("applications_created_at_iso", isIsoMoment(table.createdAt)),
    check("applications_updated_at_iso", isIsoMoment(table.updatedAt)),
  ],
);

export const processResourceTypes = pgTable(
  "process_resource_types",
  {
    id: id(),
    name: text("name").notNull().unique("process_resource_types_name_key"),
    cpuMillicores: bigint("cpu_millicores", { mode: "number" }).notNull(),
    memoryMegabytes: bigint("memory_megabytes", { mode: "number" }).notNull(),
    category: resourceTypeCategory("category").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    check("process_resource_types_id_uuid", isUuid(table.id)),
    check("process_resource_types_name_length", hasLength(table.name, 1, 255)),
    check("process_resource_types_cpu_millicores_range", isBetween(table.cpuMillicores, 1, MAX_SAFE_INTEGER)),
    check("process_resource_types_memory_megabytes_range", isBetween(table.memoryMegabytes, 1, MAX_SAFE_INTEGER)),
    check("process_resource_types_updated_at_iso", isIsoMoment(table.updatedAt)),
  ],
);

export const processes = pgTable(
  "processes",
  {
    id: id(),
    applicationId: uuid("application_id")
      .notNull()
      .references(() => applications.id, { onDelete: "cascade" }),
    key: text("key").notNull(),
    type: processType("type"),
    displayName: text("display_name"),
    /** Before the time of creation, in lists. */
    displayOrder: int("display_order").notNull().default(0),
    entrypoint: text("entrypoint").notNull(),
    port: int("port"),
    isIngressEnabled: boolean("is_ingress_enabled").notNull().default(false),
    ingressProtocol: ingressProtocol("ingress_protocol"),
    scalingStrategy: jsonb("scaling_strategy"),
    resourceTypeId: uuid("resource_type_id").references(() => processResourceTypes.id),
    schedule: text("schedule"),
    timeZone: text("time_zone"),
    jobStartPolicy: jobStartPolicy("job_start_policy"),
    livenessProbe: jsonb("liveness_probe"),
    readinessProbe: jsonb("readiness_probe"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    unique("processes_application_id_key_key").on(table.applicationId, table.key),
    uniqueIndex("processes_one_web_per_application").on(table.applicationId).where(sql`${table.type} = 'web'`),
    index("processes_application_id_display_order_created_at_id_idx").on(
      table.applicationId,
      table.displayOrder,
      table.createdAt,
      table.id,
    ),
    index("processes_resource_type_id_idx").on(table.resourceTypeId),
    check("processes_id_uuid", isUuid(table.id)),
    check("processes_key_length", hasLength(table.key, 1, 64)),
    check("processes_display_name_length", hasLength(table.displayName, 1, 255)),
    check("processes_entrypoint_length", hasLength(table.entrypoint, 0, 1024)),
    check("processes_port_range", isBetween(table.port, 1, 65_535)),
    check("processes_schedule_length", hasLength(table.schedule, 0, 100)),
    check("processes_time_zone_length", hasLength(table.timeZone, 0, 100)),
    check("processes_scaling_strategy_shape", isShaped(table.scalingStrategy, scalingStrategyShape)),
    check("processes_liveness_probe_shape", isShaped(table.livenessProbe, probeShape)),
    check("processes_readiness_probe_shape", isShaped(table.readinessProbe, probeShape)),
    check("processes_created_at_iso", isIsoMoment(table.createdAt)),
    check("processes_updated_at_iso", isIsoMoment(table.updatedAt)),
    check(
      "processes_ingress_only_for_web",
      isOnlyFor("web", table.type, sql`not ${table.isIngressEnabled} and ${table.ingressProtocol} is null`),
    ),
    check(
      "processes_probes_only_for_web",
      isOnlyFor("web", table.type, sql`${table.livenessProbe} is null and ${table.readinessProbe} is null`),
    ),
    check(
      "processes_schedule_only_for_cron",
      isOnlyFor("cron", table.type, sql`${table.schedule} is null and ${table.timeZone} is null`),
    ),
    check(
      "processes_job_start_policy_only_for_job",
      isOnlyFor("job", table.type, sql`${table.jobStartPolicy} is null`),
    ),
  ],
);

/**
 * Runs of cron processes. A request through the API writes a row of a run that is due now. The control plane takes those that
 * have not started, adds those of the schedule, and writes what becomes of them. The feed deletes what is older than
 * `RUN_DAYS`.
 */
export const processRuns = pgTable(
  "process_runs",
  {
    id: id(),
    processId: uuid("process_id")
      .notNull()
      .references(() => processes.id, { onDelete: "cascade" }),
    /** When the run is due: when somebody asked for it, or what the schedule says. */
    requestedAt: moment("requested_at").notNull().defaultNow(),
    startedAt: moment("started_at"),
    finishedAt: moment("finished_at"),
    // Versions before these columns write null into both: a manual run, never retried.
    trigger: runTrigger("trigger").default("manual"),
    retryCount: int("retry_count").default(0),
    /** Null if nobody has said. */
    outcome: runOutcome("outcome"),
    failureReason: text("failure_reason"),
    exitCode: int("exit_code"),
  },
  (table) => [
    index("process_runs_process_id_requested_at_id_idx").on(table.processId, table.requestedAt, table.id),
    index("process_runs_requested_at_idx").on(table.requestedAt),
    index("process_runs_waiting").on(table.requestedAt).where(sql`${table.startedAt} is null`),
    check("process_runs_id_uuid", isUuid(table.id)),
    check("process_runs_requested_at_iso", isIsoMoment(table.requestedAt)),
    check("process_runs_started_at_iso", isIsoMoment(table.startedAt)),
    check("process_runs_finished_at_iso", isIsoMoment(table.finishedAt)),
    check("process_runs_starts_once_requested", sql`${table.startedAt} >= ${table.requestedAt}`),
    check(
      "process_runs_finishes_once_started",
      sql`${table.finishedAt} is null or (${table.finishedAt} >= ${table.startedAt}) is true`,
    ),
    check(
      "process_runs_result_once_finished",
      sql`${table.finishedAt} is not null or (${table.outcome} is null and ${table.exitCode} is null)`,
    ),
    check(
      "process_runs_failure_reason_only_if_failed",
      isOnlyFor("failed", table.outcome, sql`${table.failureReason} is null`),
    ),
    check("process_runs_failure_reason_length", hasLength(table.failureReason, 1, 1024)),
    check("process_runs_exit_code_range", isBetween(table.exitCode, 0, 255)),
    check("process_runs_retry_count_range", isBetween(table.retryCount, 0, 2_147_483_647)),
  ],
);

export const apiKeys = pgTable(
  "api_keys",
  {
    id: id(),
    companyId: uuid("company_id")
      .notNull()
      .references(() => companies.id),
    name: text("name").notNull(),
    /** Where the key was made. */
    source: apiKeySource("source").notNull().default("EXTERNAL"),
    isEnabled: boolean("is_enabled").notNull().default(true),
    expiresAt: moment("expires_at"),
    lastUsedAt: moment("last_used_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    index("api_keys_company_id_created_at_id_idx").on(table.companyId, table.createdAt, table.id).concurrently(),
    unique("api_keys_id_company_id_key").on(table.id, table.companyId),
    check("api_keys_id_uuid", isUuid(table.id)),
    check("api_keys_name_length", hasLength(table.name, 1, 255)),
    check("api_keys_expires_at_iso", isIsoMoment(table.expiresAt)),
    check("api_keys_last_used_at_iso", isIsoMoment(table.lastUsedAt)),
    check("api_keys_created_at_iso", isIsoMoment(table.createdAt)),
    check("api_keys_updated_at_iso", isIsoMoment(table.updatedAt)),
  ],
);

/** A key being rotated has two live tokens. The token itself is stored nowhere. */
export const apiKeyTokens = pgTable(
  "api_key_tokens",
  {
    /** SHA-256 of the whole token, `svl_` included. */
    hash: hexBytes("hash").primaryKey(),
    apiKeyId: uuid("api_key_id")
      .notNull()
      .references(() => apiKeys.id, { onDelete: "cascade" }),
    masked: text("masked").notNull(),
    expiresAt: moment("expires_at"),
    lastUsedAt: moment("last_used_at"),
    createdAt: createdAt(),
  },
  (table) => [
    index("api_key_tokens_api_key_id_idx").on(table.apiKeyId),
    check("api_key_tokens_hash_length", sql`octet_length(${table.hash}) = 32`),
    check("api_key_tokens_masked_pattern", sql`${table.masked} ~ '^svl_[0-9a-f]{2}…[0-9a-f]{4}$'`),
    check("api_key_tokens_expires_at_iso", isIsoMoment(table.expiresAt)),
    check("api_key_tokens_last_used_at_iso", isIsoMoment(table.lastUsedAt)),
  ],
);

/** A permission of a key, and the resource that it is for: `resource_id` null means all of its company's. */
export const apiKeyCapabilities = pgTable(
  "api_key_capabilities",
  {
    id: id(),
    apiKeyId: uuid("api_key_id").notNull(),
    /** The key's company and the resource's: one column, so that they cannot differ. */
    companyId: uuid("company_id").notNull(),
    permission: apiKeyPermission("permission").notNull(),
    resourceId: uuid("resource_id"),
  },
  (table) => [
    unique("api_key_capabilities_api_key_id_permission_resource_id_key")
      .on(table.apiKeyId, table.permission, table.resourceId)
      .nullsNotDistinct(),
    index("api_key_capabilities_resource_id_idx").on(table.resourceId),
    foreignKey({
      name: "api_key_capabilities_api_key_fk",
      columns: [table.apiKeyId, table.companyId],
      foreignColumns: [apiKeys.id, apiKeys.companyId],
    }).onDelete("cascade"),
    foreignKey({
      name: "api_key_capabilities_application_fk",
      columns: [table.resourceId, table.companyId],
      foreignColumns: [applications.id, applications.companyId],
    }).onDelete("cascade"),
  ],
);

/**
 * What `npm run keys` has done to keys, written in the transaction of the change. It refers to nothing, so that it outlives
 * what it tells of.
 */
export const apiKeyEvents = pgTable(
  "api_key_events",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    apiKeyId: uuid("api_key_id").notNull(),
    companyId: uuid("company_id").notNull(),
    event: apiKeyEvent("event").notNull(),
    /** The operator and the role in Postgres. */
    madeBy: text("made_by").notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index("api_key_events_api_key_id_id_idx").on(table.apiKeyId, table.id),
    index("api_key_events_created_at_idx").on(table.createdAt).concurrently(),
  ],
);

/**
 * Every effect of a write through the API, written by the same statement. It refers to nothing, so that it outlives what it
 * tells of.
 */
export const auditLog = pgTable(
  "audit_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    createdAt: createdAt(),
    apiKeyId: uuid("api_key_id").notNull(),
    companyId: uuid("company_id").notNull(),
    applicationId: uuid("application_id").notNull(),
    processId: uuid("process_id").notNull(),
    operation: auditedOperation("operation").notNull(),
    /**
     * The payload of the process as it was and as it is now, null where there is none; of an update, only the fields that
     * differ, but in rows of earlier versions all of them. A run, of a trigger.
     */
    before: jsonb("before"),
    after: jsonb("after"),
    requestId: uuid("request_id"),
  },
  (table) => [
    index("audit_log_process_id_id_idx").on(table.processId, table.id),
    index("audit_log_api_key_id_id_idx").on(table.apiKeyId, table.id).concurrently(),
    index("audit_log_application_id_id_idx").on(table.applicationId, table.id).concurrently(),
    index("audit_log_request_id_idx").on(table.requestId).concurrently(),
    index("audit_log_created_at_idx").on(table.createdAt),
  ],
);

/** Answers to writes that came with an `Idempotency-Key`, to be given again for a day. */
export const idempotentAnswers = pgTable(
  "idempotent_answers",
  {
    apiKeyId: uuid("api_key_id")
      .notNull()
      .references(() => apiKeys.id, { onDelete: "cascade" }),
    /** Method and path, as in `POST /v3/applications/…/processes`. */
    operation: text("operation").notNull(),
    key: text("key").notNull(),
    /** SHA-256 of what was asked for. */
    fingerprint: hexBytes("fingerprint").notNull(),
    body: text("body").notNull(),
    etag: text("etag"),
    lastModified: moment("last_modified"),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.apiKeyId, table.operation, table.key] }),
    index("idempotent_answers_created_at_idx").on(table.createdAt),
  ],
);

/**
 * How much a key has written in the day (UTC) on which it wrote last: one row for each key, so that nothing is left to sweep.
 * Not columns of the key: all writes of a key at once share its row, and a change of that is purged.
 */
export const apiKeyWrites = pgTable(
  "api_key_writes",
  {
    apiKeyId: uuid("api_key_id")
      .primaryKey()
      .references(() => apiKeys.id, { onDelete: "cascade" }),
    day: date("day").notNull(),
    bytes: bigint("bytes", { mode: "number" }).notNull(),
  },
  (table) => [
    check("api_key_writes_day_finite", sql`isfinite(${table.day})`),
    check("api_key_writes_bytes_range", isBetween(table.bytes, 0, MAX_SAFE_INTEGER)),
  ],
);

/**
 * The outbox: what has changed that a cached answer may show. Triggers write it in the writer's own transaction
 * (drizzle/0003_record_changes.sql); the feed (src/worker/feed) turns it into purges and deletes what is done.
 */
export const changes = pgTable(
  "changes",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    kind: changeKind("kind").notNull(),
    /** Null if there is only one of its kind. */
    resourceId: uuid("resource_id"),
    /** The coarser thing that may be purged in its place, where there are too many. */
    applicationId: uuid("application_id"),
    companyId: uuid("company_id"),
    changedAt: timestamp("changed_at", { withTimezone: true }).notNull().default(sql`clock_timestamp()`),
    /** Of the transaction, which a snapshot shows or does not: ids and times tell nothing of the order of commits. */
    xid: transactionId("xid").notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [
    index("changes_xid_idx").on(table.xid),
    check("changes_changed_at_finite", sql`isfinite(${table.changedAt})`),
  ],
);

/** The feed that drains {@link changes}: one row. */
export const feed = pgTable(
  "feed",
  {
    isOnly: boolean("is_only").primaryKey().default(true),
    /** The run that may purge. */
    holder: uuid("holder"),
    leasedUntil: timestamp("leased_until", { withTimezone: true }),
    /** When it was last heard of, and no change had waited for more than a minute. */
    healthyAt: timestamp("healthy_at", { withTimezone: true }),
    /** What it has done with the changes so far (`Memory` in src/worker/feed/query.ts). */
    memory: jsonb("memory")
      .notNull()
      .default({ drained: "1:1:", purged: "1:1:", batches: [], waitingSince: null, polledAt: null, isLost: false }),
  },
  (table) => [
    check("feed_is_only", sql`${table.isOnly}`),
    check("feed_leased_until_finite", sql`isfinite(${table.leasedUntil})`),
    check("feed_healthy_at_finite", sql`isfinite(${table.healthyAt})`),
  ],
);
