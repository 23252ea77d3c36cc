// What our code expects of @neondatabase/serverless, over the local endpoint or over a real database of Neon's
// (NEON_DATABASE_URL): the same sentences must hold for both.
import "../../../src/local/loopback.ts";
import { randomBytes } from "node:crypto";
import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type NeonEndpoint, startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { connectionString } from "../../support/database.ts";

const { NEON_DATABASE_URL } = process.env;
let endpoint: NeonEndpoint | undefined;
let sql: ReturnType<typeof neon<false, false>>;
/** A schema of this file's own: over HTTP there is no session to keep temporary tables in. */
const schema = `driver_test_${randomBytes(4).toString("hex")}`;

beforeAll(async () => {
  if (!NEON_DATABASE_URL) endpoint = await startNeonEndpoint({ connectionString });
  sql = neon(endpoint?.connectionString ?? String(NEON_DATABASE_URL));
  await sql.query(`CREATE SCHEMA ${schema}`);
});
afterAll(async () => {
  await sql.query(`DROP SCHEMA ${schema} CASCADE`);
  await endpoint?.close();
});

/** A new table's qualified name. */
async function table(columns: string): Promise<string> {
  const name = `${schema}.t_${randomBytes(4).toString("hex")}`;
  await sql.query(`CREATE TABLE ${name} (${columns})`);
  return name;
}

