import { randomUUID } from "node:crypto";
import { appendFileSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import command from "../../src/cli/storage.ts";
import { useRecords } from "../support/records.ts";
import { countOf, EXPIRING, type Expiring, insertAged, newOwners } from "../worker/feed/expiring.ts";
import { checkOut, expectError, lines, onDatabase } from "./command.ts";

const records = useRecords();
const storage = onDatabase(command);

interface Storage {
  table: string;
  bytes: number;
  rows: number;
  is_estimate: boolean;
  since: string | null;
  kept: string | null;
}

/** What the command says of each table. */
async function readAll(): Promise<Record<string, Storage>> {
  const tables: Storage[] = JSON.parse((await storage("--json")).stdout);
  return Object.fromEntries(tables.map((one) => [one.table, one]));
}

/** A folder of the project whose wrangler.toml sets how long the audit log is kept. */
function keptFor(days: string): string {
  const root = checkOut();
  copyFileSync("wrangler.toml", join(root, "wrangler.toml"));
  appendFileSync(join(root, "wrangler.toml"), `[vars]\nAUDIT_DAYS = "${days}"\n`);
  return root;
}

test("storage tells of every table what it takes, since when, and for how long it is kept, the largest first", async () => {
  const owners = await newOwners(records);
  await insertAged(records.pool, "audit_log", owners, "1 minute", 1, "x".repeat(1_000_000));
  await records.pool.query("update audit_log set created_at = '1999-12-31T23:59:59.123Z' where api_key_id = $1", [
    owners.keyId,
  ]);
  const { exitCode, stdout, stderr } = await storage("--json");
  expect([exitCode, stderr]).toStrictEqual([0, ""]);
  const tables: Storage[] = JSON.parse(stdout);
  const { rows } = await records.pool.query(
    `select relname as table, pg_total_relation_size(oid)::int as bytes from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r' order by 2 desc, 1`,
  );
  expect(tables.map(({ table, bytes }) => ({ table, bytes }))).toStrictEqual(rows);
  const { count } = (await records.pool.query("select count(*)::int from audit_log")).rows[0];
  expect(tables.find(({ table }) => table === "audit_log")).toMatchObject({
    rows: count,
    is_estimate: false,
    since: "1999-12-31T23:59:59.123Z",
    kept: "365 days",
  });
  const kept = tables.flatMap(({ table, kept }) => (kept === null ? [] : [`${table}: ${kept}`]));
  expect(kept.sort()).toStrictEqual([
    "api_key_events: 365 days",
    "audit_log: 365 days",
    "changes: until purged",
    "idempotent_answers: 24 hours",
    "process_runs: 30 days",
  ]);
  await records.pool.query("delete from audit_log where api_key_id = $1", [owners.keyId]);
});

test("storage prints a table, in which what it does not know is a dash", async () => {
  const [head, ...rows] = lines((await storage([])).stdout);
  expect(head).toMatch(/^TABLE +SIZE +ROWS +SINCE +KEPT$/);
  expect(rows).toContainEqual(expect.stringMatching(/^feed +0\.\d\d MB +1 +– +–$/));
});

test("storage estimates the rows of a table with more than 100,000", async () => {
  const owners = await newOwners(records);
  await insertAged(records.pool, "api_key_events", owners, "1 minute", 100_001);
  // Nothing is known of its rows yet.
  expect((await readAll()).api_key_events).toMatchObject({ is_estimate: true, rows: 100_001 });
  await insertAged(records.pool, "api_key_events", owners, "1 minute", 50_000);
  await records.pool.query("analyze api_key_events");
  const { is_estimate, rows } = (await readAll()).api_key_events as Storage;
  expect([is_estimate, Math.round(rows / 10_000)]).toStrictEqual([true, 15]);
  await records.pool.query("delete from api_key_events where api_key_id = $1", [owners.keyId]);
});

const KEPT_DAYS: Record<Expiring, number> = {
  process_runs: 30,
  idempotent_answers: 1,
  audit_log: 90,
  api_key_events: 90,
};
test("--sweep deletes what has expired, as wrangler.toml says, and then tells what is left", async () => {
  const owners = await newOwners(records);
  const root = keptFor("90");
  await storage("--sweep", { root });
  for (const table of EXPIRING) {
    await insertAged(
      records.pool,
      table,
      owners,
      `${KEPT_DAYS[table]} days 1 second`,
      table === "process_runs" ? 1_001 : 2,
    );
    await insertAged(records.pool, table, owners, `${KEPT_DAYS[table]} days -10 minutes`);
  }
  await records.pool.query("delete from changes");
  const { exitCode, stderr, stdout } = await storage("--sweep --json", { root });
  expect([exitCode, lines(stderr)]).toStrictEqual([
    0,
    [
      "Deleted 1001 rows of process_runs.",
      "Deleted 2 rows of idempotent_answers.",
      "Deleted 2 rows of audit_log.",
      "Deleted 2 rows of api_key_events.",
    ],
  ]);
  for (const table of EXPIRING) expect([table, await countOf(records.pool, table, owners)]).toStrictEqual([table, 1]);
  const log = (JSON.parse(stdout) as Storage[]).find(({ table }) => table === "audit_log") as Storage;
  expect([log.kept, Math.round((Date.now() - Date.parse(String(log.since))) / 86_400_000)]).toStrictEqual([
    "90 days",
    90,
  ]);
});

test("--sweep deletes changes that were purged twice, and what no feed has purged for 8 days", async () => {
  await records.pool.query("delete from changes");
  const insert =
    "insert into changes (kind, resource_id, xid, changed_at) values ('company', $1, $2, now() - $3::interval)";
  const [purged, forgotten, waiting] = [randomUUID(), randomUUID(), randomUUID()];
  await records.pool.query(insert, [purged, "5", "1 minute"]);
  await records.pool.query(insert, [forgotten, "9", "8 days 1 second"]);
  await records.pool.query(insert, [waiting, "9", "8 days -10 minutes"]);
  await records.pool.query(`update feed set memory = jsonb_set(memory, '{drained}', '"7:7:"')`);
  expect((await storage("--sweep")).stderr).toBe("Deleted 2 rows of changes.\n");
  const left = await records.pool.query("delete from changes returning resource_id");
  expect(left.rows).toStrictEqual([{ resource_id: waiting }]);
  await records.pool.query("update feed set memory = default");
});

test("storage refuses what the Worker would refuse as AUDIT_DAYS, and deletes nothing then", async () => {
  const owners = await newOwners(records);
  await insertAged(records.pool, "audit_log", owners, "400 days");
  const outcome = await storage("--sweep", { root: keptFor("29") });
  expectError(outcome, 2, "AUDIT_DAYS is not a whole number from 30 to 3650 in wrangler.toml.");
  expect(await countOf(records.pool, "audit_log", owners)).toBe(1);
});
