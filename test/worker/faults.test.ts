// Every failure of the database, at every age of what the edge holds.
import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { useApi } from "../support/api.ts";
import { isError } from "../support/contract.ts";
import { DRIVER_SECRET, FAULTS, type Fault } from "../support/faults.ts";
import { bearer, useRecords } from "../support/records.ts";

const DEADLINE_MS = 2_000;
const MAX_ATTEMPTS = 3;

const api = useApi({ vars: { DATABASE_DEADLINE_MS: String(DEADLINE_MS) } });
const records = useRecords();
/** A process of this test alone: it is written to. */
let web: { applicationId: string; processId: string; token: string };
let path: string;
beforeAll(async () => {
  const companyId = await records.company();
  const { id: applicationId } = await records.application(companyId);
  const { id: processId } = await records.process(applicationId, { type: "web" });
  const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  web = { applicationId, processId, token };
  path = `/v3/applications/${applicationId}/processes/${processId}`;
});

const get = () => api.fetch(path, bearer(web.token));

async function expectError(response: Response): Promise<{ message: string }> {
  expect(response.headers.get("cache-control")).toBe("no-store");
  const body = (await response.json()) as { message: string };
  isError(body);
  expect(isError.errors).toBeNull();
  expect(JSON.stringify(body)).not.toContain(DRIVER_SECRET);
  return body;
}

/** The status without a copy to fall back on, and how often the database is asked. */
const ANSWERS: Record<Fault, { status: number; attempts: number; retryAfter?: string }> = {
  hang: { status: 503, attempts: 1 },
  reset: { status: 503, attempts: 3 },
  "429": { status: 503, attempts: 1, retryAfter: "2" },
  "500": { status: 503, attempts: 3 },
  "502": { status: 503, attempts: 3 },
  // Between the Worker and the endpoint stands Node, which passes a cut on as a stall. By itself workerd sees a cut.
  "cut body": { status: 503, attempts: 1 },
  "stalled body": { status: 503, attempts: 1 },
  "no JSON": { status: 503, attempts: 3 },
  "other JSON": { status: 503, attempts: 3 },
  "no permit": { status: 503, attempts: 1, retryAfter: "2" },
  "no connection slot": { status: 503, attempts: 1, retryAfter: "2" },
  "starting up": { status: 503, attempts: 3 },
  "statement timeout": { status: 503, attempts: 1 },
  "SQL error": { status: 500, attempts: 1 },
  "unknown database": { status: 503, attempts: 1 },
  // Neon gives it no SQLSTATE, as it gives none to its own troubles.
  "wrong password": { status: 503, attempts: 3 },
  "lost answer": { status: 503, attempts: 3 },
};

const UNAVAILABLE = "The service is temporarily unavailable.";
const OVERLOADED = "The service is overloaded.";
const UNCONFIRMED = "The database did not confirm this request. It may have taken effect.";

/** What a write is told, and how often it is sent: again only if it certainly had no effect. */
const WRITE_ANSWERS: Record<Fault, { status: number; message: string; attempts: number }> = {
  hang: { status: 500, message: UNCONFIRMED, attempts: 1 },
  reset: { status: 500, message: UNCONFIRMED, attempts: 1 },
  "429": { status: 503, message: OVERLOADED, attempts: 1 },
  "500": { status: 503, message: UNAVAILABLE, attempts: 3 },
  "502": { status: 503, message: UNAVAILABLE, attempts: 3 },
  "cut body": { status: 500, message: UNCONFIRMED, attempts: 1 },
  "stalled body": { status: 500, message: UNCONFIRMED, attempts: 1 },
  "no JSON": { status: 500, message: UNCONFIRMED, attempts: 1 },
  "other JSON": { status: 500, message: UNCONFIRMED, attempts: 1 },
  "no permit": { status: 503, message: OVERLOADED, attempts: 1 },
  "no connection slot": { status: 503, message: OVERLOADED, attempts: 1 },
  "starting up": { status: 503, message: UNAVAILABLE, attempts: 3 },
  "statement timeout": { status: 503, message: UNAVAILABLE, attempts: 1 },
  "SQL error": { status: 500, message: "Something went wrong on our side.", attempts: 1 },
  "unknown database": { status: 503, message: UNAVAILABLE, attempts: 1 },
  "wrong password": { status: 503, message: UNAVAILABLE, attempts: 3 },
  "lost answer": { status: 500, message: UNCONFIRMED, attempts: 1 },
};

