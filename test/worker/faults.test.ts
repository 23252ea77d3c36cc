// Every failure of the database: what a read and a write are told, and what the edge serves meanwhile, at every age.
import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { SETTINGS } from "../../src/worker/shared/config.ts";
import { useApi } from "../support/api.ts";
import { isError } from "../support/contract.ts";
import { DRIVER_SECRET, FAULTS, type Fault } from "../support/faults.ts";
import { bearer, useRecords } from "../support/records.ts";

const api = useApi();
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

const UNAVAILABLE = "The service is temporarily unavailable.";
const OVERLOADED = "The service is overloaded.";
const UNCONFIRMED = "The database did not confirm this request. It may have taken effect.";

/** What a request is told, and how often the database is asked. Of a read the attempts say how often it is sent again. */
interface Expected {
  read: { status: number; attempts: number; retryAfter?: string };
  /** Sent again only if it certainly had no effect. */
  write: { status: number; message: string; attempts: number };
}
const expected = (
  readStatus: number,
  readAttempts: number,
  writeStatus: number,
  message: string,
  attempts: number,
): Expected => ({
  read: { status: readStatus, attempts: readAttempts, retryAfter: message === OVERLOADED ? "2" : "5" },
  write: { status: writeStatus, message, attempts },
});
const EXPECTED: Record<Fault, Expected> = {
  hang: expected(503, 1, 500, UNCONFIRMED, 1),
  reset: expected(503, 3, 500, UNCONFIRMED, 1),
  "429": expected(503, 1, 503, OVERLOADED, 1),
  "500": expected(503, 3, 503, UNAVAILABLE, 3),
  "502": expected(503, 3, 503, UNAVAILABLE, 3),
  // Between the Worker and the endpoint stands Node, which passes a cut on as a stall. By itself workerd sees a cut.
  "cut body": expected(503, 1, 500, UNCONFIRMED, 1),
  "stalled body": expected(503, 1, 500, UNCONFIRMED, 1),
  "no JSON": expected(503, 3, 500, UNCONFIRMED, 1),
  "other JSON": expected(503, 3, 500, UNCONFIRMED, 1),
  "no permit": expected(503, 1, 503, OVERLOADED, 1),
  "no connection slot": expected(503, 1, 503, OVERLOADED, 1),
  "starting up": expected(503, 3, 503, UNAVAILABLE, 3),
  "statement timeout": expected(503, 1, 503, UNAVAILABLE, 1),
  "SQL error": expected(500, 1, 500, "Something went wrong on our side.", 1),
  "unknown database": expected(503, 1, 503, UNAVAILABLE, 1),
  // Neon gives it no SQLSTATE, as it gives none to its own troubles.
  "wrong password": expected(503, 3, 503, UNAVAILABLE, 3),
  "lost answer": expected(503, 3, 500, UNCONFIRMED, 1),
};

/** Begins anew, with all the retries that there may be, and a deadline that what never ends soon passes. */
const begin = (fault: Fault) =>
  api.set({ DATABASE_DEADLINE_MS: /hang|body/.test(fault) ? "500" : String(SETTINGS.DATABASE_DEADLINE_MS.maximum) });

async function expectFailure(fault: Fault): Promise<void> {
  const { status, attempts, retryAfter } = EXPECTED[fault].read;
  const before = api.queries();
  const response = await get();
  expect(response.status).toBe(status);
  expect(response.headers.get("retry-after")).toBe(status === 503 ? retryAfter : null);
  await expectError(response);
  expect(api.queries() - before).toBe(attempts);
}

describe.for(FAULTS)("when the database answers with: %s", (fault) => {
  const { read, write } = EXPECTED[fault];

  test(`a read: ${read.status}, which is not kept`, async () => {
    await begin(fault);
    api.fail(fault);
    await expectFailure(fault);
    await expectFailure(fault);
    api.fail(undefined);
    expect((await get()).status).toBe(200);
  });

  test(`a write: ${write.status}, and it is true of what the database holds`, async () => {
    await begin(fault);
    api.fail(fault);
    const before = api.queries();
    const displayName = randomUUID();
    const { headers } = bearer(web.token);
    const response = await api.fetch(path, {
      method: "PATCH",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ display_name: displayName }),
    });
    const { message } = await expectError(response);
    expect({ status: response.status, message, attempts: api.queries() - before }).toStrictEqual(write);
    expect(response.headers.has("retry-after")).toBe(response.status === 503);
    await api.set({});
    const found = await api.fetch(path, { headers: { ...headers, "cache-control": "no-cache" } });
    const isWritten = ((await found.json()) as { display_name: string }).display_name === displayName;
    expect(isWritten).toBe(fault === "lost answer");
  });
});

// One of each kind: the edge knows a failure by its status alone, and a hang by the time that passes.
describe.for(["hang", "SQL error", "429"] as const)(
  "what the edge holds, when the database answers with: %s",
  (fault) => {
    /** Fills the edge while all is well, lets it age, and then lets the database fail. */
    async function aged(seconds: number): Promise<void> {
      await begin(fault);
      expect((await get()).status).toBe(200);
      await api.advance(seconds);
      api.fail(fault);
    }

    test("is served while it is fresh, and the database is not asked", async () => {
      await aged(29);
      const before = api.queries();
      const response = await get();
      expect(response.status).toBe(200);
      expect(response.headers.get("cache-status")).toBe("process-api; hit; ttl=1");
      expect(api.queries()).toBe(before);
    });

    test.for([31, 59])("is served at once after %i seconds, while the edge asks", async (seconds) => {
      await aged(seconds);
      const response = await get();
      expect(response.status).toBe(200);
      expect(response.headers.get("cache-status")).toBe(`process-api; hit; ttl=${30 - seconds}`);
      expect(await response.json()).toMatchObject({ id: web.processId });
    });

    test.for([61, 3_620])("is served after %i seconds, marked", async (seconds) => {
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

    test("is not served beyond stale-if-error", async () => {
      await aged(3_631);
      await expectFailure(fault);
    });
  },
);

test("each failed query has a line in the log", async () => {
  await api.set({ DATABASE_DEADLINE_MS: "500" });
  for (const fault of FAULTS) {
    api.fail(fault);
    await get();
  }
  const queries = api
    .logs()
    .map((line) => JSON.parse(line))
    .filter(({ event, error }) => event === "query" && error !== undefined);
  expect(queries.length).toBe(FAULTS.length);
  expect(new Set(queries.map(({ error }) => error))).toStrictEqual(
    new Set(["timeout", "unavailable", "overloaded", "rejected"]),
  );
  expect(new Set(queries.map(({ sqlState }) => sqlState))).toStrictEqual(
    new Set([undefined, "57P03", "57014", "42P01", "3D000"]),
  );
  for (const line of queries) expect(line.requestId).toMatch(/^[0-9a-f-]{36}$/);
});
