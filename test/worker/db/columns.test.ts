// What a column may hold against what an answer may say. A value that Postgres takes must not make an answer fail: the
// columns come from the catalogue and the answers from the OpenAPI document, so that this holds for those to come.
import { expect, test } from "vitest";
import { useApi } from "../../support/api.ts";
import { privateReads } from "../../support/operations.ts";
import { useRecords } from "../../support/records.ts";

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

/** Of what has a size, each value as SQL by its size, and how far sizes may go. */
const SIZES: Record<string, { sqlOf(size: number): string; limits: readonly number[] }> = {
  bigint: { sqlOf: String, limits: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER] },
  integer: { sqlOf: String, limits: [2_147_483_647, -2_147_483_648] },
  text: { sqlOf: (length) => `repeat('x', ${length})`, limits: [70_000] },
};
const NO_SIZE = { sqlOf: String, limits: [] };

/** Tables that no answer shows anything of. */
const UNSHOWN = ["api_key_events", "audit_log", "changes", "feed", "idempotent_answers"];

interface Column {
  table: string;
  column: string;
  type: string;
  /** Whether it is the primary key, or a part of it. */
  isKey: boolean;
}

const api = useApi();
const records = useRecords();

/** Everything that answers can be about: which row of each table, and the ids that paths need. */
async function populate() {
  const companyId = await records.company();
  const resourceType = await records.resourceType();
  const ids = await records.pathIds(companyId);
  await records.pool.query("update processes set resource_type_id = $1 where id = $2", [
    resourceType.id,
    ids.process_id,
  ]);
  const key = await records.key(companyId, { resourceId: ids.id });
  const rowOf: Record<string, [column: string, value: string]> = {
    companies: ["id", companyId],
    applications: ["id", ids.id],
    processes: ["id", ids.process_id],
    process_resource_types: ["id", resourceType.id],
    process_runs: ["process_id", ids.process_id],
    api_keys: ["id", key.id],
    api_key_tokens: ["api_key_id", key.id],
    api_key_capabilities: ["api_key_id", key.id],
  };
  return { rowOf, token: key.token, ids };
}

/** Columns without those of foreign keys, which hold what another column may hold. */
async function columnsOf(tables: readonly string[]): Promise<Column[]> {
  const { rows } = await records.pool.query(
    `select c.relname as "table", a.attname as "column",
       format_type(a.atttypid, null) as type,
       exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p' and a.attnum = any(k.conkey)) as "isKey"
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relname = any($1)
       and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any(k.conkey))
     order by 1, 2`,
    [tables],
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
  while (Math.abs(refused - taken) > 1) {
    const middle = Math.trunc(taken / 2 + refused / 2);
    if (await isTakenAt(middle)) taken = middle;
    else refused = middle;
  }
  return taken;
}

/** Tries a change of an id as if nothing referred to it. */
async function expectRefusal(change: string): Promise<void> {
  const isRefused = !(await isTaken(`begin; set local session_replication_role = replica; ${change}; rollback`));
  expect({ change, isRefused }).toMatchObject({ isRefused: true });
}

test("every table is one whose rows are changed here, or that no answer shows", async () => {
  const { rows } = await records.pool.query("select tablename from pg_tables where schemaname = 'public'");
  const known = [...Object.keys((await populate()).rowOf), ...UNSHOWN];
  expect(rows.map(({ tablename }) => tablename).sort()).toStrictEqual(known.sort());
});

test("whatever a column may hold, no answer fails", async () => {
  const { rowOf, token, ids } = await populate();
  const ask = async (id: string, path: string) => {
    const response = await api.fetch(path, {
      headers: { authorization: `Bearer ${token}`, "cache-control": "no-cache" },
    });
    return { id, status: response.status, body: await response.text() };
  };
  const askAll = () => Promise.all(privateReads.map((operation) => ask(operation.id, operation.path(ids))));
  const shown = (await askAll()).map(({ body }) => body).join();

  const taken: string[] = [];
  for (const { table, column, type, isKey } of await columnsOf(Object.keys(rowOf))) {
    const [idColumn, id] = rowOf[table] ?? [];
    const set = (value: string) => `update ${table} set ${column} = ${value} where ${idColumn} = '${id}'`;
    const { rows } = await records.pool.query(`select ${column}::text as is from ${table} where ${idColumn} = $1`, [
      id,
    ]);
    const [{ is }] = rows;
    if (isKey) {
      if (shown.includes(is)) for (const value of EXTREMES[type] ?? []) await expectRefusal(set(value));
      continue;
    }
    const values = ["null", ...(EXTREMES[type] ?? [])];
    const { sqlOf, limits } = SIZES[type] ?? NO_SIZE;
    const size = type === "text" ? String(is).length : Number(is);
    for (const limit of limits) {
      values.push(sqlOf(await boundOf(size, limit, (at) => isTaken(`begin; ${set(sqlOf(at))}; rollback`))));
    }
    for (const value of values) {
      if (!(await isTaken(set(value)))) continue;
      taken.push(`${table}.${column} = ${value}`);
      const failed = (await askAll()).filter(({ status }) => status >= 500);
      expect([taken.at(-1), failed]).toStrictEqual([taken.at(-1), []]);
    }
    await records.pool.query(set(`$1::${type}`), [is]);
  }
  // Else nothing was put to the test.
  expect(taken).toStrictEqual(expect.arrayContaining(["processes.display_name = null", "api_keys.is_enabled = false"]));
});
