import { describe, expect, test } from "vitest";
import { SEED_PROCESSES } from "../../../drizzle/seed.ts";
import { useApi } from "../../support/api.ts";
import { isError } from "../../support/contract.ts";
import { operations } from "../../support/operations.ts";
import { bearer, useRecords } from "../../support/records.ts";

const api = useApi();

const [web] = SEED_PROCESSES;
const PATH = `/v3/applications/${web.applicationId}/processes/${web.processId}`;

/** The body, after all that holds for every failure. */
async function expectFailure(response: Response, status: number) {
  expect(response.status).toBe(status);
  const body = (await response.json()) as { message: string; data: { code: string; message: string } };
  isError(body);
  expect(isError.errors).toBeNull();
  expect(body).toMatchObject({ status, data: { code: response.headers.get("x-request-id") } });
  expect(body.data.code).toMatch(/^[0-9a-f-]{36}$/);
  expect(response.headers.get("cache-control")).toBe("no-store");
  return body;
}

describe("a failure", () => {
  test("gives each request an id of its own, whatever the client sends", async () => {
    const init = { headers: { "x-request-id": "mine" } };
    const ids = await Promise.all(
      [1, 2].map(async () => (await expectFailure(await api.fetch("/nowhere", init), 404)).data.code),
    );
    expect(new Set([...ids, "mine"]).size).toBe(3);
  });

  test.for([...new Set(operations.map(({ template }) => template)), "/health"])(
    "405 with Allow at %s",
    async (template) => {
      const here = operations.filter((operation) => operation.template === template);
      const known = here.length === 0 ? ["GET"] : here.map(({ method }) => method);
      const allowed = [
        ...(known.includes("GET") ? ["GET", "HEAD"] : []),
        ...known.filter((method) => method !== "GET"),
        "OPTIONS",
      ];
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
        if (known.includes(method)) continue;
        const response = await api.fetch(here[0]?.path() ?? template, { method, ...bearer(web.token) });
        expect(response.headers.get("allow")).toBe(allowed.join(", "));
        await expectFailure(response, 405);
      }
    },
  );

  test("404 for a method that nobody knows, where there is nothing", async () => {
    await expectFailure(await api.fetch("/nowhere", { method: "POST" }), 404);
  });

  test("414 for a URL beyond 8,000 bytes, and not at it", async () => {
    const filler = "x".repeat(8_000 - `${PATH}?`.length);
    expect((await api.fetch(`${PATH}?${filler}`, bearer(web.token))).status).toBe(200);
    await expectFailure(await api.fetch(`${PATH}?${filler}x`, bearer(web.token)), 414);
  });

  test.for([
    ["authorization", 1_024],
    ["if-none-match", 8_192],
    ["if-modified-since", 128],
  ] as const)("431 for a header %s beyond %i bytes, and not at it", async ([name, bytes]) => {
    const send = (length: number) =>
      api.fetch(PATH, { headers: { ...bearer(web.token).headers, [name]: "x".repeat(length) } });
    expect((await send(bytes)).status).toBe(name === "authorization" ? 401 : 200);
    const body = await expectFailure(await send(bytes + 1), 431);
    expect(body.message).toBe(`The header "${name}" is too large.`);
  });
});

