// Rows for tests. Every test makes its own company, so that files can share a database.
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { getTableName } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import type { PgTable } from "drizzle-orm/pg-core";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import type { Permission } from "../../src/worker/resources/api-key/access.ts";
import * as keys from "../../src/worker/resources/api-key/table.ts";
import { applications } from "../../src/worker/resources/application/table.ts";
import { companies } from "../../src/worker/resources/company/table.ts";
import { processes } from "../../src/worker/resources/process/table.ts";
import { processResourceTypes } from "../../src/worker/resources/process-resource-type/table.ts";
import { connectionString as sharedDatabase } from "./database.ts";
import { FIXTURES } from "./fixtures.ts";

type Insert<Table extends PgTable> = Partial<Table["$inferInsert"]>;

export type Records = Awaited<ReturnType<typeof openRecords>>;

/** A way to write rows into the run's database, which is there before the first test. */
export function useRecords(): Records {
  const records = {} as Records;
  beforeAll(async () => {
    Object.assign(records, await openRecords());
  });
  afterAll(() => records.close());
  return records;
}

/** A company of the file's own, and a key of it, which are there before the first test. */
export function useCompany(records: Records, permissions: readonly Permission[] = ["APP:READ"]) {
  const own = {} as { companyId: string; keyId: string; token: string };
  beforeAll(async () => {
    const companyId = await records.company();
    const { id: keyId, token } = await records.key(companyId, { permissions });
    Object.assign(own, { companyId, keyId, token });
  });
  return own;
}

/** A way to write rows, over a pool that a test closes when it is done. */
export async function openRecords(connectionString: string = sharedDatabase) {
  const pool = new pg.Pool({ connectionString, max: 2 });
  const db = drizzle({ client: pool });

  /** Writes a row with this id, or a new one. */
  async function insert(table: PgTable, values: { id?: string | undefined }, defaultsOf: (id: string) => object) {
    const id = values.id ?? randomUUID();
    await db.insert(table).values({ ...defaultsOf(id), ...values, id } as never);
    return { id };
  }

  const company = async (name = "A company") => (await insert(companies, {}, () => ({ name }))).id;

  const application = (companyId: string, values: Insert<typeof applications> = {}) =>
    insert(applications, values, (id) => {
      return { companyId, name: `app-${id.slice(0, 8)}`, displayName: "An application", namespace: "ns-1" };
    });

  const process = (applicationId: string, values: Insert<typeof processes> = {}) =>
    insert(processes, values, (id) => {
      return { applicationId, key: `p-${id.slice(0, 8)}`, entrypoint: "npm start" };
    });

  const resourceType = (values: Insert<typeof processResourceTypes> = {}) =>
    insert(processResourceTypes, values, (id) => {
      return { name: `size-${id}`, cpuMillicores: 500, memoryMegabytes: 512, category: "standard" };
    });

  /**
   * A new application of the company, with one of each thing that belongs to it.
   *
   * @returns an id for each parameter that a path may have, and of other rows by their tables
   */
  async function pathIds(companyId: string) {
    const { id } = await application(companyId);
    // Of the type that every operation takes.
    const { id: process_id } = await process(id, { type: "cron" });
    const ids: Record<string, string> = { id, process_id };
    for (const { table, example, parameter } of FIXTURES) {
      if (example === undefined) continue;
      const name = parameter ?? getTableName(table);
      ids[name] = randomUUID();
      const row = example({ companyId, applicationId: id, processId: process_id });
      await db.insert(table).values({ ...row, id: ids[name] } as never);
    }
    return { ...ids, id, process_id };
  }

  /** A key that may do `permissions`, to all applications or to one. */
  async function key(
    companyId: string,
    {
      permissions = ["APP:READ"],
      resourceId = null,
      ...values
    }: { permissions?: readonly Permission[]; resourceId?: string | null } & Insert<typeof keys.apiKeys> = {},
  ) {
    const { id } = await insert(keys.apiKeys, values, () => ({ companyId, name: "A key" }));
    for (const permission of permissions) {
      await db.insert(keys.apiKeyCapabilities).values({ apiKeyId: id, companyId, permission, resourceId });
    }
    return { id, token: await token(id) };
  }

  async function token(apiKeyId: string, expiresAt: Date | null = null): Promise<string> {
    const plain = randomToken();
    const masked = `${plain.slice(0, 6)}…${plain.slice(-4)}`;
    await db.insert(keys.apiKeyTokens).values({ hash: sha256(plain), apiKeyId, masked, expiresAt });
    return plain;
  }

  return { db, pool, company, application, process, resourceType, pathIds, key, token, close: () => pool.end() };
}

export const randomToken = (): string => `svl_${randomBytes(32).toString("hex")}`;
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
export const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