describe("a query", () => {
  test("takes parameters by number, and gives its rows in order, also without columns, or none", async () => {
    expect(await sql.query("SELECT $2::text || $1::text AS ba, 2 AS a", ["a", "b"])).toEqual([{ ba: "ba", a: 2 }]);
    const rows = await sql`SELECT n FROM generate_series(1, ${5_000}) AS n`;
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 5_000 }, (_, i) => i + 1));
    expect(await sql.query("SELECT FROM generate_series(1, 3)")).toEqual([{}, {}, {}]);
    expect(await sql.query("SELECT 1 AS n WHERE false")).toEqual([]);
    expect(await sql.query("")).toEqual([]);
  });

  test("is given up when its signal is aborted, and the next is served", async () => {
    const client = new AbortController();
    const query = sql.query("SELECT 1", [], { fetchOptions: { signal: client.signal } });
    const outcome = expect(query).rejects.toMatchObject({ name: "NeonDbError", sourceError: { name: "AbortError" } });
    client.abort();
    await outcome;
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

const TEXT = `Zoë "😀" \\ '\n\t $1`;
const TEXTS = ["a,b", 'c"d\\', "NULL", null, "", "{x}", " y ", "line\nbreak"];
const MOMENT = new Date("2024-02-29T10:34:56.789Z");

test.for<[type: string, sent: unknown, text: string | null | undefined, received?: unknown]>([
  ["int4", -5, "-5"],
  ["int8", 9007199254740993n, "9007199254740993", "9007199254740993"],
  ["numeric", "123456789012345678901234567890.10", "123456789012345678901234567890.10"],
  ["float8", 1e-7, "1e-07"],
  ["bool", false, "f"],
  ["text", TEXT, TEXT],
  ["text", "", ""],
  ["text", null, null],
  ["text", undefined, null, null],
  ["bytea", Buffer.from([0, 255, 92]), "\\x00ff5c"],
  ["timestamptz", MOMENT, undefined],
  ["jsonb", { bb: [1.5, "x", null], ü: {} }, '{"bb": [1.5, "x", null], "ü": {}}'],
  ["jsonb", "[1.50]", "[1.50]", [1.5]],
  ["int[]", [1, null, 3], "{1,NULL,3}"],
  ["text[]", TEXTS, `{"a,b","c\\"d\\\\","NULL",NULL,"","{x}"," y ","line\nbreak"}`],
  ["uuid[]", [], "{}"],
  ["int4range", "[1,5)", "[1,5)"],
])("a value of type %s goes there and back: %o", async ([type, sent, text, received = sent]) => {
  const [query, params] = [`SELECT $1::${type} AS v`, [sent]];
  expect(await sql.query(query, params)).toEqual([{ v: received }]);
  // That of a moment depends on the server's time zone.
  const types = { getTypeParser: () => (value: string) => value };
  if (text !== undefined) expect(await sql.query(query, params, { types })).toEqual([{ v: text }]);
});

test.for<[what: string, query: string, params: unknown[], fields: object]>([
  ["a parameter that is no number", "SELECT $1::int", ["abc"], { code: "22P02" }],
  ["a zero character", "SELECT $1::text", ["a\0b"], { code: "22021" }],
  ["a parameter too few", "SELECT $1::int, $2::int", [1], { code: "08P01" }],
  ["two statements in one", "SELECT 1; SELECT 2", [], { code: "42601", message: /multiple commands/ }],
  [
    "a mistake in syntax",
    "SELECT 1 FORM x y",
    [],
    {
      ...{ message: /^syntax error at or near "x"/, code: "42601", severity: "ERROR", position: "15", file: "scan.l" },
      ...{ routine: "scanner_yyerror", line: /^\d+$/, detail: undefined, constraint: undefined },
    },
  ],
  ["a function that is not there", "SELECT no_such_function(1)", [], { code: "42883", hint: /explicit type casts/ }],
  [
    "a mistake inside a function",
    "DO $$ BEGIN EXECUTE 'SELECT wrong_column'; END $$",
    [],
    {
      ...{ code: "42703", position: undefined, internalPosition: "8", internalQuery: "SELECT wrong_column" },
      where: /PL\/pgSQL function inline_code_block/,
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
])("an error of %s is Postgres's, and does not spoil the next query", async ([_, query, params, fields]) => {
  const expected = Object.entries(fields).map(([name, value]) => [
    name,
    value instanceof RegExp ? expect.stringMatching(value) : value,
  ]);
  await expect(sql.query(query, params)).rejects.toMatchObject({
    name: "NeonDbError",
    ...Object.fromEntries(expected),
  });
  expect(await sql`SELECT 1 AS n`).toEqual([{ n: 1 }]);
});

describe("a transaction", () => {
  test("runs its queries in order, seeing each other's work, at the isolation level that it is given", async () => {
    const name = await table("n int");
    for (const isolationLevel of [
      undefined,
      "ReadUncommitted",
      "ReadCommitted",
      "RepeatableRead",
      "Serializable",
    ] as const) {
      const [, , rows, first, second] = await sql.transaction(
        [
          sql.query(`TRUNCATE ${name}`),
          sql.query(`INSERT INTO ${name} VALUES ($1)`, [1]),
          sql.query(`SELECT n, current_setting('transaction_isolation') AS level FROM ${name}`),
          sql`SELECT txid_current() AS id`,
          sql`SELECT txid_current() AS id`,
        ],
        isolationLevel && { isolationLevel },
      );
      const level = (isolationLevel ?? "ReadCommitted").replace(/\B[A-Z]/, (letter) => ` ${letter}`).toLowerCase();
      expect(rows).toEqual([{ n: 1, level }]);
      expect(first).toEqual(second);
      expect(await sql`SELECT txid_current() AS id`).not.toEqual(first);
    }
    expect(await sql.query(`SELECT n FROM ${name}`)).toEqual([{ n: 1 }]);
    expect(await sql.transaction([])).toEqual([]);
  });

  test("leaves nothing behind when a query of it fails, or its commit", async () => {
    const name = await table("n int UNIQUE DEFERRABLE INITIALLY DEFERRED");
    const insert = () => sql.query(`INSERT INTO ${name} VALUES (1)`);
    await expect(sql.transaction([insert(), sql`SELECT 1 / 0`])).rejects.toMatchObject({ code: "22012" });
    const fields = { code: "23505", detail: "Key (n)=(1) already exists.", constraint: `${name.split(".")[1]}_n_key` };
    await expect(sql.transaction([insert(), insert()])).rejects.toMatchObject({ ...fields, schema });
    expect(await sql.query(`SELECT n FROM ${name}`)).toEqual([]);
    await sql.transaction([insert()]);
    expect(await sql.query(`SELECT n FROM ${name}`)).toEqual([{ n: 1 }]);
  });
});
