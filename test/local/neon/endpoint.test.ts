// The endpoint as an HTTP server, and what becomes of its connections to Postgres.
import "../../../src/local/loopback.ts";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { type NeonEndpoint, type NeonEndpointOptions, startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { connectionString as upstream } from "../../support/database.ts";
import { listen, post, queryPostgres, startEndpoint, statement, tap } from "./requests.ts";

const ONE = statement("SELECT 1");
const randomName = (prefix: string) => `${prefix}_${randomBytes(4).toString("hex")}`;

let shared: NeonEndpoint;
beforeAll(async () => {
  shared = await startNeonEndpoint({ connectionString: upstream });
});
afterAll(() => shared.close());

test("a result is JSON with the text of every value, and errors have every field", async () => {
  const field = { name: "n", tableID: 0, columnID: 0, dataTypeID: 23, dataTypeSize: 4, dataTypeModifier: -1 };
  const result = { fields: [{ ...field, format: "text" }], command: "SELECT", rowCount: 1, rowAsArray: true };
  const one = { ...result, rows: [["1"]] };
  expect(await post(shared, statement("SELECT $1::int AS n", "1"))).toEqual({ status: 200, json: one });
  const batch = { queries: [statement("SELECT 1 AS n"), statement("SELECT $1::int AS n", null)] };
  expect((await post(shared, batch)).json).toEqual({ results: [one, { ...result, rows: [[null]] }] });
  const created = await post(shared, statement("CREATE TEMPORARY TABLE t ()"));
  expect(created.json).toMatchObject({ rows: [], rowCount: null });
  const { status, json } = await post(shared, statement("SELECT nothing"));
  const error = { code: "42703", position: "8", severity: "ERROR", detail: null, constraint: null };
  expect({ status, ...json }).toMatchObject({ status: 400, ...error });
  expect(Object.keys(json)).toEqual([
    ...["message", "code", "detail", "hint", "position", "internalPosition", "internalQuery", "severity", "where"],
    ...["table", "column", "schema", "dataType", "constraint", "file", "line", "routine"],
  ]);
});

const UNPARSABLE = "could not parse the HTTP request body: ";
const NO_VARIANT = `${UNPARSABLE}data did not match any variant of untagged enum Payload`;

test.for<[what: string, body: unknown, init: Parameters<typeof post>[2] & { path?: string }, message: string]>([
  ["no connection string", ONE, { headers: { "neon-connection-string": "" } }, "invalid connection string"],
  ["no database", ONE, { headers: { "neon-connection-string": "postgres://u:p@h" } }, "invalid connection string"],
  ["another format of rows", ONE, { headers: { "neon-array-mode": "false" } }, "query is not supported"],
  ["a read-only batch", ONE, { headers: { "neon-batch-read-only": "true" } }, "query is not supported"],
  ["parsed values", ONE, { headers: { "neon-raw-text-output": "" } }, "query is not supported"],
  ["another path", ONE, { path: "/" }, "query is not supported"],
  ["no JSON", "{", {}, UNPARSABLE],
  ["null", null, {}, NO_VARIANT],
  ["a parameter that is no text", { query: "SELECT $1", params: [1] }, {}, NO_VARIANT],
  ["a batch with a bad member", { queries: [ONE, {}] }, {}, NO_VARIANT],
  ["an unknown isolation level", ONE, { headers: { "neon-batch-isolation-level": "x" } }, "invalid isolation level"],
])("a request is refused for %s", async ([_, body, { path = "/sql", ...init }, message]) => {
  const { status, json } = await post({ ...shared, url: new URL(path, shared.url).href }, body, init);
  expect({ status, ...json }).toMatchObject({ status: 400, code: "", severity: "" });
  expect(json.message).toContain(message);
});

test("it listens on 127.0.0.1 only, under a name that otherwise is that of Postgres, and lets clients close first", async () => {
  const { host, port } = new URL(shared.url);
  expect(shared.connectionString).toBe(upstream.replace(new URL(upstream).host, host));
  const { connectionString } = await startEndpoint({ connectionString: `${upstream}?application_name=test` });
  expect(new URL(connectionString).search).toBe("");
  await expect(once(connect(Number(port), "127.0.0.2"), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  const request = httpRequest(shared.url, { headers: { connection: "keep-alive" } }).end();
  const [{ headers }] = await once(request, "response");
  expect([headers.connection, headers["keep-alive"]]).toEqual(["keep-alive", undefined]);
  request.destroy();
});

test("Postgres is found as node-postgres finds it, where its URL lacks a part", async () => {
  const { username, password, host, pathname } = new URL(upstream);
  const [role, database] = [decodeURIComponent(username), pathname.slice(1)];
  const variables = { PGUSER: role, PGPASSWORD: decodeURIComponent(password), PGDATABASE: database };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { connectionString } = await startEndpoint({ connectionString: `postgres://${host}` });
  const rows = await neon(connectionString).query("SELECT current_user AS role, current_database() AS database");
  expect(rows).toEqual([{ role, database }]);
});

test("Postgres that cannot be reached is missed in the proxy's words", async () => {
  const { port, server } = await listen(() => {});
  server.close();
  const unreachable = await startEndpoint({ connectionString: `postgres://u:p@127.0.0.1:${port}/db` });
  const { status, json } = await post(unreachable, ONE);
  expect({ status, ...json }).toMatchObject({ status: 500, code: "", message: "Couldn't connect to compute node" });
});

describe("many requests at once", () => {
  test("each get their own result, and transactions do not mix", async () => {
    const name = randomName("counter");
    await queryPostgres(upstream, `CREATE TABLE ${name} AS SELECT 0 AS n`);
    const increment = statement(`UPDATE ${name} SET n = n + 1 RETURNING n`);
    const batch = { queries: [increment, increment, statement(`SELECT n FROM ${name}`)] };
    const both = Array.from({ length: 15 }, async (_, i) => {
      const single = statement("SELECT $1::int", `${i}`);
      const [{ json: alone }, { json }] = await Promise.all([post(shared, single), post(shared, batch)]);
      expect(alone.rows).toEqual([[`${i}`]]);
      const [first, ...rest] = json.results.map(({ rows }: { rows: string[][] }) => Number(rows[0]?.[0]));
      expect(rest).toEqual([first + 1, first + 1]);
    });
    await Promise.all(both);
    expect(await queryPostgres(upstream, `SELECT n FROM ${name}`)).toBe(30);
    await queryPostgres(upstream, `DROP TABLE ${name}`);
  });

  test("use no more than as many connections, again and again, also when a transaction fails or is never ended", async () => {
    const { connectionString, count } = await tap(upstream);
    const bounded = await startEndpoint({ connectionString, maxConnections: 3 });
    for (let round = 0; round < 2; round++) {
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => post(bounded, ONE)));
      expect(outcomes.map(({ status }) => status)).toEqual(Array(20).fill(200));
      expect((await post(bounded, { queries: [ONE, statement("SELECT 1 / 0")] })).status).toBe(400);
      expect((await post(bounded, statement("BEGIN"))).status).toBe(200);
    }
    expect(count).toMatchObject({ peak: 3, total: 3 });
  });

  test("are refused beyond those that may wait, at once and in the proxy's words", async () => {
    // It accepts connections and never speaks.
    const { port } = await listen((socket) => socket.resume());
    const connectionString = `postgres://u:p@127.0.0.1:${port}/d`;
    const bounded = await startNeonEndpoint({ connectionString, maxConnections: 1, maxWaiting: 1 });
    const all = Array.from({ length: 3 }, () => post(bounded, ONE));
    const settled = Promise.allSettled(all);
    const { status, json } = await Promise.race(all);
    const message = expect.stringContaining("Too many database connection attempts");
    expect({ status, ...json }).toMatchObject({ status: 500, code: "", message });
    await bounded.close();
    expect((await settled).filter(({ status }) => status === "rejected")).toHaveLength(2);
  });

  test("go on after Postgres has dropped the connections", async () => {
    const { connectionString, count, ...tapped } = await tap(upstream);
    const endpoint = await startEndpoint({ connectionString });
    expect((await post(endpoint, ONE)).status).toBe(200);
    await tapped.untilReset(1);
    await tapped.breakAll();
    expect((await post(endpoint, ONE)).status).toBe(200);
    expect(count.total).toBe(2);
  });

  test("end with the endpoint: it closes at once, also twice, and leaves no connection", async () => {
    const tapped = await tap(upstream);
    const arrived = Promise.withResolvers<void>();
    const intercept: NeonEndpointOptions["intercept"] = ({ body }) => {
      const isToHang = (body as { query: string }).query === "hang";
      if (isToHang) arrived.resolve();
      return isToHang;
    };
    const closing = await startNeonEndpoint({ connectionString: tapped.connectionString, intercept });
    await Promise.all(Array.from({ length: 5 }, () => post(closing, ONE)));
    expect(tapped.open()).toBeGreaterThan(0);
    const hanging = post(closing, statement("hang")).catch((error: Error) => error.name);
    await arrived.promise;
    const ended = tapped.ended();
    await Promise.all([closing.close(), closing.close()]);
    expect(await hanging).toBe("TypeError");
    await ended;
    await expect(fetch(closing.url)).rejects.toThrow();
  });
});

test("an intercept sees every request, and may hold it back; one whose client has left is not served then", async () => {
  const name = randomName("abandoned");
  await queryPostgres(upstream, `CREATE TABLE ${name} (n int)`);
  const insert = (n: number) => ({ queries: [statement(`INSERT INTO ${name} VALUES (${n})`)] });
  const seen: unknown[] = [];
  const [arrived, passed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const intercept: NeonEndpointOptions["intercept"] = async (request, response) => {
    if (seen.push(request) > 1) return false;
    arrived.resolve();
    await once(response, "close");
    passed.resolve();
    return false;
  };
  const endpoint = await startEndpoint({ connectionString: upstream, maxConnections: 1, intercept });
  const client = new AbortController();
  const leaving = post(endpoint, insert(1), { headers: { "x-a": "1" }, signal: client.signal });
  const outcome = expect(leaving).rejects.toThrow("aborted");
  await arrived.promise;
  expect((await post(endpoint, ONE)).json.rows).toEqual([["1"]]);
  client.abort();
  await outcome;
  await passed.promise;
  await post(endpoint, insert(2));
  expect((await post(endpoint, statement(`SELECT n FROM ${name}`))).json.rows).toEqual([["2"]]);
  const first = { method: "POST", headers: { "x-a": "1" }, body: insert(1) };
  expect(seen).toMatchObject([first, { method: "POST", body: ONE }, { body: insert(2) }, {}]);
  await queryPostgres(upstream, `DROP TABLE ${name}`);
});
