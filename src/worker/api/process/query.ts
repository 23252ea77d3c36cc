import { desc, eq, type SQLWrapper, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import type { Process, ProcessRunList } from "../../../openapi/process/schema.ts";
import { type Caller, keyAccess, queryForKey } from "../../db/access.ts";
import type { Database } from "../../db/client.ts";
import { isoTimestamp, latest } from "../../db/expressions.ts";
import { jsonArray, jsonObject } from "../../db/json.ts";
import { type PayloadRow, pageJson, selectPayload } from "../../db/payload.ts";
import { defineStatement } from "../../db/statement.ts";
import {
  countOf,
  type OwnApplication,
  ownApplication,
  ownProcess,
  ownProcesses,
  ownRuns,
  type ProcessRow,
  pageOf,
  processesIn,
  processResourceTypes,
  runsIn,
} from "../../db/tenant.ts";

const applicationId = sql`${sql.placeholder("applicationId")}`;
const processId = sql`${sql.placeholder("processId")}`;

/** The contract's payload of a process, from the process itself, its application and its machine size. */
export const processJson = (process: ProcessRow, application: OwnApplication) =>
  jsonObject({
    id: process.id,
    app_id: process.applicationId,
    key: process.key,
    type: process.type,
    display_name: process.displayName,
    entrypoint: process.entrypoint,
    port: process.port,
    is_ingress_enabled: process.isIngressEnabled,
    ingress_protocol: process.ingressProtocol,
    scaling_strategy: process.scalingStrategy,
    resource_type_id: process.resourceTypeId,
    resource_type_name: processResourceTypes.name,
    cpu_limit: processResourceTypes.cpuMillicores,
    memory_limit: processResourceTypes.memoryMegabytes,
    schedule: process.schedule,
    time_zone: process.timeZone,
    job_start_policy: process.jobStartPolicy,
    liveness_probe: process.livenessProbe,
    readiness_probe: process.readinessProbe,
    // https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/; null without a namespace
    internal_hostname: sql`${application.name} || '-' || ${process.key} || '.' || ${application.namespace} || '.svc.cluster.local'`,
    created_at: isoTimestamp(process.createdAt),
    updated_at: isoTimestamp(process.updatedAt),
  } satisfies Record<keyof Process, SQLWrapper>);

const getStatement = defineStatement((query) => {
  const access = keyAccess(query, "APP:READ", applicationId);
  const application = ownApplication(query, access, applicationId);
  const process = ownProcess(query, application, processId);
  const payload = query
    .select({
      json: processJson(process, application).as("json"),
      lastModified: latest(process.updatedAt, application.updatedAt, processResourceTypes.updatedAt).as(
        "last_modified",
      ),
    })
    .from(application)
    .innerJoin(process, sql`true`)
    .leftJoin(processResourceTypes, eq(processResourceTypes.id, process.resourceTypeId))
    .limit(1)
    .as("payload");
  return selectPayload(query, access, [application, process], payload);
});

/** The contract's payload of a page of an application's processes, which the placeholders `limit` and `offset` choose. */
export function listPayload(query: QueryBuilder, application: OwnApplication) {
  const process = processesIn(query, pageOf(ownProcesses(query, application)));
  const data = query
    .select({ data: jsonArray(processJson(process, application), process.displayOrder, process.createdAt, process.id) })
    .from(process)
    .leftJoin(processResourceTypes, eq(processResourceTypes.id, process.resourceTypeId));
  return query
    .select({ json: pageJson(data, countOf(ownProcesses(query, application))).as("json") })
    .from(application)
    .limit(1);
}

const listStatement = defineStatement((query) => {
  const access = keyAccess(query, "APP:READ", applicationId);
  const application = ownApplication(query, access, applicationId);
  return selectPayload(query, access, [application], listPayload(query, application).as("payload"));
});

const runsStatement = defineStatement((query) => {
  const access = keyAccess(query, "APP:READ", applicationId);
  const application = ownApplication(query, access, applicationId);
  const process = ownProcess(query, application, processId);
  const run = runsIn(query, pageOf(ownRuns(query, process)));
  const json = jsonObject({
    id: run.id,
    process_id: run.processId,
    trigger: sql`coalesce(${run.trigger}, 'manual')`,
    due_at: isoTimestamp(run.requestedAt),
    started_at: isoTimestamp(run.startedAt),
    finished_at: isoTimestamp(run.finishedAt),
    outcome: run.outcome,
    failure_reason: run.failureReason,
    exit_code: run.exitCode,
    retry_count: sql`coalesce(${run.retryCount}, 0)`,
  } satisfies Record<keyof ProcessRunList["data"][number], SQLWrapper>);
  const data = query.select({ data: jsonArray(json, desc(run.requestedAt), desc(run.id)) }).from(run);
  const payload = query
    .select({ json: pageJson(data, countOf(ownRuns(query, process))).as("json") })
    .from(process)
    .limit(1)
    .as("payload");
  return selectPayload(query, access, [application, process], payload);
});

/**
 * The process, if it belongs to this application and the application to the company of the key.
 *
 * @throws DatabaseError
 */
export const getProcessForKey = (
  db: Database,
  params: Caller & { applicationId: string; processId: string },
): Promise<PayloadRow | undefined> => queryForKey(db, getStatement(), params);

/**
 * A page of an application's processes: by display order, then oldest first.
 *
 * @throws DatabaseError
 */
export const listProcessesForKey = (
  db: Database,
  params: Caller & { applicationId: string; limit: number; offset: number },
): Promise<PayloadRow | undefined> => queryForKey(db, listStatement(), params);

/**
 * A page of the runs of a cron process that are kept, newest first.
 *
 * @throws DatabaseError
 */
export const listRunsForKey = (
  db: Database,
  params: Caller & { applicationId: string; processId: string; limit: number; offset: number },
): Promise<PayloadRow | undefined> => queryForKey(db, runsStatement(), params);
