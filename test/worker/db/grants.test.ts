// The rights that `npm run rotate` gives the Worker's role: enough for all that it does, and no more for what it must not.
import "../../../src/local/loopback.ts";
import { existsSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrate } from "../../../drizzle/migrate.ts";
import rotate from "../../../src/cli/rotate.ts";
import { startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { EXAMPLE_IDS } from "../../../src/openapi/components/examples.ts";
import { openDatabase } from "../../../src/worker/db/client.ts";
import { pollChanges, releaseLease } from "../../../src/worker/feed/query.ts";
import { readConfig } from "../../../src/worker/shared/config.ts";
import { startApi, type TestApi } from "../../support/api.ts";
import { run } from "../../support/command.ts";
import { operations } from "../../support/operations.ts";
import { type RealPostgres, startRealPostgres } from "../../support/postgres.ts";
import { openRecords, type Records } from "../../support/records.ts";

describe.skipIf(!existsSync("/usr/lib/postgresql"))("the Worker's role", () => {
  let server: RealPostgres;
  let records: Records;
  let api: TestApi;
  let connectionString: string;
  beforeAll(async () => {
    server = await startRealPostgres();
    await migrate(server.connectionString);
    records = await openRecords(server.connectionString);
    const env = { MIGRATION_DATABASE_URL: server.connectionString };
    connectionString = (await run(rotate, [], { env })).stdout.trim();
    api = await startApi({ connectionString });
  });
  afterAll(async () => {
    await api?.close();
    await records?.close();
    await server?.close();
  });

  test("may do what every operation does", async () => {
    const companyId = await records.company();
    const ids = await records.pathIds(companyId);
    await records.resourceType({ id: EXAMPLE_IDS.large });
    const key = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
    // What deletes comes last.
    const inOrder = operations.toSorted((a, b) => Number(a.method === "DELETE") - Number(b.method === "DELETE"));
    for (const operation of inOrder) {
      const request = operation.request(key.token);
      const headers = { ...request.headers, ...(operation.isWrite && { "idempotency-key": "a" }) };
      const { status } = await api.fetch(operation.path(ids), { ...request, headers });
      expect([operation.id, status]).toStrictEqual([operation.id, 200]);
    }
    const { rows } = await records.pool.query("select from audit_log");
    expect(rows).toHaveLength(operations.filter(({ isWrite }) => isWrite).length);
    // Written after the answers.
    const used = `select from api_keys k join api_key_tokens t on t.api_key_id = k.id
      where k.id = $1 and k.last_used_at is not null and t.last_used_at is not null`;
    await expect.poll(async () => (await records.pool.query(used, [key.id])).rowCount).toBe(1);
  });

  test("may run the feed", async () => {
    const endpoint = await startNeonEndpoint({ connectionString });
    try {
      const db = openDatabase(readConfig({ DATABASE_URL: endpoint.connectionString }));
      const holder = crypto.randomUUID();
      const changes = await pollChanges(db, holder, []);
      expect(changes?.length).toBeGreaterThan(0);
      const [first] = changes ?? [];
      expect((await pollChanges(db, holder, [String(first?.id)]))?.map(({ id }) => id)).not.toContain(first?.id);
      await releaseLease(db, holder);
    } finally {
      await endpoint.close();
    }
  });

  test.for([
    "update api_keys set is_enabled = true",
    "insert into api_key_capabilities (api_key_id, company_id, permission) select id, company_id, 'APP:DELETE' from api_keys",
    "update api_key_tokens set expires_at = null",
    "insert into api_key_events (api_key_id, company_id, event, made_by) select id, company_id, 'issued', '' from api_keys",
    "update api_key_events set made_by = ''",
    "delete from api_key_events",
    "update applications set company_id = company_id",
    "delete from audit_log",
    "update audit_log set before = null",
    "update process_runs set started_at = now()",
    "insert into changes (kind) values ('everything')",
    "delete from companies",
    "create table t (a int)",
  ])("may not: %s", async (statement) => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      await expect(client.query(statement)).rejects.toMatchObject({ code: "42501" });
    } finally {
      await client.end();
    }
  });
});
