// What our code expects of @neondatabase/serverless, over the local endpoint or over a real database of Neon's
// (NEON_DATABASE_URL): the same sentences must hold for both.
import { randomBytes } from "node:crypto";
import { type NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type NeonEndpoint, startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";

let endpoint: NeonEndpoint | undefined;
let sql: ReturnType<typeof neon<false, false>>;
/** A schema of this file's own: over HTTP there is no session to keep temporary tables in. */
const schema = `driver_test_${randomBytes(4).toString("hex")}`;
const fetchEndpoint = neonConfig.fetchEndpoint;

beforeAll(async () => {
  const { NEON_DATABASE_URL } = process.env;
  if (NEON_DATABASE_URL === undefined) {
    endpoint = await startNeonEndpoint({ connectionString: inject("connectionString") });
    neonConfig.fetchEndpoint = (host, port) => `http://${host}:${port}/sql`;
  }
  sql = neon(endpoint?.connectionString ?? String(NEON_DATABASE_URL));
  await sql.query(`CREATE SCHEMA ${schema}`);
});
afterAll(async () => {
  await sql.query(`DROP SCHEMA ${schema} CASCADE`);
  await endpoint?.close();
  neonConfig.fetchEndpoint = fetchEndpoint;
});

/** A new table's qualified name. */
async function table(columns: string): Promise<string> {
  const name = `${schema}.t_${randomBytes(4).toString("hex")}`;
  await sql.query(`CREATE TABLE ${name} (${columns})`);
  return name;
}

async function value(query: string, params: unknown[] = []): Promise<unknown> {
  const rows = await sql.query(query, params, { arrayMode: true });
  return rows[0]?.[0];
}

const errorOf = (query: Promise<unknown>): Promise<NeonDbError> =>
  query.then(
    () => expect.unreachable("the query was expected to fail"),
    (error) => error,
  );

describe("a query", () => {
  test("takes its parameters from a template, which may hold others, or by their numbers", async () => {
    const name = "O'Brien; --";
    const condition = sql`WHERE n > ${2}`;
    const source = sql.unsafe("generate_series(1, 4)");
    expect(await sql`SELECT ${name}::text AS name, n FROM ${source} AS n ${condition}`).toEqual([
      { name, n: 3 },
      { name, n: 4 },
    ]);
    expect(await sql.query("SELECT $2::text || $1::text AS joined", ["a", "b"])).toEqual([{ joined: "ba" }]);
  });

  test("gives arrays of values in array mode, duplicate names included", async () => {
    expect(await sql.query("SELECT 1 AS a, 2 AS a", [], { arrayMode: true })).toEqual([[1, 2]]);
    expect(await sql.query("SELECT 1 AS a, 2 AS a")).toEqual([{ a: 2 }]);
  });

  test("gives its fields, also those of no rows", async () => {
    const name = await table("id int, label varchar(20)");
    const result = await sql.query(`SELECT id, label, 1.5::numeric AS sum FROM ${name}`, [], { fullResults: true });
    expect(result).toMatchObject({ command: "SELECT", rowCount: 0, rows: [], rowAsArray: false });
    const tableID = result.fields[0]?.tableID;
    expect(result.fields).toMatchObject([
      { name: "id", dataTypeID: 23, columnID: 1, dataTypeSize: 4, dataTypeModifier: -1, format: "text" },
      { name: "label", dataTypeID: 1043, columnID: 2, tableID, dataTypeSize: -1, dataTypeModifier: 24 },
      { name: "sum", dataTypeID: 1700, tableID: 0, columnID: 0 },
    ]);
  });

  test("may be empty, give rows without columns, and many rows in their order", async () => {
    expect(await sql.query("", [], { fullResults: true })).toMatchObject({ rows: [], fields: [], rowCount: null });
    expect(await sql.query("SELECT FROM generate_series(1, 3)")).toEqual([{}, {}, {}]);
    const rows = await sql`SELECT n FROM generate_series(1, 5000) AS n`;
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
  });

  test("is given up when its signal is aborted, and the next is served", async () => {
    const controller = new AbortController();
    const outcome = errorOf(sql.query("SELECT 1", [], { fetchOptions: { signal: controller.signal } }));
    controller.abort();
    expect(await outcome).toMatchObject({ name: "NeonDbError", sourceError: { name: "AbortError" } });
    expect(await sql`SELECT 2 AS n`).toEqual([{ n: 2 }]);
  });

  test("leaves nothing in the session for the next request", async () => {
    await sql`SELECT set_config('driver_test.leak', 'yes', false)`;
    await sql`CREATE TEMPORARY TABLE driver_test_scratch ()`;
    await sql`PREPARE driver_test_statement AS SELECT 1`;
    await sql`BEGIN`;
    const next = () => sql`
      SELECT current_setting('driver_test.leak', true) AS leak, to_regclass('driver_test_scratch') AS scratch,
        (SELECT count(*)::int FROM pg_prepared_statements WHERE name = 'driver_test_statement') AS prepared`;
    for (const [row] of await Promise.all(Array.from({ length: 10 }, next))) {
      expect(row).toEqual({ leak: expect.toBeOneOf([null, ""]), scratch: null, prepared: 0 });
    }
  });
});

test("a command reports its tag and row count", async () => {
  const name = await table("n int");
  for (const [statement, command, rowCount] of [
    [`INSERT INTO ${name} VALUES (1), (2), (3)`, "INSERT", 3],
    [`INSERT INTO ${name} SELECT 6 WHERE false`, "INSERT", 0],
    [`UPDATE ${name} SET n = n + 1`, "UPDATE", 3],
    [`DELETE FROM ${name} WHERE n = 2 RETURNING n`, "DELETE", 1],
    [`SELECT n FROM ${name}`, "SELECT", 2],
    [`TRUNCATE ${name}`, "TRUNCATE", null],
    [`DROP TABLE ${name}`, "DROP", null],
  ] as const) {
    expect(await sql.query(statement, [], { fullResults: true })).toMatchObject({ command, rowCount });
  }
});

test("values arrive as Postgres wrote them, and are parsed by their types", async () => {
  await sql.query(`CREATE TYPE ${schema}.mood AS ENUM ('good', 'so so')`);
  const long = "123456789012345678901234567890.10";
  const text = `Zoë "😀" \\ '\n\t`;
  const awkward = ["a,b", 'c"d\\', "NULL", null, "", "{x}", " y "];
  const cases: [expression: string, text: string | null, parsed: unknown][] = [
    ["2147483647::int4", "2147483647", 2147483647],
    ["9223372036854775807::int8", "9223372036854775807", "9223372036854775807"],
    [`${long}::numeric`, long, long],
    ["0.1::float8 + 0.2", "0.30000000000000004", 0.1 + 0.2],
    ["'-Infinity'::float8", "-Infinity", Number.NEGATIVE_INFINITY],
    ["true", "t", true],
    [`'${text.replace("'", "''")}'::text`, text, text],
    ["''::text", "", ""],
    ["NULL::int", null, null],
    ["'\\x00ff7f5c'::bytea", "\\x00ff7f5c", Buffer.from("00ff7f5c", "hex")],
    [`'{"b": [1, null], "a": "é"}'::json`, `{"b": [1, null], "a": "é"}`, { b: [1, null], a: "é" }],
    [`'{"bb": [1.50], "a": "\\u0041"}'::jsonb`, `{"a": "A", "bb": [1.50]}`, { bb: [1.5], a: "A" }],
    ["ARRAY[1, NULL, 3]", "{1,NULL,3}", [1, null, 3]],
    [
      `ARRAY['a,b', 'c"d\\', 'NULL', NULL, '', '{x}', ' y ']`,
      `{"a,b","c\\"d\\\\","NULL",NULL,"","{x}"," y "}`,
      awkward,
    ],
    ["'2024-02-29 12:34:56.789'::timestamp", "2024-02-29 12:34:56.789", new Date(2024, 1, 29, 12, 34, 56, 789)],
    ["'infinity'::timestamptz", "infinity", Number.POSITIVE_INFINITY],
    [`'{good,"so so"}'::${schema}.mood[]`, '{good,"so so"}', '{good,"so so"}'],
    ["ROW(1, 'a b', NULL)", `(1,"a b",)`, `(1,"a b",)`],
  ];
  const query = `SELECT ${cases.map(([expression]) => expression).join(", ")}`;
  const types = { getTypeParser: () => (text: string) => text };
  const [texts] = await sql.query(query, [], { arrayMode: true, types });
  expect(texts).toEqual(cases.map(([, text]) => text));
  const [values] = await sql.query(query, [], { arrayMode: true });
  expect(values).toEqual(cases.map(([, , parsed]) => parsed));
});

test("parameters go there and back", async () => {
  const awkward = ['a"b', "c,d", "\\", "NULL", null, "", "line\nbreak"];
  const cases: [type: string, sent: unknown, received: unknown][] = [
    ["int4", -5, -5],
    ["int8", 9007199254740993n, "9007199254740993"],
    ["float8", 1e-7, 1e-7],
    ["bool", false, false],
    ["text", `Zoë "😀" \\ ' \n $1`, `Zoë "😀" \\ ' \n $1`],
    ["text", "", ""],
    ["text", null, null],
    ["text", undefined, null],
    ["bytea", Buffer.from([0, 255, 92]), Buffer.from([0, 255, 92])],
    ["timestamptz", new Date("2024-02-29T10:34:56.789Z"), new Date("2024-02-29T10:34:56.789Z")],
    ["jsonb", { a: [1, "x", null], ü: {} }, { a: [1, "x", null], ü: {} }],
    [
      "int[]",
      [
        [1, 2],
        [3, null],
      ],
      [
        [1, 2],
        [3, null],
      ],
    ],
    ["text[]", awkward, awkward],
    ["uuid[]", [], []],
  ];
  const query = `SELECT ${cases.map(([type], i) => `$${i + 1}::${type}`).join(", ")}`;
  const [received] = await sql.query(
    query,
    cases.map(([, sent]) => sent),
    { arrayMode: true },
  );
  expect(received).toEqual(cases.map(([, , expected]) => expected));
});

describe("an error", () => {
  test.for<[what: string, query: string, params: unknown[], fields: object]>([
    ["a parameter that is no number", "SELECT $1::int", ["abc"], { code: "22P02" }],
    ["a zero character", "SELECT $1::text", ["a\0b"], { code: "22021" }],
    ["a parameter too few", "SELECT $1::int, $2::int", [1], { code: "08P01" }],
    ["a parameter too many", "SELECT $1::int", [1, 2], { code: "08P01" }],
    [
      "two statements in one",
      "SELECT 1; SELECT 2",
      [],
      { code: "42601", message: "cannot insert multiple commands into a prepared statement" },
    ],
    [
      "a mistake in syntax",
      "SELECT 1 FORM x y",
      [],
      {
        message: expect.stringContaining('syntax error at or near "x"'),
        ...{ code: "42601", severity: "ERROR", position: "15", file: "scan.l", routine: "scanner_yyerror" },
        ...{ line: expect.stringMatching(/^\d+$/), detail: undefined, constraint: undefined },
      },
    ],
    [
      "a function that is not there",
      "SELECT no_such_function(1)",
      [],
      { code: "42883", hint: expect.stringContaining("explicit type casts") },
    ],
    [
      "a mistake inside a function",
      "DO $$ BEGIN EXECUTE 'SELECT wrong_column'; END $$",
      [],
      {
        ...{ code: "42703", position: undefined, internalPosition: "8", internalQuery: "SELECT wrong_column" },
        where: expect.stringContaining("PL/pgSQL function inline_code_block"),
      },
    ],
    [
      "what a function raises",
      `DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'P9999', DETAIL = 'because', HINT = 'do not', TABLE = 'tt',
        COLUMN = 'cc', SCHEMA = 'ss', CONSTRAINT = 'nn', DATATYPE = 'dd'; END $$`,
      [],
      {
        ...{ message: "refused", code: "P9999", detail: "because", hint: "do not", table: "tt", column: "cc" },
        ...{ schema: "ss", constraint: "nn", dataType: "dd" },
      },
    ],
  ])("of %s is Postgres's, and does not spoil the next query", async ([_, query, params, fields]) => {
    expect(await errorOf(sql.query(query, params))).toMatchObject({ name: "NeonDbError", ...fields });
    expect(await sql`SELECT 1 AS n`).toEqual([{ n: 1 }]);
  });
});

describe("a transaction", () => {
  const modes = () => sql`
    SELECT current_setting('transaction_isolation') AS isolation, current_setting('transaction_read_only') AS read_only,
      current_setting('transaction_deferrable') AS deferrable`;

  test("runs its queries in one transaction, in order, seeing each other's work", async () => {
    const name = await table("n int");
    const [, , rows, first, second] = await sql.transaction((tx) => [
      tx.query(`INSERT INTO ${name} VALUES (1)`),
      tx.query(`UPDATE ${name} SET n = n + $1`, [1]),
      tx.query(`SELECT n FROM ${name}`),
      tx`SELECT txid_current() AS id`,
      tx`SELECT txid_current() AS id`,
    ]);
    expect(rows).toEqual([{ n: 2 }]);
    expect(first).toEqual(second);
    expect(await sql`SELECT txid_current() AS id`).not.toEqual(first);
    expect(await value(`SELECT n FROM ${name}`)).toBe(2);
    expect(await sql.transaction([])).toEqual([]);
  });

  test.for<[isolation: string, readOnly: boolean, deferrable: boolean, options: Parameters<typeof sql.transaction>[1]]>(
    [
      ["read committed", false, false, {}],
      ["read uncommitted", false, false, { isolationLevel: "ReadUncommitted" }],
      ["read committed", false, false, { isolationLevel: "ReadCommitted", readOnly: false }],
      ["repeatable read", false, false, { isolationLevel: "RepeatableRead" }],
      ["serializable", true, true, { isolationLevel: "Serializable", readOnly: true, deferrable: true }],
    ],
  )("is %s, read-only: %s, deferrable: %s with %o", async ([isolation, readOnly, deferrable, options]) => {
    const onOff = (is: boolean) => (is ? "on" : "off");
    const [rows] = await sql.transaction([modes()], options);
    expect(rows).toEqual([{ isolation, read_only: onOff(readOnly), deferrable: onOff(deferrable) }]);
  });

  test("leaves nothing behind when a query of it fails, or its commit", async () => {
    const name = await table("n int UNIQUE DEFERRABLE INITIALLY DEFERRED");
    const insert = () => sql.query(`INSERT INTO ${name} VALUES (1)`);
    expect(await errorOf(sql.transaction([insert(), sql`SELECT 1 / 0`]))).toMatchObject({ code: "22012" });
    const constraint = expect.stringMatching(/_n_key$/);
    const detail = "Key (n)=(1) already exists.";
    expect(await errorOf(sql.transaction([insert(), insert()]))).toMatchObject({ code: "23505", constraint, detail });
    expect(await value(`SELECT count(*)::int FROM ${name}`)).toBe(0);
    await sql.transaction([insert()]);
    expect(await value(`SELECT count(*)::int FROM ${name}`)).toBe(1);
  });

  test("gives array mode and full results for all of its queries", async () => {
    const options = { arrayMode: true, fullResults: true } as const;
    expect(await sql.transaction([sql`SELECT 1 AS a`, sql`SELECT 2 AS b`], options)).toMatchObject([
      { rows: [[1]], command: "SELECT", rowCount: 1, fields: [{ name: "a" }] },
      { rows: [[2]], command: "SELECT", rowCount: 1, fields: [{ name: "b" }] },
    ]);
  });
});
