// The rights that `npm run rotate` gives the Worker's role: enough for all that it does, and no more for what it must not.
import "../../../src/local/loopback.ts";
import pg from "pg";
import { describe, expect, test, vi } from "vitest";
import rotate from "../../../src/cli/rotate.ts";
import { startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { openDatabase } from "../../../src/worker/db/client.ts";
import { runFeed } from "../../../src/worker/feed/index.ts";
import { readConfig, SETTINGS } from "../../../src/worker/shared/config.ts";
import { useApi } from "../../support/api.ts";
import { run } from "../../support/command.ts";
import { connectionString as owner } from "../../support/database.ts";
import { operations } from "../../support/operations.ts";
import { useRecords } from "../../support/records.ts";
import { countOf, EXPIRING, insertAged, newOwners } from "../feed/expiring.ts";

describe("the Worker's role", async () => {
  const env = { MIGRATION_DATABASE_URL: owner };
  const connectionString = (await run(rotate, [], { env })).stdout.trim();
  const api = useApi({ connectionString });
  const records = useRecords();

  test("may do what every operation does", async () => {
    const companyId = await records.company();
    const ids = await records.pathIds(companyId);
    const key = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
    // What deletes comes last.
    const inOrder = operations.toSorted((a, b) => Number(a.method === "DELETE") - Number(b.method === "DELETE"));
    for (const operation of inOrder) {
      const request = operation.request(key.token);
      const headers = { ...request.headers, ...(operation.isWrite && { "idempotency-key": "a" }) };
      const { status } = await api.fetch(operation.path(ids), { ...request, headers });
      expect([operation.id, status]).toStrictEqual([operation.id, 200]);
    }
    const { rows } = await records.pool.query("select from audit_log where company_id = $1", [companyId]);
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
      const companyId = await records.company();
      await records.pool.query("update companies set name = 'Changed' where id = $1", [companyId]);
      const owners = await newOwners(records);
      for (const table of EXPIRING) await insertAged(records.pool, table, owners, "31 days");
      const purge = vi.fn(async () => ({ success: true, errors: [] }));
      let now = 0;
      const sleep = async (ms: number) => {
        now += ms;
      };
      await runFeed({ db, purge, databaseDeadlineMs: 100, auditDays: 30, durationMs: 60_000, now: () => now, sleep });
      expect(purge).toHaveBeenCalled();
      expect((await records.pool.query("select from changes")).rowCount).toBe(0);
      for (const table of EXPIRING)
        expect([table, await countOf(records.pool, table, owners)]).toStrictEqual([table, 0]);
    } finally {
      await endpoint.close();
      await records.pool.query("update feed set healthy_at = null");
    }
  });

  const ask = async (statement: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      const results: pg.QueryResult | pg.QueryResult[] = await client.query(statement);
      return [results].flat().flatMap(({ rows }) => rows);
    } finally {
      await client.end();
    }
  };

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
    "select from api_key_events",
    "select before from audit_log",
    "update processes set application_id = application_id",
    "select record_companies(array(select gen_random_uuid() from generate_series(1, 1001)))",
    "create temp table t (); create trigger t after truncate on t for each statement execute function record_truncate()",
  ])("may not: %s", async (statement) => {
    await expect(ask(statement)).rejects.toMatchObject({ code: "42501" });
  });

  test.for(["healthy_at", "leased_until"])("cannot set the feed's %s to a moment that never comes", async (column) => {
    await expect(ask(`update feed set ${column} = 'infinity'`)).rejects.toMatchObject({ code: "23514" });
  });

  test("has each query ended that takes longer than any version waits, and a write sooner if it says so", async () => {
    const setting = "select current_setting('statement_timeout') as timeout";
    const [first] = await ask(setting);
    expect(first).toStrictEqual({ timeout: `${SETTINGS.DATABASE_DEADLINE_MS.maximum / 1000}s` });
    const sooner = "select set_config('statement_timeout', '1', true)";
    await expect(ask(`begin; ${sooner}; select pg_sleep(60)`)).rejects.toMatchObject({ code: "57014" });
    expect((await ask(`begin; ${sooner}; commit; ${setting}`)).at(-1)).toStrictEqual(first);
  });
});
