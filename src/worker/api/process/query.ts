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

const applicationId = sql.placeholder("applicationId");
type KeyAccess = ReturnType<typeof keyAccess>;

/** What each row of a result has: what the key may do, and a process, or null for it. */
const rowColumns = (access: KeyAccess) => ({
  access: accessColumns(access),
  process: processColumns,
  application: { name: applications.name, namespace: applications.namespace },
  resourceType: {
    id: processResourceTypes.id,
    name: processResourceTypes.name,
    cpuMillicores: processResourceTypes.cpuMillicores,
    memoryMegabytes: processResourceTypes.memoryMegabytes,
  },
});

/** The wall between companies: an application that is not the key's company's is as absent as one that does not exist. */
const isOwnApplication = (access: KeyAccess) =>
  and(eq(applications.id, applicationId), eq(applications.companyId, access.companyId));

const getStatement = defineStatement((db) => {
  const access = keyAccess(db, "APP:READ", sql`${applicationId}`);
  return db
    .with(access)
    .select({
      ...rowColumns(access),
      lastModified: isoTimestamp(latest(processes.updatedAt, applications.updatedAt, processResourceTypes.updatedAt)),
    })
    .from(access)
    .leftJoin(applications, isOwnApplication(access))
    .leftJoin(
      processes,
      and(eq(processes.id, sql.placeholder("processId")), eq(processes.applicationId, applications.id)),
    )
    .leftJoin(processResourceTypes, eq(processResourceTypes.id, processes.resourceTypeId))
    .prepare("get_process_for_key");
});

const listStatement = defineStatement((db) => {
  const access = keyAccess(db, "APP:READ", sql`${applicationId}`);
  const page = db
    .select()
    .from(processes)
    .where(eq(processes.applicationId, applications.id))
    .orderBy(processes.createdAt, processes.id)
    .limit(sql.placeholder("limit"))
    .offset(sql.placeholder("offset"))
    // By the table's own name, so that the same columns select from it as from the table.
    .as("processes");
  return db
    .with(access)
    .select({ ...rowColumns(access), total: db.$count(processes, eq(processes.applicationId, applications.id)) })
    .from(access)
    .leftJoin(applications, isOwnApplication(access))
    .leftJoinLateral(page, sql`true`)
    .leftJoin(processResourceTypes, eq(processResourceTypes.id, processes.resourceTypeId))
    .orderBy(processes.createdAt, processes.id)
    .prepare("list_processes_for_key");
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
  const [row] = await runForKey(() => getStatement(db).execute(params));
  return row;
}

/**
 * A page of an application's processes, oldest first. Without a process on the page one row comes back all the same,
 * to say what the key may do, whether the application is its company's, and how many processes there are.
 *
 * @throws DatabaseError
 */
export async function listProcessesForKey(
  db: Database,
  params: { keyHash: string; applicationId: string; limit: number; offset: number },
) {
  return runForKey(() => listStatement(db).execute(params));
}

type Row = Awaited<ReturnType<typeof listProcessesForKey>>[number];

/** A process that was found, with what its payload takes from elsewhere. */
export interface ProcessRow {
  process: NonNullable<Row["process"]>;
  application: NonNullable<Row["application"]>;
  resourceType: Row["resourceType"];
}
