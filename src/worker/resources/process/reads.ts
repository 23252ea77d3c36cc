import { eq, type SQLWrapper, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import { isoTimestamp, latest } from "../../db/expressions.ts";
import { jsonArray, jsonObject } from "../../db/json.ts";
import { defineStatement } from "../../db/statement.ts";
import { pageOf, pagePayload } from "../../statements/list.ts";
import { selectPayload } from "../../statements/read.ts";
import { keyAccess } from "../api-key/access.ts";
import { type OwnApplication, ownApplication } from "../application/rows.ts";
import { processResourceTypes } from "../process-resource-type/rows.ts";
import { ownProcess, ownProcesses, type ProcessRow, processesIn } from "./rows.ts";
import type { Process } from "./schema.ts";

const id = sql`${sql.placeholder("id")}`;
const processId = sql`${sql.placeholder("process_id")}`;

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

export const getStatement = defineStatement((query) => {
  const access = keyAccess(query, "APP:READ", id);
  const application = ownApplication(query, access, id);
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
  return pagePayload(query, data, ownProcesses(query, application), application);
}

export const listStatement = defineStatement((query) => {
  const access = keyAccess(query, "APP:READ", id);
  const application = ownApplication(query, access, id);
  return selectPayload(query, access, [application], listPayload(query, application).as("payload"));
});
