// What a column may hold against what a response may say. A value that Postgres takes must not make a response fail: the
// columns come from the catalogue and the responses from the OpenAPI document, so that this holds for those to come.
import { getTableName } from "drizzle-orm";
import { expect, test } from "vitest";
import { useApi } from "../../support/api.ts";
import { FIXTURES } from "../../support/fixtures.ts";
import { type Operation, privateReads } from "../../support/operations.ts";
import { bearer, useRecords } from "../../support/records.ts";
import { tablesOf } from "../../support/statements.ts";

/** Values at the edges of a type, as SQL. */
const EXTREMES: Record<string, readonly string[]> = {
  bigint: ["9223372036854775807", "-9223372036854775808", "9007199254740993"],
  boolean: ["true", "false"],
  integer: ["2147483647", "-2147483648"],
  jsonb: ["'null'", "'{}'", "'[]'", `'[""]'`, "'\"x\"'", "'0'", "'1e400'", "'true'"],
  text: ["''", "repeat('x', 70000)", "E'\\u0001'", "'🚀'"],
  "timestamp with time zone": ["'12000-01-01'", "'0001-01-01 BC'", "'infinity'", "'-infinity'"],
  uuid: ["'00000000-0000-0000-0000-000000000001'"],
};

/** Of what has a size, how far sizes may go. */
const LIMITS: Record<string, readonly number[]> = {
  bigint: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  integer: [2_147_483_647, -2_147_483_648],
  text: [70_000],
};

interface Column {
  name: string;
  type: string;
  /** Whether it is the primary key, or a part of it. */
  isKey: boolean;
}

const api = useApi();
const records = useRecords();

/** Everything that responses can be about: which row of each table, and the ids that paths need. */
async function populate() {
  const companyId = await records.company();
  const size = await records.resourceType();
  const ids: Record<string, string> & { id: string; process_id: string } = await records.pathIds(companyId);
  await records.pool.query("update processes set resource_type_id = $1 where id = $2", [size.id, ids.process_id]);
  const key = await records.key(companyId, { resourceId: ids.id });
  const rowOf: Record<string, [column: string, value: string]> = {
    companies: ["id", companyId],
    applications: ["id", ids.id],
    processes: ["id", ids.process_id],
    process_resource_types: ["id", size.id],
    api_keys: ["id", key.id],
    api_key_tokens: ["api_key_id", key.id],
    api_key_capabilities: ["api_key_id", key.id],
  };
  for (const { table, example, parameter } of FIXTURES) {
    const name = getTableName(table);
    if (example) rowOf[name] = ["id", ids[parameter ?? name] as string];
  }
  return { rowOf, token: key.token, ids };
}

/** Columns without those of foreign keys, which hold what another column may hold. */
async function columnsOf(table: string): Promise<Column[]> {
  const isIn = (kind: string) =>
    `exists (select from pg_constraint k where k.conrelid = a.attrelid and k.contype = '${kind}' and a.attnum = any(k.conkey))`;
  const { rows } = await records.pool.query(
    `select a.attname as name, format_type(a.atttypid, null) as type, ${isIn("p")} as "isKey" from pg_attribute a
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped and not ${isIn("f")} order by 1`,
    [table],
  );
  return rows;
}

/** Whether Postgres carries the statements out. */
async function isTaken(statements: string): Promise<boolean> {
  const client = await records.pool.connect();
  try {
    await client.query(statements);
    return true;
  } catch {
    await client.query("rollback");
    return false;
  } finally {
    client.release();
  }
}

/** The last size on the way from one to the other that is taken: what a CHECK has for a bound. */
async function boundOf(from: number, to: number, isTakenAt: (size: number) => Promise<boolean>): Promise<number> {
  let [taken, refused] = [from, to];
  if (await isTakenAt(to)) return to;
  while (Math.abs(refused - taken) > 1) {
    const middle = Math.trunc(taken / 2 + refused / 2);
    if (await isTakenAt(middle)) taken = middle;
    else refused = middle;
  }
  return taken;
}

/** Changes a column of the row. */
type Set = (column: string, value: string) => string;

/** The values that Postgres takes for a column by itself, as SQL. */
async function valuesTakenBy({ name, type }: Column, now: unknown, set: Set): Promise<string[]> {
  const values = ["null", ...(EXTREMES[type] ?? [])];
  const isText = type === "text";
  const sqlOf = (size: number) => (isText ? `repeat('x', ${size})` : String(size));
  const isTakenNow = (value: string) => isTaken(`begin; ${set(name, value)}; rollback`);
  for (const limit of LIMITS[type] ?? []) {
    const size = isText ? String(now).length : Number(now);
    values.push(sqlOf(await boundOf(size, limit, (at) => isTakenNow(sqlOf(at)))));
  }
  const taken: string[] = [];
  for (const value of values) if (await isTakenNow(value)) taken.push(value);
  return taken;
}

test("the rows of every table that a response shows are changed here", async () => {
  const shown = new Set(privateReads.flatMap(({ id }) => tablesOf(id)));
  shown.delete("feed");
  expect([...shown].sort()).toStrictEqual(Object.keys((await populate()).rowOf).sort());
});

test("whatever columns may hold, no response fails", async () => {
  const { rowOf, token, ids } = await populate();
  const ask = async ({ id, path }: Operation) => {
    const response = await api.fetch(path(ids), { headers: { ...bearer(token).headers, "cache-control": "no-cache" } });
    return { id, status: response.status, body: await response.text() };
  };
  const askAll = () => Promise.all(privateReads.map(ask));
  const shown = (await askAll()).map(({ body }) => body).join();
  const taken: string[] = [];

  for (const [table, [idColumn, id]] of Object.entries(rowOf)) {
    const where = `where ${idColumn} = '${id}'`;
    const set: Set = (column, value) => `update ${table} set ${column} = ${value} ${where}`;
    const { row } = (await records.pool.query(`select to_jsonb(${table}) as row from ${table} ${where}`)).rows[0];
    const columns = await columnsOf(table);
    for (const { name, type, isKey } of columns) {
      if (!isKey || !shown.includes(row[name])) continue;
      for (const value of EXTREMES[type] ?? []) {
        // An id must be refused even as if nothing referred to it.
        const change = `begin; set local session_replication_role = replica; ${set(name, value)}; rollback`;
        expect([change, await isTaken(change)]).toStrictEqual([change, false]);
      }
    }
    const others = columns.filter(({ isKey }) => !isKey);
    // What the rows of a key hold may end the key, and then nothing else is shown.
    for (const group of table.startsWith("api_key") ? others.map((one) => [one]) : [others]) {
      const values = new Map<string, string[]>();
      for (const one of group) values.set(one.name, await valuesTakenBy(one, row[one.name], set));
      const rounds = Math.max(0, ...[...values.values()].map(({ length }) => length));
      for (let round = 0; round < rounds; round++) {
        const changes = [...values].map(([name, all]) => set(name, all[round % all.length] as string));
        // Beside what other columns hold by now some are refused.
        for (const change of changes) if (await isTaken(change)) taken.push(change);
        const failed = (await askAll()).filter(({ status }) => status >= 500);
        expect([changes, failed]).toStrictEqual([changes, []]);
      }
      const names = group.map(({ name }) => name).join();
      const before = `update ${table} set (${names}) = (select ${names} from jsonb_populate_record(null::${table}, $1)) ${where}`;
      await records.pool.query(before, [row]);
    }
  }
  // Else nothing was put to the test.
  for (const change of ["processes set display_name = null", "api_keys set is_enabled = false"]) {
    expect(taken.find((one) => one.includes(change))).toBeDefined();
  }
});
