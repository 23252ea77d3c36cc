// Every failure of the database: what a read and a write are told, and what the edge serves meanwhile, at every age.
import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { SETTINGS } from "../../src/worker/shared/config.ts";
import { useApi } from "../support/api.ts";
import { DRIVER_SECRET, type Fault } from "../support/faults.ts";
import { createOwnProcess } from "../support/own-process.ts";
import { bearer, useRecords } from "../support/records.ts";
import { errorOf } from "../support/response.ts";

const api = useApi();
const records = useRecords();
let own: Awaited<ReturnType<typeof createOwnProcess>>;
beforeAll(async () => {
  own = await createOwnProcess(api, records);
});

const WRONG = "Something went wrong on our side.";
const UNAVAILABLE = "The service is temporarily unavailable.";
const OVERLOADED = "The service is overloaded.";
const UNCONFIRMED = "The database did not confirm this request. It may have taken effect.";

/**
 * How often a read is sent, and what the log says of it; how often a write is sent, and what its client is told. A write is
 * sent again only if it certainly had no effect.
 */
const EXPECTED: Record<Fault, [reads: number, error: string, writes: number, message: string]> = {
  hang: [1, "timeout", 1, UNCONFIRMED],
  reset: [3, "unavailable", 1, UNCONFIRMED],
  "429": [1, "overloaded", 1, OVERLOADED],
  "500": [3, "unavailable", 3, UNAVAILABLE],
  "502": [3, "unavailable", 3, UNAVAILABLE],
  "cut body": [3, "unavailable", 1, UNCONFIRMED],
  "stalled body": [1, "timeout", 1, UNCONFIRMED],
  "no JSON": [3, "unavailable", 1, UNCONFIRMED],
  "other JSON": [3, "unavailable", 1, UNCONFIRMED],
  "no permit": [1, "overloaded", 1, OVERLOADED],
  "too many attempts": [1, "overloaded", 1, OVERLOADED],
  "too many connections": [1, "overloaded", 1, OVERLOADED],
  "spent quota": [1, "refused quota", 1, UNAVAILABLE],
  "disabled endpoint": [1, "refused endpoint_disabled", 1, UNAVAILABLE],
  "no connection slot": [1, "overloaded", 1, OVERLOADED],
  "starting up": [3, "unavailable 57P03", 3, UNAVAILABLE],
  "going down": [3, "unavailable 57P01", 1, UNCONFIRMED],
  deadlock: [3, "rejected 40P01", 3, OVERLOADED],
  "broken foreign key": [3, "rejected 23503", 3, OVERLOADED],
  "statement timeout": [1, "timeout 57014", 1, UNAVAILABLE],
  "SQL error": [1, "rejected 42P01", 1, WRONG],
  "unknown database": [1, "refused 3D000 login", 1, UNAVAILABLE],
  "wrong password": [1, "refused login", 1, UNAVAILABLE],
  "lost answer": [3, "unavailable", 1, UNCONFIRMED],
};

/** Begins anew, with all the retries that there may be, and a deadline that what never ends soon passes. */
const begin = (fault: Fault) =>
  api.set({ DATABASE_DEADLINE_MS: /hang|stalled/.test(fault) ? "500" : String(SETTINGS.DATABASE_DEADLINE_MS.maximum) });

/** @returns the id of the request */
async function expectFailure(response: Response, message: string, error: string): Promise<string> {
  const body = await errorOf(response, [WRONG, UNCONFIRMED].includes(message) ? 500 : 503);
  expect(body.message).toBe(message);
  expect(JSON.stringify(body)).not.toContain(DRIVER_SECRET);
  const unavailable = error.startsWith("refused") ? "60" : "5";
  const retryAfter = { [UNAVAILABLE]: unavailable, [OVERLOADED]: "2" }[message] ?? null;
  expect(response.headers.get("retry-after")).toBe(retryAfter);
  return body.data.code;
}

