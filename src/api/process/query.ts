import { and, eq, sql } from "drizzle-orm";
import { accessColumns, keyAccess, runForKey } from "../../db/access.ts";
import type { Database } from "../../db/client.ts";
import { isoTimestamp, latest } from "../../db/expressions.ts";
import { applications, processes, processResourceTypes } from "../../db/schema.ts";
import { defineStatement } from "../../db/statement.ts";

/** What a payload takes from the process itself, from its application and from its machine size. */
const processColumns = {
  id: processes.id,
  applicationId: processes.applicationId,
  key: processes.key,
  type: processes.type,
  displayName: processes.displayName,
  entrypoint: processes.entrypoint,
  port: processes.port,
  isIngressEnabled: processes.isIngressEnabled,
  ingressProtocol: processes.ingressProtocol,
  scalingStrategy: processes.scalingStrategy,
  schedule: processes.schedule,
  timeZone: processes.timeZone,
  jobStartPolicy: processes.jobStartPolicy,
  livenessProbe: processes.livenessProbe,
  readinessProbe: processes.readinessProbe,
  createdAt: isoTimestamp(processes.createdAt),
  updatedAt: isoTimestamp(processes.updatedAt),
};

const statement = defineStatement((db) => {
  const access = keyAccess(db, "APP:READ", sql`${sql.placeholder("applicationId")}`);
  return db
    .with(access)
    .select({
      access: accessColumns(access),
      process: processColumns,
      application: { name: applications.name, namespace: applications.namespace },
      resourceType: {
        id: processResourceTypes.id,
        name: processResourceTypes.name,
        cpuMillicores: processResourceTypes.cpuMillicores,
        memoryMegabytes: processResourceTypes.memoryMegabytes,
      },
      lastModified: isoTimestamp(latest(processes.updatedAt, applications.updatedAt, processResourceTypes.updatedAt)),
    })
    .from(access)
    .leftJoin(
      applications,
      and(eq(applications.id, sql.placeholder("applicationId")), eq(applications.companyId, access.companyId)),
    )
    .leftJoin(
      processes,
      and(eq(processes.id, sql.placeholder("processId")), eq(processes.applicationId, applications.id)),
    )
    .leftJoin(processResourceTypes, eq(processResourceTypes.id, processes.resourceTypeId))
    .prepare("get_process_for_key");
});

/**
 * The process if it belongs to this application and the application to the company of the key; what the key may do
 * either way; nothing for a key that is not live.
 *
 * @throws DatabaseError
 */
export async function getProcessForKey(
  db: Database,
  params: { keyHash: string; applicationId: string; processId: string },
) {
  const [row] = await runForKey(() => statement(db).execute(params));
  return row;
}

type Row = NonNullable<Awaited<ReturnType<typeof getProcessForKey>>>;

/** A process that was found, with what its payload takes from elsewhere. */
export interface ProcessRow {
  process: NonNullable<Row["process"]>;
  application: NonNullable<Row["application"]>;
  resourceType: Row["resourceType"];
}