describe.for(FAULTS)("when the database answers with: %s", (fault) => {
  const { status, attempts, retryAfter = "5" } = ANSWERS[fault];

  /** Fills the edge while all is well, lets it age, and then lets the database fail. */
  async function aged(seconds: number): Promise<void> {
    api.fail(undefined);
    await api.purge({ processes: [web.processId] });
    expect((await get()).status).toBe(200);
    await api.advance(seconds);
    api.fail(fault);
  }

  /** Retries are a part of the queries that succeed: enough of them for those of one request. */
  async function earnRetries(): Promise<void> {
    api.fail(undefined);
    const nowhere = () => `/v3/applications/${web.applicationId}/processes/${randomUUID()}`;
    for (let n = 0; n < 10 * MAX_ATTEMPTS; n++) await api.fetch(nowhere(), bearer(web.token));
    api.fail(fault);
  }

  async function expectFailure(): Promise<void> {
    await earnRetries();
    const before = api.queries();
    const response = await get();
    expect(response.status).toBe(status);
    expect(response.headers.get("retry-after")).toBe(status === 503 ? retryAfter : null);
    await expectError(response);
    expect(api.queries() - before).toBe(attempts);
  }

  test(`cold: ${status}`, async () => {
    api.fail(undefined);
    await api.purge({ processes: [web.processId] });
    await expectFailure();
    // Not kept: the next one asks again.
    await expectFailure();
  });

  test(`a write: ${WRITE_ANSWERS[fault].status}, and it is true of what the database holds`, async () => {
    await earnRetries();
    const before = api.queries();
    const displayName = randomUUID();
    const response = await api.fetch(path, {
      method: "PATCH",
      headers: { ...bearer(web.token).headers, "content-type": "application/json" },
      body: JSON.stringify({ display_name: displayName }),
    });
    const { message } = await expectError(response);
    expect({ status: response.status, message, attempts: api.queries() - before }).toStrictEqual(WRITE_ANSWERS[fault]);
    expect(response.headers.has("retry-after")).toBe(response.status === 503);
    api.fail(undefined);
    const { headers } = bearer(web.token);
    const found = await api.fetch(path, { headers: { ...headers, "cache-control": "no-cache" } });
    const isWritten = ((await found.json()) as { display_name: string }).display_name === displayName;
    expect(isWritten).toBe(fault === "lost answer");
  });

  test("fresh: the copy, and the database is not asked", async () => {
    await aged(29);
    const before = api.queries();
    const response = await get();
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-status")).toBe("process-api; hit; ttl=1");
    expect(api.queries()).toBe(before);
  });

  test.for([31, 59])("stale for %i seconds: the copy at once, while the edge asks", async (seconds) => {
    await aged(seconds);
    const response = await get();
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-status")).toBe(`process-api; hit; ttl=${30 - seconds}`);
    expect(await response.json()).toMatchObject({ id: web.processId });
  });

  test.for([61, 3_620])("stale for %i seconds: the copy, marked", async (seconds) => {
    await aged(seconds);
    const response = await get();
    expect(response.status).toBe(200);
    const ttl = /^process-api; fwd=stale; ttl=(-\d+); detail=stale-if-error$/.exec(
      response.headers.get("cache-status") ?? "",
    )?.[1];
    // Older by what it took the database to fail.
    expect(Number(ttl)).toBeLessThanOrEqual(30 - seconds);
    expect(await response.json()).toMatchObject({ id: web.processId });
  });

  test(`beyond stale-if-error: ${status}`, async () => {
    await aged(3_631);
    await expectFailure();
  });

  test("and well again: the next request is answered", async () => {
    api.fail(fault);
    await api.purge({ processes: [web.processId] });
    expect((await get()).status).toBe(status);
    api.fail(undefined);
    expect((await get()).status).toBe(200);
  });
});

test("no line of the log quotes the driver, and each failed query has one", () => {
  expect(api.logs().filter((line) => line.includes(DRIVER_SECRET))).toStrictEqual([]);
  const queries = api
    .logs()
    .map((line) => JSON.parse(line))
    .filter(({ event, error }) => event === "query" && error !== undefined);
  expect(queries.length).toBeGreaterThan(FAULTS.length);
  expect(new Set(queries.map(({ error }) => error))).toStrictEqual(
    new Set(["timeout", "unavailable", "overloaded", "rejected"]),
  );
  expect(new Set(queries.map(({ sqlState }) => sqlState))).toStrictEqual(
    new Set([undefined, "57P03", "57014", "42P01", "3D000"]),
  );
  for (const line of queries) expect(line.requestId).toMatch(/^[0-9a-f-]{36}$/);
});
