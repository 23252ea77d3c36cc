// The endpoint as an HTTP server: what Neon's proxy does that no well-behaved driver asks for.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { MAX_BODY_BYTES } from "../../../src/local/neon/http.ts";
import { endpoint, isEmbedded, onPostgres, post, upstream, withEndpoint } from "./requests.ts";

const ERROR_KEYS = [
  ...["message", "code", "detail", "hint", "position", "internalPosition", "internalQuery", "severity", "where"],
  ...["table", "column", "schema", "dataType", "constraint", "file", "line", "routine"],
];

describe("a result", () => {
  it("is JSON with fields, rows, command, rowCount and rowAsArray", async () => {
    const { status, headers, json, text } = await post({ query: "SELECT 1 AS n" });
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("content-length")).toBe(String(Buffer.byteLength(text)));
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.get("neon-request-id")).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const field = { name: "n", tableID: 0, columnID: 0, dataTypeID: 23, dataTypeSize: 4, dataTypeModifier: -1 };
    expect(json).toEqual({
      fields: [{ ...field, format: "text" }],
      rows: [{ n: 1 }],
      command: "SELECT",
      rowCount: 1,
      rowAsArray: false,
    });
  });

  it("has rows as arrays if the header says exactly so", async () => {
    const query = "SELECT 1 AS n, 'x' AS t";
    expect((await post({ query }, { "Neon-Array-Mode": "true" })).json).toMatchObject({
      rows: [[1, "x"]],
      rowAsArray: true,
    });
    expect((await post({ query }, { "Neon-Array-Mode": "TRUE" })).json).toMatchObject({ rows: [{ n: 1, t: "x" }] });
  });

  it("has rows as the query itself says, whatever the header", async () => {
    const query = "SELECT 1 AS n";
    const off = await post({ query, arrayMode: false }, { "Neon-Array-Mode": "true" });
    expect(off.json).toMatchObject({ rows: [{ n: 1 }], rowAsArray: false });
    expect((await post({ query, arrayMode: true })).json).toMatchObject({ rows: [[1]], rowAsArray: true });
    const batch = await post({ queries: [{ query, arrayMode: true }, { query }] });
    expect(batch.json.results).toMatchObject([{ rows: [[1]] }, { rows: [{ n: 1 }] }]);
  });

  it("has the text of every value if the header asks for it", async () => {
    const query = `SELECT 1 AS n, true AS b, '{"a": 1}'::jsonb AS j, ARRAY[1, NULL] AS a, NULL AS nothing`;
    const { json } = await post({ query }, { "Neon-Raw-Text-Output": "true" });
    expect(json.rows).toEqual([{ n: "1", b: "t", j: '{"a": 1}', a: "{1,NULL}", nothing: null }]);
  });

  it.each([
    ["(-1)::int2", "-1"],
    ["2147483647", "2147483647"],
    ["9223372036854775807", '"9223372036854775807"'],
    ["1.10::numeric", '"1.10"'],
    ["1.5::float4", "1.5"],
    ["1e300::float8", "1e+300"],
    ["'NaN'::float8", '"NaN"'],
    ["'-Infinity'::float4", '"-Infinity"'],
    ["true", "true"],
    ["false", "false"],
    [`E'a"b\\n'`, '"a\\"b\\n"'],
    ["7::oid", '"7"'],
    ["NULL::int", "null"],
    [`'{"n": 123456789012345678901234567890}'::json`, '{"n": 123456789012345678901234567890}'],
    ["'[1.50]'::jsonb", "[1.50]"],
    ["ARRAY[1, NULL, 3]", "[1,null,3]"],
    ["ARRAY[1::int8]", '["1"]'],
    ["'{}'::int[]", "[]"],
    ["ARRAY[[1, 2], [3, NULL]]", "[[1,2],[3,null]]"],
    ["'[2:3]={7,8}'::int[]", "[7,8]"],
    ["ARRAY[true, false]", "[true,false]"],
    ["ARRAY[1.5, 'NaN']::float8[]", '[1.5,"NaN"]'],
    [`ARRAY['a,b', 'c"d\\', 'NULL', NULL, '', '{x}', ' y ']`, '["a,b","c\\"d\\\\","NULL",null,"","{x}"," y "]'],
    [`ARRAY['{"a": [1]}', '[]']::jsonb[]`, '[{"a": [1]},[]]'],
    ["'1 2'::int2vector", '"1 2"'],
    ["'2024-02-29'::date", '"2024-02-29"'],
  ])("has %s as %s", async (expression, written) => {
    const { text } = await post({ query: `SELECT ${expression} AS v` });
    expect(text).toContain(`"rows":[{"v":${written}}]`);
  });

  it("has arrays of user-defined types as JSON arrays", async () => {
    const type = `mood_${randomBytes(4).toString("hex")}`;
    await onPostgres(`CREATE TYPE ${type} AS ENUM ('good', 'so so')`);
    const { json } = await post({ query: `SELECT '{good,"so so"}'::${type}[] AS moods` });
    await onPostgres(`DROP TYPE ${type}`);
    expect(json.rows).toEqual([{ moods: ["good", "so so"] }]);
  });

  it("writes columns of the same name twice", async () => {
    const { text } = await post({ query: "SELECT 1 AS n, 2 AS n" });
    expect(text).toContain('"rows":[{"n":1,"n":2}]');
  });
});