async function expectFailedRead(fault: Fault): Promise<string> {
  const [reads, error, , message] = EXPECTED[fault];
  const before = api.queries();
  // Reading twice changes nothing.
  const requestId = await expectFailure(await own.get(), message === UNCONFIRMED ? UNAVAILABLE : message, error);
  expect(api.queries() - before).toBe(reads);
  return requestId;
}

test.for(Object.entries(EXPECTED) as [Fault, (typeof EXPECTED)[Fault]][])(
  "when the database fails with %s, a failed read is logged and not stored, and a write says what may be true of it",
  async ([fault, [, error, writes, message]]) => {
    await begin(fault);
    api.fail(fault);
    const id = await expectFailedRead(fault);
    api.fail(undefined);
    expect((await own.get()).status).toBe(200);
    const lines = (await api.logs()).map((line) => JSON.parse(line));
    const failed = lines.filter(({ event, requestId }) => event === "query" && requestId === id);
    expect(failed.map((line) => [line.error, line.sqlState, line.refusal].filter(Boolean).join(" "))).toStrictEqual([
      error,
    ]);

    await begin(fault);
    api.fail(fault);
    const before = api.queries();
    const displayName = randomUUID();
    const { headers } = bearer(own.key.token);
    const response = await api.fetch(own.path, {
      method: "PATCH",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ display_name: displayName }),
    });
    await expectFailure(response, message, error);
    expect(api.queries() - before).toBe(writes);
    await api.set({});
    const { display_name } = (await (await own.get({ "cache-control": "no-cache" })).json()) as {
      display_name: string;
    };
    expect(display_name === displayName).toBe(fault === "lost answer");
  },
);

// One of each kind: the edge knows a failure by its status alone, and a hang by the time that passes.
test.for(["hang", "SQL error", "429"] as const)(
  "when the database fails with %s, the edge serves what it has for as long as it may",
  async (fault) => {
    await begin(fault);
    expect((await own.get()).status).toBe(200);
    api.fail(fault);
    let age = 0;
    const ageTo = async (seconds: number) => {
      await api.advance(seconds - age);
      age = seconds;
    };
    for (const [seconds, status] of [
      [29, "hit; ttl=1"],
      // At once, while the edge asks the database.
      [31, "hit; ttl=-1"],
      [59, "hit; ttl=-29"],
      [61, "fwd=stale; ttl=-31; detail=stale-if-error"],
      [3_620, "fwd=stale; ttl=-3590; detail=stale-if-error"],
    ] as const) {
      await ageTo(seconds);
      const response = await own.get();
      expect([seconds, response.status]).toStrictEqual([seconds, 200]);
      expect(response.headers.get("cache-status")).toBe(`process-api; ${status}`);
      expect(await response.json()).toMatchObject({ id: own.processId });
      if (seconds === 29) expect(api.queries()).toBe(1);
    }
    await ageTo(3_631);
    await expectFailedRead(fault);
  },
);

test("queries beyond what an isolate may have under way and waiting are refused", async () => {
  await begin("429");
  // One key may have half of them.
  const tokens = [own.key.token, (await records.key(own.companyId)).token];
  const release = api.hold();
  const pages = Array.from({ length: 60 }, (_, n) =>
    own.get({}, { what: `${own.list}?offset=${n}`, token: String(tokens[n % 2]) }),
  );
  const refused: Response[] = [];
  for (const page of pages) void page.then((response) => response.status === 200 || refused.push(response));
  await expect.poll(() => [refused.length, api.queries()]).toStrictEqual([40, 20]);
  release();
  await Promise.all(pages);
  expect([refused.length, api.queries()]).toStrictEqual([40, 20]);
  for (const response of refused) await expectFailure(response, OVERLOADED, "overloaded");
});

test("queries are sent again only as long as most succeed", async () => {
  await begin("500");
  api.fail("500");
  const sent: number[] = [];
  for (let n = 0; n < 6; n++) sent.push(await api.queriesOf(own.get));
  expect(sent).toStrictEqual([3, 3, 3, 3, 3, 1]);
});
