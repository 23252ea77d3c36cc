// The behaviour of @neondatabase/serverless that our code expects, of Neon's own databases as well as of the local
// endpoint.
import { randomBytes } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { errorOf, openDatabase } from "./database.ts";

const { sql, schema, close } = await openDatabase();

afterAll(close);

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

const asText = { getTypeParser: () => (text: string) => text };

describe("a query", () => {
  it("takes its parameters from a tagged template", async () => {
    const name = "O'Brien; --";
    expect(await sql`SELECT ${name}::text AS name, ${41}::int + 1 AS n`).toEqual([{ name, n: 42 }]);
  });

  it("is composed of other templates and trusted text", async () => {
    const condition = sql`WHERE n > ${2}`;
    const source = sql.unsafe("generate_series(1, 4)");
    expect(await sql`SELECT n FROM ${source} AS n ${condition}`).toEqual([{ n: 3 }, { n: 4 }]);
  });

  it("takes numbered placeholders", async () => {
    expect(await sql.query("SELECT $2::text || $1::text AS joined", ["a", "b"])).toEqual([{ joined: "ba" }]);
  });

  it("gives arrays of values in array mode, duplicate names included", async () => {
    expect(await sql.query("SELECT 1 AS a, 2 AS a", [], { arrayMode: true })).toEqual([[1, 2]]);
    expect(await sql.query("SELECT 1 AS a, 2 AS a")).toEqual([{ a: 2 }]);
  });

  it("gives fields, command and row count as full results", async () => {
    const name = await table("id int, label varchar(20)");
    const result = await sql.query(`SELECT id, label, 1.5::numeric(5,2) AS sum FROM ${name}`, [], {
      fullResults: true,
    });
    expect(result).toMatchObject({ command: "SELECT", rowCount: 0, rows: [], rowAsArray: false });
    expect(result.fields).toMatchObject([
      { name: "id", dataTypeID: 23, columnID: 1, dataTypeSize: 4, dataTypeModifier: -1, format: "text" },
      { name: "label", dataTypeID: 1043, columnID: 2, dataTypeSize: -1, dataTypeModifier: 24 },
      { name: "sum", dataTypeID: 1700, tableID: 0, columnID: 0 },
    ]);
    expect(result.fields[0]?.tableID).toBeGreaterThan(0);
    expect(result.fields[1]?.tableID).toBe(result.fields[0]?.tableID);
  });

  it("uses the type parsers it is given", async () => {
    expect(await sql.query("SELECT 1.50::numeric AS n, true AS b", [], { types: asText })).toEqual([
      { n: "1.50", b: "t" },
    ]);
  });

  it("may be empty, and may give rows without columns", async () => {
    expect(await sql.query("", [], { fullResults: true })).toMatchObject({ rows: [], fields: [], rowCount: null });
    expect(await sql.query("SELECT FROM generate_series(1, 3)")).toEqual([{}, {}, {}]);
  });

  it("gives many rows in their order", async () => {
    const rows = await sql`SELECT n FROM generate_series(1, 5000) AS n`;
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
  });

  it("is given up when its signal is aborted", async () => {
    const controller = new AbortController();
    const options = { fetchOptions: { signal: controller.signal } };
    await expect(sql.query("SELECT 1 AS n", [], options)).resolves.toEqual([{ n: 1 }]);
    const query = sql.query("SELECT 1 AS n", [], options);
    const outcome = errorOf(query);
    controller.abort();
    expect(await outcome).toMatchObject({ name: "NeonDbError", sourceError: { name: "AbortError" } });
    await expect(sql`SELECT 2 AS n`).resolves.toEqual([{ n: 2 }]);
  });
});