describe("OPTIONS", () => {
  test("answers a browser's preflight", async () => {
    const response = await api.fetch(PATH, {
      method: "OPTIONS",
      headers: {
        origin: "https://dashboard.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
      },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("access-control-allow-methods")).toBe("GET, HEAD, PATCH, DELETE");
    expect(response.headers.get("access-control-allow-headers")).toBe(
      "authorization, content-type, idempotency-key, if-match, if-modified-since, if-none-match, traceparent",
    );
    expect(response.headers.get("access-control-max-age")).toBe("7200");
    expect(response.headers.has("access-control-allow-credentials")).toBe(false);
  });
});

describe("GET /health", () => {
  test("answers without a key and without a query, and says which version it is", async () => {
    const before = api.queries();
    const response = await api.fetch("/health");
    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual({ status: "ok", version: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(api.queries()).toBe(before);
  });
});

describe("a row that breaks the contract all the same", () => {
  const records = useRecords();

  test("is a 500 that names the field in the log and nowhere else", async () => {
    const companyId = await records.company();
    const application = await records.application(companyId);
    const { token } = await records.key(companyId);
    const process = await records.process(application.id, { type: "web" });
    const path = `/v3/applications/${application.id}/processes/${process.id}`;
    expect((await api.fetch(path, bearer(token))).status).toBe(200);
    // A migration by hand might do this.
    const client = await records.pool.connect();
    try {
      const { rows } = await client.query<{ definition: string }>(
        "select pg_get_constraintdef(oid) as definition from pg_constraint where conname = 'processes_liveness_probe_shape'",
      );
      await client.query("alter table processes drop constraint processes_liveness_probe_shape");
      try {
        const probe = { httpGet: { scheme: "SECRET-FTP" } };
        await client.query("update processes set liveness_probe = $1 where id = $2", [probe, process.id]);
        await api.purge({ processes: [process.id] });
        const response = await api.fetch(path, bearer(token));
        const body = await expectFailure(response, 500);
        expect(JSON.stringify(body)).not.toMatch(/liveness|scheme|SECRET/);
        const line = api.logs().find((entry) => entry.includes("invalid_row"));
        expect(JSON.parse(String(line))).toMatchObject({
          event: "invalid_row",
          requestId: body.data.code,
          process: [process.id],
          fields: ["liveness_probe.httpGet.scheme"],
        });
        expect(api.logs().join()).not.toContain("SECRET");
      } finally {
        await client.query("update processes set liveness_probe = null where id = $1", [process.id]);
        await client.query(
          `alter table processes add constraint processes_liveness_probe_shape ${rows[0]?.definition}`,
        );
      }
    } finally {
      client.release();
    }
  });
});

describe("a Worker that is wrongly set up", () => {
  test.for([
    ["", "DATABASE_URL is not a Postgres URL with a user, a host and a database"],
    ["SECRET", "DATABASE_URL is not a Postgres URL with a user, a host and a database"],
    ["https://SECRET@host/db", "DATABASE_URL is not a Postgres URL with a user, a host and a database"],
    ["postgres://SECRET@host", "DATABASE_URL is not a Postgres URL with a user, a host and a database"],
  ])("answers 500 and says in the log what is wrong with %j, but not what it is", async ([databaseUrl, settings]) => {
    await api.set({ DATABASE_URL: databaseUrl });
    for (const path of [PATH, "/health", "/v3/openapi.json"]) {
      const body = await expectFailure(await api.fetch(path, bearer(web.token)), 500);
      expect(JSON.stringify(body)).not.toMatch(/DATABASE_URL|SECRET/);
    }
    const lines = api.logs().filter((entry) => entry.includes("misconfigured"));
    expect(JSON.parse(String(lines[0]))).toMatchObject({ event: "misconfigured", settings });
    expect(api.logs().join()).not.toContain("SECRET");
    expect(api.queries()).toBe(0);
  });

  test("answers 500 when there is no database to ask", async () => {
    await api.set({ DATABASE_URL: undefined });
    await expectFailure(await api.fetch("/health"), 500);
    expect(JSON.parse(String(api.logs()[0])).settings).toBe("DATABASE_URL is missing");
  });

  test.for([
    ["PURGE_SECRET", "short", "has fewer than 32 characters"],
    ["PURGE_SECRET", `SECRET ${"x".repeat(32)}`, "has characters other than letters, digits and -._~+/"],
    ["PURGE_SECRET_PREVIOUS", "short", "has fewer than 32 characters"],
  ] as const)("answers 500 rather than run with a %s of %j", async ([name, secret, mistake]) => {
    await api.set({ [name]: secret });
    await expectFailure(await api.fetch("/health"), 500);
    expect(JSON.parse(String(api.logs()[0])).settings).toBe(`${name} ${mistake}`);
  });

  test("names every setting that is wrong", async () => {
    await api.set({ EDGE_FRESH_SECONDS: "-1", DATABASE_DEADLINE_MS: "soon", EDGE_NOT_FOUND_SECONDS: "61" });
    await expectFailure(await api.fetch("/health"), 500);
    expect(JSON.parse(String(api.logs()[0])).settings).toBe(
      "DATABASE_DEADLINE_MS is not a whole number from 100 to 25000; EDGE_FRESH_SECONDS is not a whole number from 0 to 86400; EDGE_NOT_FOUND_SECONDS is not a whole number from 0 to 60",
    );
  });
});