describe("a parameter in JSON", () => {
  it.each([
    ['"as it is"', "as it is"],
    ["null", null],
    ["true", "true"],
    ["1", "1"],
    ["1.0", "1.0"],
    ["1e3", "1000.0"],
    ["-0", "-0.0"],
    ["9007199254740993", "9007199254740993"],
    ["18446744073709551615", "18446744073709551615"],
    ['{"b": [1.0, null], "a": "x"}', '{"b":[1.0,null],"a":"x"}'],
    ["[]", "{}"],
    ['[1, 2.0, null, true, "NULL"]', '{1,2.0,NULL,true,"NULL"}'],
    ['[["a\\"b"], ["c\\\\d"]]', '{{"a\\"b"},{"c\\\\d"}}'],
    ['[{"a": "x"}]', '{"{\\"a\\":\\"x\\"}"}'],
    ['["a\\nb"]', '{"a\\nb"}'],
  ])("%s is the text %j", async (json, text) => {
    const body = `{"query": "SELECT $1::text AS v", "params": [${json}]}`;
    expect((await post(body)).json.rows).toEqual([{ v: text }]);
  });

  it("may be left out", async () => {
    expect((await post({ query: "SELECT 1 AS n", params: [] })).json.rows).toEqual([{ n: 1 }]);
    expect((await post({ query: "SELECT 1 AS n", arrayMode: null })).json.rows).toEqual([{ n: 1 }]);
  });
});

describe("a batch", () => {
  const queries = [{ query: "SELECT 1 AS n" }, { query: "SELECT $1::text AS t", params: ["x"] }];

  it("answers with the results in order", async () => {
    const { status, json } = await post({ queries });
    expect(status).toBe(200);
    expect(json).toEqual({
      results: [expect.objectContaining({ rows: [{ n: 1 }] }), expect.objectContaining({ rows: [{ t: "x" }] })],
    });
  });

  it("repeats its transaction mode in the response's headers", async () => {
    const mode = {
      "neon-batch-isolation-level": "Serializable",
      "neon-batch-read-only": "true",
      "neon-batch-deferrable": "true",
    };
    const { headers } = await post({ queries }, mode);
    expect(Object.fromEntries(headers)).toMatchObject(mode);
    const plain = await post({ queries }, { "neon-batch-read-only": "false" });
    const single = await post({ query: "SELECT 1" }, mode);
    for (const { status, headers } of [plain, single]) {
      expect(status).toBe(200);
      expect([...headers.keys()].filter((name) => name.startsWith("neon-batch"))).toEqual([]);
    }
  });
});