describe("a command", () => {
  it.each([
    ["INSERT INTO t VALUES (4), (5)", "INSERT", 2],
    ["INSERT INTO t SELECT 6 WHERE false", "INSERT", 0],
    ["UPDATE t SET n = n + 1", "UPDATE", 3],
    ["DELETE FROM t WHERE n = 2", "DELETE", 1],
    ["SELECT n FROM t", "SELECT", 3],
    ["INSERT INTO t VALUES (7) RETURNING n", "INSERT", 1],
    ["WITH gone AS (DELETE FROM t RETURNING n) SELECT n FROM gone", "SELECT", 3],
    ["TRUNCATE t", "TRUNCATE", null],
    ["CREATE INDEX ON t (n)", "CREATE", null],
    ["ALTER TABLE t ADD COLUMN m int", "ALTER", null],
    ["DROP TABLE t", "DROP", null],
  ])("%s reports its tag and row count", async (statement, command, rowCount) => {
    const name = await table("n int");
    await sql.query(`INSERT INTO ${name} VALUES (1), (2), (3)`);
    const result = await sql.query(statement.replace(/\bt\b/, name), [], { fullResults: true });
    expect(result).toMatchObject({ command, rowCount });
  });

  it("changes what the next query sees", async () => {
    const name = await table("n int");
    expect(await sql.query(`INSERT INTO ${name} VALUES ($1), ($2) RETURNING n * 10 AS tenfold`, [1, 2])).toEqual([
      { tenfold: 10 },
      { tenfold: 20 },
    ]);
    await sql.query(`UPDATE ${name} SET n = $1 WHERE n = $2`, [5, 1]);
    expect(await sql.query(`SELECT n FROM ${name} ORDER BY n`)).toEqual([{ n: 2 }, { n: 5 }]);
  });

  it("leaves nothing in the session for the next request", async () => {
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

describe("a value of type", () => {
  const long = 123456789012345678901234567890n;
  const cases: [expression: string, text: string | null, parsed: unknown][] = [
    ["(-32768)::int2", "-32768", -32768],
    ["2147483647::int4", "2147483647", 2147483647],
    ["9223372036854775807::int8", "9223372036854775807", "9223372036854775807"],
    [`${long}.10::numeric`, `${long}.10`, `${long}.10`],
    ["'NaN'::numeric", "NaN", "NaN"],
    ["1.5::float4", "1.5", 1.5],
    ["0.1::float8 + 0.2", "0.30000000000000004", 0.1 + 0.2],
    ["'-Infinity'::float8", "-Infinity", Number.NEGATIVE_INFINITY],
    ["true", "t", true],
    ["false", "f", false],
    ["4294967295::oid", "4294967295", 4294967295],
    [`'Zoë "😀" \\ ''\n\t'::text`, `Zoë "😀" \\ '\n\t`, `Zoë "😀" \\ '\n\t`],
    ["''::text", "", ""],
    ["'ab'::char(4)", "ab  ", "ab  "],
    ["'\\x00ff7f5c'::bytea", "\\x00ff7f5c", Buffer.from("00ff7f5c", "hex")],
    ["''::bytea", "\\x", Buffer.alloc(0)],
    [
      "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid",
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ],
    [`'{"b": [1, null], "a": "é"}'::json`, `{"b": [1, null], "a": "é"}`, { b: [1, null], a: "é" }],
    [
      `'{"bb": [1.50, null], "a": {"ü": "\\u0041"}}'::jsonb`,
      `{"a": {"ü": "A"}, "bb": [1.50, null]}`,
      { bb: [1.5, null], a: { ü: "A" } },
    ],
    ["'null'::jsonb", "null", null],
    ["ARRAY[1, NULL, 3]", "{1,NULL,3}", [1, null, 3]],
    [
      "ARRAY[[1, 2], [3, 4]]",
      "{{1,2},{3,4}}",
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ["'{}'::int[]", "{}", []],
    [
      `ARRAY['a,b', 'c"d\\', 'NULL', NULL, '', '{x}', ' y ']`,
      `{"a,b","c\\"d\\\\","NULL",NULL,"","{x}"," y "}`,
      ["a,b", 'c"d\\', "NULL", null, "", "{x}", " y "],
    ],
    ["ARRAY[true, false]", "{t,f}", [true, false]],
    [`ARRAY['{"a": 1}'::jsonb]`, `{"{\\"a\\": 1}"}`, [{ a: 1 }]],
    ["'2024-02-29'::date", "2024-02-29", new Date(2024, 1, 29)],
    ["'12:34:56.789'::time", "12:34:56.789", "12:34:56.789"],
    ["'2024-02-29 12:34:56.789123'::timestamp", "2024-02-29 12:34:56.789123", new Date(2024, 1, 29, 12, 34, 56, 789)],
    ["'infinity'::timestamptz", "infinity", Number.POSITIVE_INFINITY],
    [
      "'1 year 2 mons 3 days 04:05:06.7'::interval",
      "1 year 2 mons 3 days 04:05:06.7",
      expect.objectContaining({ years: 1, months: 2, days: 3, hours: 4, minutes: 5, seconds: 6, milliseconds: 700 }),
    ],
    ["'[1,5)'::int4range", "[1,5)", "[1,5)"],
    ["'{[1,3),[7,9)}'::int4multirange", "{[1,3),[7,9)}", "{[1,3),[7,9)}"],
    ["'192.168.0.1/24'::inet", "192.168.0.1/24", "192.168.0.1/24"],
    ["B'1010'", "1010", "1010"],
    ["ROW(1, 'a b', NULL)", `(1,"a b",)`, `(1,"a b",)`],
    ["NULL::int", null, null],
  ];

  it.each(cases)("%s arrives as Postgres wrote it, and parsed", async (expression, text, parsed) => {
    const [row] = await sql.query(`SELECT ${expression} AS v`, [], { types: asText });
    expect(row).toEqual({ v: text });
    expect(await value(`SELECT ${expression}`)).toEqual(parsed);
  });

  it("timestamptz is the same instant in every session time zone", async () => {
    const instant = new Date("2024-02-29T10:34:56.789Z");
    expect(await value("SELECT '2024-02-29 12:34:56.789+02'::timestamptz")).toEqual(instant);
    const [, inTokyo] = await sql.transaction([
      sql`SELECT set_config('TimeZone', 'Asia/Tokyo', true)`,
      sql`SELECT '2024-02-29 12:34:56.789+02'::timestamptz AS v`,
    ]);
    expect(inTokyo).toEqual([{ v: instant }]);
  });

  it("enum, and array of enum, are text", async () => {
    await sql.query(`CREATE TYPE ${schema}.mood AS ENUM ('good', 'so so')`);
    const [row] = await sql.query(`SELECT 'so so'::${schema}.mood AS one, '{good,"so so"}'::${schema}.mood[] AS many`);
    expect(row).toEqual({ one: "so so", many: '{good,"so so"}' });
  });
});

describe("a parameter", () => {
  it.each([
    ["int4", -5, -5],
    ["int8", 9007199254740993n, "9007199254740993"],
    ["numeric", "1.10", "1.10"],
    ["float8", 1e-7, 1e-7],
    ["bool", false, false],
    ["text", `Zoë "😀" \\ ' \n $1`, `Zoë "😀" \\ ' \n $1`],
    ["text", "", ""],
    ["text", null, null],
    ["text", undefined, null],
    ["bytea", Buffer.from([0, 255, 92]), Buffer.from([0, 255, 92])],
    ["timestamptz", new Date("2024-02-29T10:34:56.789Z"), new Date("2024-02-29T10:34:56.789Z")],
    ["jsonb", { a: [1, "x", null], ü: {} }, { a: [1, "x", null], ü: {} }],
    ["jsonb", JSON.stringify([1, { a: 2 }]), [1, { a: 2 }]],
    ["int[]", [1, null, 3], [1, null, 3]],
    [
      "int[]",
      [
        [1, 2],
        [3, 4],
      ],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      "text[]",
      ['a"b', "c,d", "\\", "NULL", null, "", "line\nbreak"],
      ['a"b', "c,d", "\\", "NULL", null, "", "line\nbreak"],
    ],
    ["uuid[]", [], []],
  ])("of type %s goes there and back (%#)", async (type, sent, received) => {
    expect(await value(`SELECT $1::${type}`, [sent])).toEqual(received);
  });

  it.each([
    ["text that is no number", "SELECT $1::int", ["abc"], "22P02"],
    ["a number out of range", "SELECT $1::int2", [70000], "22003"],
    ["malformed JSON", "SELECT $1::jsonb", ["{"], "22P02"],
    ["a malformed uuid", "SELECT $1::uuid", ["123"], "22P02"],
    ["a zero character", "SELECT $1::text", ["a\0b"], "22021"],
    ["one too few", "SELECT $1::int, $2::int", [1], "08P01"],
    ["one too many", "SELECT $1::int", [1, 2], "08P01"],
    ["an unknowable type", "SELECT $1 IS NULL", [1], "42P18"],
    ["a type that does not fit the operator", "SELECT 1 + $1::text", ["1"], "42883"],
  ])("is refused: %s", async (_what, query, params, code) => {
    expect(await errorOf(sql.query(query, params))).toMatchObject({ name: "NeonDbError", code });
  });
});

describe("an error", () => {
  it("of syntax has its position and Postgres's own words", async () => {
    expect(await errorOf(sql`SELECT 1 FORM x y`)).toMatchObject({
      message: expect.stringContaining('syntax error at or near "x"'),
      code: "42601",
      severity: "ERROR",
      position: "15",
      file: "scan.l",
      line: expect.stringMatching(/^\d+$/),
      routine: "scanner_yyerror",
      detail: undefined,
      constraint: undefined,
    });
  });

  it("of a constraint names schema, table and constraint, with the key as its detail", async () => {
    const name = await table("id int CONSTRAINT one_of_a_kind UNIQUE, label text NOT NULL");
    const insert = `INSERT INTO ${name} VALUES ($1, $2)`;
    await sql.query(insert, [1, "a"]);
    expect(await errorOf(sql.query(insert, [1, "b"]))).toMatchObject({
      code: "23505",
      constraint: "one_of_a_kind",
      schema,
      table: name.split(".")[1],
      detail: "Key (id)=(1) already exists.",
      column: undefined,
    });
    expect(await errorOf(sql.query(insert, [2, null]))).toMatchObject({ code: "23502", column: "label", schema });
  });

  it("of a domain names the data type", async () => {
    await sql.query(`CREATE DOMAIN ${schema}.positive AS int CHECK (VALUE > 0)`);
    expect(await errorOf(sql.query(`SELECT (-1)::${schema}.positive`))).toMatchObject({
      code: "23514",
      dataType: "positive",
      schema,
      constraint: "positive_check",
    });
  });

  it("has a hint where Postgres has one", async () => {
    const error = await errorOf(sql`SELECT no_such_function(1)`);
    expect(error).toMatchObject({ code: "42883", hint: expect.stringContaining("explicit type casts") });
  });

  it("inside a function has its context and the inner query", async () => {
    const error = await errorOf(sql`DO $$ BEGIN EXECUTE 'SELECT wrong_column'; END $$`);
    expect(error).toMatchObject({
      code: "42703",
      position: undefined,
      internalPosition: "8",
      internalQuery: "SELECT wrong_column",
      where: expect.stringContaining("PL/pgSQL function inline_code_block"),
    });
  });

  it("raised by a function has the code, detail and hint it was given", async () => {
    const raise =
      "RAISE EXCEPTION 'refused' USING ERRCODE = 'P9999', DETAIL = 'because', HINT = 'do not', TABLE = 'tt', COLUMN = 'cc'";
    expect(await errorOf(sql.query(`DO $$ BEGIN ${raise}; END $$`))).toMatchObject({
      message: "refused",
      code: "P9999",
      detail: "because",
      hint: "do not",
      table: "tt",
      column: "cc",
    });
  });

  it("answers two statements in one query", async () => {
    const name = await table("n int");
    const error = await errorOf(sql.query(`INSERT INTO ${name} VALUES (1); INSERT INTO ${name} VALUES (2)`));
    expect(error).toMatchObject({
      code: "42601",
      message: "cannot insert multiple commands into a prepared statement",
    });
    expect(await value(`SELECT count(*)::int FROM ${name}`)).toBe(0);
  });

  it("does not spoil the next query", async () => {
    await errorOf(sql`SELECT 1 / 0`);
    expect(await sql`SELECT 1 AS n`).toEqual([{ n: 1 }]);
  });
});

describe("a transaction", () => {
  const modes = () => sql`
    SELECT current_setting('transaction_isolation') AS isolation, current_setting('transaction_read_only') AS read_only,
      current_setting('transaction_deferrable') AS deferrable`;

  it("runs its queries in one transaction, in order, seeing each other's work", async () => {
    const name = await table("n int");
    const [, , rows, first, second] = await sql.transaction([
      sql.query(`INSERT INTO ${name} VALUES (1)`),
      sql.query(`UPDATE ${name} SET n = n + 1`),
      sql.query(`SELECT n FROM ${name}`),
      sql`SELECT txid_current() AS id`,
      sql`SELECT txid_current() AS id`,
    ]);
    expect(rows).toEqual([{ n: 2 }]);
    expect(first).toEqual(second);
    expect(await sql`SELECT txid_current() AS id`).not.toEqual(first);
    expect(await value(`SELECT n FROM ${name}`)).toBe(2);
  });

  it("takes a function that makes its queries, and may be empty", async () => {
    expect(await sql.transaction((tx) => [tx`SELECT 1 AS n`, tx`SELECT ${"x"}::text AS t`])).toEqual([
      [{ n: 1 }],
      [{ t: "x" }],
    ]);
    expect(await sql.transaction([])).toEqual([]);
  });

  it.each(["ReadUncommitted", "ReadCommitted", "RepeatableRead", "Serializable"] as const)(
    "has the isolation level %s",
    async (isolationLevel) => {
      const [rows] = await sql.transaction([modes()], { isolationLevel });
      const isolation = isolationLevel.replace(/\B[A-Z]/, (letter) => ` ${letter}`).toLowerCase();
      expect(rows).toEqual([{ isolation, read_only: "off", deferrable: "off" }]);
    },
  );

  it("is read-committed, writable and not deferrable if nothing is said", async () => {
    const [rows] = await sql.transaction([modes()]);
    expect(rows).toEqual([{ isolation: "read committed", read_only: "off", deferrable: "off" }]);
  });

  it("is read-only when it is told to be", async () => {
    const name = await table("n int");
    const insert = () => sql.query(`INSERT INTO ${name} VALUES (1)`);
    expect(await errorOf(sql.transaction([insert()], { readOnly: true }))).toMatchObject({ code: "25006" });
    await sql.transaction([insert()], { readOnly: false });
    expect(await value(`SELECT count(*)::int FROM ${name}`)).toBe(1);
  });

  it("is serializable, read-only and deferrable at once", async () => {
    const mode = { isolationLevel: "Serializable", readOnly: true, deferrable: true } as const;
    const [rows] = await sql.transaction([modes()], mode);
    expect(rows).toEqual([{ isolation: "serializable", read_only: "on", deferrable: "on" }]);
  });

  it("leaves nothing behind when a query of it fails", async () => {
    const name = await table("n int");
    const insert = () => sql.query(`INSERT INTO ${name} VALUES (1)`);
    expect(await errorOf(sql.transaction([insert(), sql`SELECT 1 / 0`, insert()]))).toMatchObject({ code: "22012" });
    expect(await value(`SELECT count(*)::int FROM ${name}`)).toBe(0);
    await sql.transaction([insert(), insert()]);
    expect(await value(`SELECT count(*)::int FROM ${name}`)).toBe(2);
  });

  it("fails as a whole when a deferred constraint stops its commit", async () => {
    const name = await table("n int UNIQUE DEFERRABLE INITIALLY DEFERRED");
    const insert = () => sql.query(`INSERT INTO ${name} VALUES (1)`);
    expect(await errorOf(sql.transaction([insert(), insert()]))).toMatchObject({ code: "23505" });
    expect(await value(`SELECT count(*)::int FROM ${name}`)).toBe(0);
  });

  it("gives array mode and full results for all of its queries", async () => {
    const results = await sql.transaction([sql`SELECT 1 AS a`, sql`SELECT 2 AS b`], {
      arrayMode: true,
      fullResults: true,
    });
    expect(results).toMatchObject([
      { rows: [[1]], command: "SELECT", rowCount: 1, fields: [{ name: "a" }] },
      { rows: [[2]], command: "SELECT", rowCount: 1, fields: [{ name: "b" }] },
    ]);
  });
});
