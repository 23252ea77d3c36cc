import { describe, expect, test } from "vitest";
import { useApi } from "../../support/api.ts";
import { requestHeadersOf, responsesOf } from "../../support/document.ts";
import { operations } from "../../support/operations.ts";
import { createOwnProcess } from "../../support/own-process.ts";
import { bearer, randomToken, useRecords } from "../../support/records.ts";
import { errorOf, reasonOf } from "../../support/response.ts";

const api = useApi();
const records = useRecords();
const ANYBODY = bearer(randomToken());
/** No key is looked for before these failures. */
const { path: pathOf } = operations.find(({ id }) => id === "getProcessV3") ?? { path: () => "" };
const PATH = pathOf();

describe("a failure", () => {
  test("gives each request an id of its own, whatever the client sends", async () => {
    const fail = () => api.fetch("/nowhere", { method: "POST", headers: { "x-request-id": "mine" } });
    const ids = [(await errorOf(await fail(), 404)).data.code, (await errorOf(await fail(), 404)).data.code];
    expect(new Set([...ids, "mine"]).size).toBe(3);
  });

  const templates = Map.groupBy(operations, ({ template }) => template);
  test.for([...templates.keys(), "/health"])("405 with Allow at %s", async (template) => {
    const known = templates.get(template)?.map(({ method }) => method) ?? ["GET"];
    const allowed = known.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method));
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
      if (known.includes(method)) continue;
      const response = await api.fetch(templates.get(template)?.[0]?.path() ?? template, { method, ...ANYBODY });
      expect(response.headers.get("allow")).toBe([...allowed, "OPTIONS"].join(", "));
      await errorOf(response, 405);
    }
  });

  test("405 at /ops/purge, which browsers cannot call", async () => {
    for (const method of ["GET", "OPTIONS"]) {
      const response = await api.fetch("/ops/purge", { method });
      await errorOf(response, 405);
      expect(response.headers.get("allow")).toBe("POST");
    }
  });

  test("414 for a URL beyond 8,000 bytes, and not at it", async () => {
    const url = `${PATH}?`.padEnd(8_000, "x");
    await errorOf(await api.fetch(url, ANYBODY), 401);
    await errorOf(await api.fetch(`${url}x`, ANYBODY), 414);
  });

  test.for([
    ["authorization", 1_024],
    ["if-none-match", 8_192],
    ["if-modified-since", 128],
    ["if-match", 8_192],
  ] as const)("431 for a header %s beyond %i bytes, and not at it", async ([name, bytes]) => {
    const send = (length: number) => api.fetch(PATH, { headers: { ...ANYBODY.headers, [name]: "x".repeat(length) } });
    await errorOf(await send(bytes), 401);
    expect((await errorOf(await send(bytes + 1), 431)).message).toBe(
      `The header "${name}" has more than ${bytes} bytes.`,
    );
  });
});

describe("Error-Reason", () => {
  test.for([
    ["GET", "/v3/nothing", "no_such_endpoint"],
    ["GET", "/docs/nothing.js", "no_such_endpoint"],
    ["PUT", PATH, "method_not_allowed"],
    ["POST", "/docs", "method_not_allowed"],
    ["GET", "/ops/purge", "method_not_allowed"],
    ["GET", PATH.replace(/[^/]*$/, "x"), "invalid_parameter"],
    ["HEAD", "/v3/nothing", "no_such_endpoint"],
    ["HEAD", PATH, "invalid_key"],
  ] as const)("of %s %s is %s", async ([method, path, reason]) => {
    expect(reasonOf(await api.fetch(path, { method, ...ANYBODY }))).toBe(reason);
  });

  test("is on the page for a person's browser", async () => {
    expect(reasonOf(await api.fetch("/nothing", { headers: { accept: "text/html" } }))).toBe("no_such_endpoint");
  });

  test("of a purge says whether the secret is missing or invalid", async () => {
    const purge = async (headers = {}) =>
      (await api.fetch("/ops/purge", { method: "POST", headers })).headers.get("error-reason");
    expect([await purge(), await purge({ authorization: "Bearer x" })]).toStrictEqual([
      "missing_secret",
      "invalid_secret",
    ]);
  });

  test("is on no other response, and shown to browsers", async () => {
    const { headers } = await api.fetch("/health");
    expect(headers.get("error-reason")).toBeNull();
    expect(headers.get("access-control-expose-headers")?.split(", ")).toContain("error-reason");
  });
});

