// Rows for tests. Every test makes its own company, so that files can share a database.
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { drizzle } from "drizzle-orm/node-postgres";
import type { PgTable } from "drizzle-orm/pg-core";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import type { Permission } from "../../src/worker/db/access.ts";
import * as tables from "../../src/worker/db/schema.ts";
import { connectionString as sharedDatabase } from "./database.ts";

type Tables = typeof tables;
type Insert<Name extends "applications" | "processes" | "processResourceTypes" | "apiKeys"> = Partial<
  Tables[Name]["$inferInsert"]
>;

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

  const company = async (name = "A company") => (await insert(tables.companies, {}, () => ({ name }))).id;

  const application = (companyId: string, values: Insert<"applications"> = {}) =>
    insert(tables.applications, values, (id) => {
      return { companyId, name: `app-${id.slice(0, 8)}`, displayName: "An application", namespace: "ns-1" };
    });

  const process = (applicationId: string, values: Insert<"processes"> = {}) =>
    insert(tables.processes, values, (id) => {
      return { applicationId, key: `p-${id.slice(0, 8)}`, entrypoint: "npm start" };
    });

  const resourceType = (values: Insert<"processResourceTypes"> = {}) =>
    insert(tables.processResourceTypes, values, (id) => {
      return { name: `size-${id}`, cpuMillicores: 500, memoryMegabytes: 512, category: "standard" };
    });

  /**
   * A new application of the company, with one of each thing that belongs to it.
   *
   * @returns an id for each parameter that a path may have
   */
  async function pathIds(companyId: string) {
    const { id } = await application(companyId);
    // Of the type that every operation takes.
    const { id: process_id } = await process(id, { type: "cron" });
    const now = new Date();
    const finished = { requestedAt: now, startedAt: now, finishedAt: now, outcome: "failed" } as const;
    await db
      .insert(tables.processRuns)
      .values({ processId: process_id, ...finished, failureReason: "Error", exitCode: 1 });
    return { id, process_id };
  }

  /** A key that may do `permissions`, to all applications or to one. */
  async function key(
    companyId: string,
    {
      permissions = ["APP:READ"],
      resourceId = null,
      ...values
    }: { permissions?: readonly Permission[]; resourceId?: string | null } & Insert<"apiKeys"> = {},
  ) {
    const { id } = await insert(tables.apiKeys, values, () => ({ companyId, name: "A key" }));
    for (const permission of permissions) {
      await db.insert(tables.apiKeyCapabilities).values({ apiKeyId: id, companyId, permission, resourceId });
    }
    return { id, token: await token(id) };
  }

  async function token(apiKeyId: string, expiresAt: Date | null = null): Promise<string> {
    const plain = randomToken();
    const masked = `${plain.slice(0, 6)}…${plain.slice(-4)}`;
    await db.insert(tables.apiKeyTokens).values({ hash: sha256(plain), apiKeyId, masked, expiresAt });
    return plain;
  }

  return { db, pool, company, application, process, resourceType, pathIds, key, token, close: () => pool.end() };
}

export const randomToken = (): string => `svl_${randomBytes(32).toString("hex")}`;
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
export const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
