import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  integer as int,
  jsonb,
  pgEnum,
  pgTable,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import {
  createdAt,
  hasLength,
  id,
  isBetween,
  isIsoMoment,
  isOnlyFor,
  isShaped,
  isUuid,
  MAX_SAFE_INTEGER,
  updatedAt,
} from "../../db/columns.ts";
import { arrayOf, integer, nullable, object, oneOf, type Shape, string } from "../../db/jsonpath.ts";
import { applications } from "../application/table.ts";
import { processResourceTypes } from "../process-resource-type/table.ts";

export const processType = pgEnum("process_type", ["web", "worker", "cron", "job"]);
export const ingressProtocol = pgEnum("ingress_protocol", ["http", "grpc"]);
export const jobStartPolicy = pgEnum("job_start_policy", [
  "beforeDeployment",
  "afterSuccessDeployment",
  "afterFailedDeployment",
]);

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

/** What the Worker's role may do with it (src/cli/deploy/worker-role.ts). */
export const RIGHTS = [
  "select, insert, delete on processes",
  `update (display_name, entrypoint, port, is_ingress_enabled, ingress_protocol, scaling_strategy, resource_type_id, schedule,
    time_zone, job_start_policy, liveness_probe, readiness_probe, updated_at) on processes`,
];