test("OPTIONS says what type of body PATCH and POST take", async () => {
  for (const { path, template } of operations) {
    const { headers } = await api.fetch(path(), { method: "OPTIONS" });
    // RFC 5789, section 3.1; https://www.w3.org/TR/ldp/#header-accept-post.
    for (const method of ["PATCH", "POST"]) {
      const operation = operations.find((one) => one.template === template && one.method === method);
      const type = operation?.request().body === undefined ? null : "application/json";
      expect([template, headers.get(`accept-${method}`)]).toStrictEqual([template, type]);
    }
  }
});

test("OPTIONS tells a browser what it may send", async () => {
  const { status, headers } = await api.fetch(PATH, { method: "OPTIONS" });
  expect(status).toBe(204);
  expect(Object.fromEntries(headers)).toMatchObject({
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD, PATCH, DELETE",
    "access-control-max-age": "7200",
  });
  expect(headers.has("access-control-allow-credentials")).toBe(false);
});

test("a script of another origin may send every header of the document, and read every header of its responses", async () => {
  const { headers } = await api.fetch(PATH, { method: "OPTIONS" });
  const listed = (name: string) => headers.get(`access-control-${name}-headers`)?.split(", ");
  // Authorization and Content-Type are no parameters of OpenAPI's.
  const sent = ["authorization", "content-type", ...["traceparent", "tracestate", "baggage"]];
  for (const { documentPath, method } of operations) {
    sent.push(...requestHeadersOf(documentPath, method));
    for (const { headers } of responsesOf(documentPath, method).values()) {
      expect(listed("expose")).toEqual(expect.arrayContaining(Object.keys(headers)));
    }
  }
  expect(sent).toContain("cache-control");
  expect(listed("allow")).toEqual(expect.arrayContaining(sent));
});

test("GET /health needs neither a key nor a query, and says which version it is", async () => {
  const before = api.queries();
  const response = await api.fetch("/health");
  expect(response.status).toBe(200);
  expect(await response.json()).toStrictEqual({ status: "ok", version: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(api.queries()).toBe(before);
});

test("a row that breaks the contract all the same is a 500 that names the field in the log and nowhere else", async () => {
  const { get, processId, companyId, key } = await createOwnProcess(api, records);
  // A migration by hand might do this.
  const name = "processes_liveness_probe_shape";
  const { rows } = await records.pool.query(
    "select pg_get_constraintdef(oid) as it from pg_constraint where conname = $1",
    [name],
  );
  const setProbe = (probe: object | null) =>
    records.pool.query("update processes set liveness_probe = $1, type = 'web' where id = $2", [probe, processId]);
  await records.pool.query(`alter table processes drop constraint ${name}`);
  try {
    await setProbe({ httpGet: { scheme: "SECRET-FTP" } });
    const body = await errorOf(await get(), 500);
    expect(JSON.stringify(body)).not.toMatch(/liveness|scheme|SECRET/);
    expect(JSON.parse(String((await api.logs()).find((line) => line.includes("invalid_row"))))).toMatchObject({
      event: "invalid_row",
      requestId: body.data.code,
      companyId,
      process_id: processId,
      fields: ["liveness_probe.httpGet.scheme"],
    });
    const requestLine = (await api.logs()).find(
      (line) => line.includes('"event":"request"') && line.includes("invalid_row"),
    );
    expect(JSON.parse(String(requestLine))).toMatchObject({ keyId: key.id });
    expect((await api.logs()).join()).not.toContain("SECRET");
  } finally {
    await setProbe(null);
    await records.pool.query(`alter table processes add constraint ${name} ${rows[0]?.it}`);
  }
});

test("a Worker that is wrongly set up answers 500, and says in the log which setting is wrong, but not what it is", async () => {
  await api.set({ DATABASE_URL: "https://SECRET@host/db" });
  for (const path of [PATH, "/health", "/v3/openapi.json"]) {
    expect(JSON.stringify(await errorOf(await api.fetch(path, ANYBODY), 500))).not.toMatch(/DATABASE_URL|SECRET/);
  }
  const lines = (await api.logs()).filter((line) => line.includes("misconfigured"));
  expect(JSON.parse(String(lines[0]))).toMatchObject({
    event: "misconfigured",
    settings: "DATABASE_URL is not a Postgres URL with a user, a host and a database",
  });
  expect((await api.logs()).join()).not.toContain("SECRET");
  expect(api.queries()).toBe(0);
});