describe("a request that is refused", () => {
  const query = { query: "SELECT 1" };
  const password = "missing authentication credentials: required password";

  it.each([
    ["that is no URL", "nonsense", "invalid connection string: relative URL without a base"],
    ["of another database", "mysql://u:p@host/db", "incorrect scheme"],
    ["without a host or path", "postgres:db", "missing database name"],
    ["without a user", "postgres://host/db", "missing username"],
    ["without a password", "postgres://user@host/db", password],
    ["with a stray percent sign", "postgres://u:100%@host/db", "invalid connection string: malformed percent-encoding"],
    ["with an IPv6 host", "postgres://u:p@[::1]/db", "missing hostname"],
  ])("for a connection string %s", async (_what, connectionString, message) => {
    const { status, headers, json } = await post(query, { "Neon-Connection-String": connectionString });
    expect({ status, message: json.message }).toEqual({ status: 400, message });
    expect(Object.keys(json)).toEqual(ERROR_KEYS);
    expect(json).toMatchObject({ code: "", severity: "", detail: null });
    expect(headers.get("access-control-allow-origin")).toBe("*");
  });

  it("for no connection string, and for a token", async () => {
    const response = await fetch(endpoint.url, { method: "POST", body: JSON.stringify(query) });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ message: "invalid header: neon-connection-string" });
    const { status, json } = await post(query, { Authorization: "Bearer x" });
    expect({ status, message: json.message }).toEqual({ status: 400, message: password });
  });

  it.each([
    ["no JSON", "{", /^could not parse the HTTP request body: ./],
    ["empty", "", /^could not parse the HTTP request body: ./],
    ["without a query", {}, /: data did not match any variant of untagged enum Payload$/],
    ["a list", [query], /: data did not match any variant/],
    ["a query that is no text", { query: 1 }, /: data did not match any variant/],
    ["parameters that are no list", { ...query, params: { a: 1 } }, /: data did not match any variant/],
    ["an array mode that is no boolean", { ...query, arrayMode: 1 }, /: data did not match any variant/],
    ["a batch with a bad member", { queries: [query, {}] }, /: data did not match any variant/],
  ])("for a body that is %s", async (_what, body, message) => {
    const { status, json } = await post(body);
    expect({ status, message: json.message }).toEqual({ status: 400, message: expect.stringMatching(message) });
  });

  it("for an unknown isolation level, batch or not", async () => {
    for (const body of [query, { queries: [query] }]) {
      const { status, json } = await post(body, { "Neon-Batch-Isolation-Level": "serializable" });
      expect({ status, message: json.message }).toEqual({ status: 400, message: "invalid isolation level" });
    }
  });

  it.each(["announced", "sent in chunks"])("for a body too large, %s", async (how) => {
    const headers = { "Neon-Connection-String": endpoint.connectionString };
    const announced = { "content-length": MAX_BODY_BYTES + 1 };
    const request = httpRequest(endpoint.url, {
      method: "POST",
      headers: how === "announced" ? { ...headers, ...announced } : headers,
    });
    request.on("error", () => {});
    const answered = once(request, "response");
    if (how === "announced") request.flushHeaders();
    else for (let sent = 0; sent <= MAX_BODY_BYTES; sent += 2 ** 20) request.write(Buffer.alloc(2 ** 20, " "));
    const [response] = await answered;
    const [body] = await response.toArray();
    request.destroy();
    expect(response.statusCode).toBe(413);
    expect(JSON.parse(body)).toMatchObject({ message: "request is too large (max is 67108864 bytes)" });
  });

  describe("for a response too large", () => {
    const tooLarge = { status: 507, message: "response is too large (max is 67108864 bytes)" };
    const megabytes = (count: number) => ({
      query: "SELECT repeat('x', 1048576) FROM generate_series(1, $1::int)",
      params: [`${count}`],
    });

    it.each([
      ["of one query", megabytes(66)],
      ["of a batch together", { queries: [megabytes(33), megabytes(33), megabytes(1)] }],
    ])("%s, and the next request is served", async (_what, body) => {
      const { status, json } = await post(body);
      expect({ status, message: json.message }).toEqual(tooLarge);
      expect((await post(megabytes(2))).json.rowCount).toBe(2);
    });

    // PGlite answers a query only when it is done with it.
    it.skipIf(isEmbedded)("before a result without end has filled the memory", async () => {
      const { status, json } = await post(megabytes(1_000_000));
      expect({ status, message: json.message }).toEqual(tooLarge);
    });
  });

  it("for any other path or method", async () => {
    for (const [method, path] of [
      ["GET", "/sql"],
      ["PUT", "/sql"],
      ["POST", "/"],
      ["POST", "/sql/"],
      ["OPTIONS", "/"],
    ]) {
      const response = await fetch(new URL(path ?? "", endpoint.url), { method: method ?? "" });
      expect(response.status).toBe(400);
      expect(response.headers.get("neon-request-id")).toBeTruthy();
      expect(await response.json()).toBe("query is not supported");
    }
    const withQuery = { ...endpoint, url: `${endpoint.url}?source=test` };
    expect((await post(query, {}, withQuery)).status).toBe(200);
  });
});

describe("a preflight request", () => {
  it("is told what a browser may send", async () => {
    const response = await fetch(endpoint.url, { method: "OPTIONS" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      allow: "OPTIONS, POST",
      "access-control-allow-origin": "*",
      "access-control-max-age": "86400",
      "access-control-allow-headers": expect.stringContaining("Neon-Connection-String, Neon-Raw-Text-Output"),
    });
  });
});

describe("a Postgres error", () => {
  it("has every field, and null for those that Postgres did not send", async () => {
    const { status, json } = await post({ query: "SELECT nothing" });
    expect(status).toBe(400);
    expect(Object.keys(json)).toEqual(ERROR_KEYS);
    expect(json).toMatchObject({ code: "42703", position: "8", severity: "ERROR", detail: null, constraint: null });
  });
});

describe("the server", () => {
  it("counts each POST /sql, refused ones included, and nothing else", async () => {
    await withEndpoint({}, async (counted) => {
      expect(counted.requests).toBe(0);
      await post({ query: "SELECT 1" }, {}, counted);
      await post({ queries: [{ query: "SELECT 1" }, { query: "SELECT 1" }] }, {}, counted);
      await post("{", {}, counted);
      await fetch(counted.url, { method: "OPTIONS" });
      await fetch(counted.url);
      expect(counted.requests).toBe(3);
    });
  });

  it("names itself in a connection string that otherwise is that of Postgres", async () => {
    const theirs = new URL(upstream);
    const ours = new URL(endpoint.connectionString);
    expect(ours.host).toBe(new URL(endpoint.url).host);
    expect([ours.username, ours.password, ours.pathname]).toEqual([theirs.username, theirs.password, theirs.pathname]);
    await withEndpoint({ connectionString: `${upstream}?application_name=test` }, async ({ connectionString }) => {
      expect(new URL(connectionString).search).toBe("");
    });
  });

  it("listens on 127.0.0.1 alone, on the port it is told, and says so when it is taken", async () => {
    const { port } = new URL(endpoint.url);
    const elsewhere = connect(Number(port), "127.0.0.2");
    await expect(once(elsewhere, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await expect(startNeonEndpoint({ connectionString: upstream, port: Number(port) })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  it("never closes an idle connection first, and therefore announces no time limit", async () => {
    const request = httpRequest(endpoint.url, { method: "OPTIONS", headers: { connection: "keep-alive" } }).end();
    const [response] = await once(request, "response");
    response.resume();
    expect(response.headers.connection).toBe("keep-alive");
    expect(response.headers["keep-alive"]).toBeUndefined();
  });
});
