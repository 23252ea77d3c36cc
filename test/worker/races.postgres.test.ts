// Writes that wait for somebody else decide by what that one has left.
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database, Reader } from "../../src/worker/db/client.ts";
import { pollChanges } from "../../src/worker/feed/query.ts";
import { useApi } from "../support/api.ts";
import { connectionString } from "../support/database.ts";
import { sha256, useRecords } from "../support/records.ts";
import { errorOf } from "../support/response.ts";
import { sendWrite } from "../support/statements.ts";

const api = useApi();
const records = useRecords();
/** Whoever is faster than the write, and one who comes while it is under way. */
const [first, late] = [new pg.Client({ connectionString }), new pg.Client({ connectionString })];
beforeAll(() => Promise.all([first.connect(), late.connect()]));
afterAll(() => Promise.all([first.end(), late.end()]));

type Place = Awaited<ReturnType<typeof makePlace>>;
async function makePlace() {
  const [companyId, otherCompanyId] = [await records.company(), await records.company()];
  const { id: keyId, token } = await records.key(companyId, { permissions: ["APP:UPDATE"] });
  const { id: applicationId } = await records.application(companyId);
  const { id: otherApplicationId } = await records.application(otherCompanyId);
  const { id: processId } = await records.process(applicationId, { type: "cron", schedule: "0 3 * * *" });
  const { id: sizeId } = await records.resourceType();
  return {
    companyId,
    keyId,
    hash: sha256(token),
    token,
    applicationId,
    otherApplicationId,
    otherCompanyId,
    processId,
    sizeId,
  };
}

const WRITES = {
  create: (place: Place) => ({
    method: "POST",
    path: "",
    body: {
      type: "worker",
      display_name: "Worker",
      resource_type_id: place.sizeId,
      scaling_strategy: { type: "manual", config: { instanceCount: 1 } },
    },
  }),
  update: (place: Place) => ({
    method: "PATCH",
    path: `/${place.processId}`,
    body: { resource_type_id: place.sizeId },
  }),
  delete: (place: Place) => ({ method: "DELETE", path: `/${place.processId}` }),
  trigger: (place: Place) => ({ method: "POST", path: `/${place.processId}/trigger` }),
};
type Write = keyof typeof WRITES;

function send(place: Place, write: Write, headers: Record<string, string> = {}): Promise<Response> {
  const { method, path, body }: { method: string; path: string; body?: object } = WRITES[write](place);
  return api.fetch(`/v3/applications/${place.applicationId}/processes${path}`, {
    method,
    headers: {
      authorization: `Bearer ${place.token}`,
      "content-type": "application/json",
      "idempotency-key": randomUUID(),
      ...headers,
    },
    ...(body && { body: JSON.stringify(body) }),
  });
}

/** Until so many sessions wait for another. */
const untilWaiting = (many: number) =>
  expect
    .poll(async () => {
      const { rows } = await records.pool.query(
        "select from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0",
      );
      return rows.length;
    })
    .toBe(many);

/** What there is of the place, and what was written down of it. */
async function stateOf({ applicationId, otherApplicationId, processId }: Place) {
  const { rows } = await records.pool.query(
    `select (select jsonb_agg(p order by id) from processes p where application_id in ($1, $2)) as processes,
      (select jsonb_agg(r order by id) from process_runs r where process_id = $3) as runs,
      (select count(*) from audit_log where application_id = $1) as audited`,
    [applicationId, otherApplicationId, processId],
  );
  return rows[0];
}

const EVERY: readonly Write[] = ["create", "update", "delete", "trigger"];
const OF_PROCESS: readonly Write[] = ["update", "delete", "trigger"];
/** What another transaction may do, to which writes, and what these are answered then. */
const CHANGES: [what: string, writes: readonly Write[], sql: string, values: (keyof Place)[], status: number][] = [
  [
    "moves the application to another company",
    EVERY,
    "update applications set company_id = $2 where id = $1",
    ["applicationId", "otherCompanyId"],
    404,
  ],
  ["deletes the application", EVERY, "delete from applications where id = $1", ["applicationId"], 404],
  [
    "moves the process to an application of another company",
    OF_PROCESS,
    "update processes set application_id = $2 where id = $1",
    ["processId", "otherApplicationId"],
    404,
  ],
  ["deletes the process", OF_PROCESS, "delete from processes where id = $1", ["processId"], 404],
  ["deletes the token", EVERY, "delete from api_key_tokens where hash = decode($1, 'hex')", ["hash"], 401],
  ["disables the key", EVERY, "update api_keys set is_enabled = false where id = $1", ["keyId"], 401],
  ["deletes the key", EVERY, "delete from api_keys where id = $1", ["keyId"], 401],
  ["takes the permission away", EVERY, "delete from api_key_capabilities where api_key_id = $1", ["keyId"], 403],
];

for (const [what, writes, statement, values, status] of CHANGES) {
  test.for(writes)(`whoever ${what} is faster than a waiting %s`, async (write) => {
    const place = await makePlace();
    await first.query("begin");
    // So that it waits, whatever the change is of.
    const held = write === "create" ? place.applicationId : place.processId;
    await first.query(`select from ${write === "create" ? "applications" : "processes"} where id = $1 for update`, [
      held,
    ]);
    await first.query(
      statement,
      values.map((name) => place[name]),
    );
    const response = send(place, write);
    await untilWaiting(1);
    await first.query("commit");
    const left = await stateOf(place);
    await errorOf(await response, status);
    expect(await stateOf(place)).toStrictEqual({ ...left, audited: "0" });
  });
}

test.for(CHANGES.filter(([, writes]) => writes.includes("update")))(
  "whoever %s while a write is under way comes after it",
  async ([, , statement, values]) => {
    const place = await makePlace();
    await first.query("begin");
    // All is decided when this is waited for.
    await first.query("select from process_resource_types where id = $1 for update", [place.sizeId]);
    const response = send(place, "update");
    await untilWaiting(1);
    const change = late
      .query(
        statement,
        values.map((name) => place[name]),
      )
      .then(() => stateOf(place));
    await untilWaiting(2);
    await first.query("commit");
    expect((await change).audited).toBe("1");
    expect((await response).status).toBe(200);
  },
);

test("a key that expires while a write waits is no key", async () => {
  const place = await makePlace();
  await first.query("begin");
  await first.query("select from processes where id = $1 for update", [place.processId]);
  await records.pool.query("update api_keys set expires_at = now() + interval '500 milliseconds' where id = $1", [
    place.keyId,
  ]);
  const response = send(place, "update");
  await untilWaiting(1);
  await expect
    .poll(
      async () =>
        (await records.pool.query("select from api_keys where id = $1 and expires_at > now()", [place.keyId])).rowCount,
    )
    .toBe(0);
  await first.query("commit");
  await errorOf(await response, 401);
});

test("a permission that is given anew while a write waits for the old one is held as well", async () => {
  const place = await makePlace();
  const take = "delete from api_key_capabilities where api_key_id = $1";
  await first.query("begin");
  await first.query(take, [place.keyId]);
  await first.query(
    "insert into api_key_capabilities (api_key_id, company_id, permission) select id, company_id, 'APP:UPDATE' from api_keys where id = $1",
    [place.keyId],
  );
  const response = send(place, "update");
  await untilWaiting(1);
  await late.query("begin");
  await late.query("select from process_resource_types where id = $1 for update", [place.sizeId]);
  await first.query("commit");
  await untilWaiting(1);
  const taken = first.query(take, [place.keyId]).then(() => stateOf(place));
  await untilWaiting(2);
  await late.query("commit");
  expect((await response).status).toBe(200);
  expect((await taken).audited).toBe("1");
});

test("a poll that waits for another's leaves it its lease, which has been renewed meanwhile", async () => {
  const query = (async ({ text, bind }, values) => (await late.query(text, bind(values))).rows) as Reader["query"];
  await first.query("update feed set leased_until = null");
  await first.query("begin; select from feed for update");
  const poll = pollChanges({ query }, randomUUID(), null, true);
  await untilWaiting(1);
  const renew = "update feed set holder = gen_random_uuid(), leased_until = clock_timestamp() + interval '10 seconds'";
  await first.query(`${renew}; commit`);
  expect(await poll).toBeUndefined();
  await first.query("update feed set holder = null, leased_until = null");
});

/** Another application of the same company, for the same key. */
async function placeBeside(place: Place): Promise<Place> {
  const { id: applicationId } = await records.application(place.companyId);
  const { id: processId } = await records.process(applicationId, { type: "cron", schedule: "0 3 * * *" });
  return { ...place, applicationId, processId };
}

/** How many bytes the key has written. */
const writtenBy = async ({ keyId }: Place) =>
  Number((await records.pool.query("select bytes from api_key_writes where api_key_id = $1", [keyId])).rows[0]?.bytes);
const COUNT = "insert into api_key_writes values ($1, now() at time zone 'UTC', 0)";

test.for(["first", "later"])(
  "two %s writes of a key to different applications at once are both counted",
  async (which) => {
    const [place, alone] = [await makePlace(), await makePlace()];
    await send(alone, "update");
    await first.query("begin");
    if (which === "later") await records.pool.query(COUNT, [place.keyId]);
    const hold = which === "first" ? COUNT : "select from api_key_writes where api_key_id = $1 for update";
    await first.query(hold, [place.keyId]);
    const responses = [send(place, "update"), send(await placeBeside(place), "update")];
    await untilWaiting(2);
    await first.query("rollback");
    for (const response of responses) expect((await response).status).toBe(200);
    expect(await writtenBy(place)).toBe(2 * (await writtenBy(alone)));
  },
);

test.for<[what: string, statement: string]>([
  ["disables", "update api_keys set is_enabled = false where id = $1"],
  ["deletes", "delete from api_keys where id = $1"],
])("whoever %s a key while a write of it waits to be counted comes after it", async ([, statement]) => {
  const place = await makePlace();
  await records.pool.query(COUNT, [place.keyId]);
  await first.query("begin");
  await first.query("select from api_key_writes where api_key_id = $1 for update", [place.keyId]);
  const response = send(place, "update");
  await untilWaiting(1);
  const change = late.query(statement, [place.keyId]).then(() => stateOf(place));
  await untilWaiting(2);
  await first.query("commit");
  expect((await response).status).toBe(200);
  expect((await change).audited).toBe("1");
});

test("a write that waits for somebody's process lets other writes of its key pass", async () => {
  const place = await makePlace();
  await records.pool.query(COUNT, [place.keyId]);
  await first.query("begin");
  await first.query("insert into processes (application_id, key, entrypoint) values ($1, 'worker', '')", [
    place.applicationId,
  ]);
  const response = send(place, "create");
  await untilWaiting(1);
  expect((await send(await placeBeside(place), "create")).status).toBe(200);
  await first.query("rollback");
  expect((await response).status).toBe(200);
});

test("nothing is decided by what could not be held", async () => {
  const place = await makePlace();
  const enable = (isEnabled: boolean) =>
    records.pool.query("update api_keys set is_enabled = $2 where id = $1", [place.keyId, isEnabled]);
  await enable(false);
  const transact: Database["transact"] = async (statements, values) => {
    const [hold, decide] = statements.map(
      ({ text, bind }) =>
        () =>
          first.query(text, bind(values)),
    );
    await first.query("begin");
    await hold?.();
    await enable(true);
    const decided = await decide?.();
    await first.query("commit");
    return decided?.rows as never[];
  };
  const request = {
    operation: "delete",
    idempotencyKey: null,
    content: "",
    conditions: {},
    dryRun: false,
    dailyBytes: 1,
  };
  const { hash: keyHash, applicationId, processId } = place;
  const asked = { ...request, keyHash, id: applicationId, process_id: processId };
  const row = await sendWrite({ transact } as Database, "deleteProcessV3", asked);
  expect(row?.refusal).toBe("overtaken");
});

test("what a process is shown with may change while a condition waits for the process", async () => {
  const place = await makePlace();
  const etag = (await send(place, "update")).headers.get("etag") ?? "";
  await first.query("begin");
  await first.query("select from processes where id = $1 for update", [place.processId]);
  await first.query("update process_resource_types set name = name || '-2' where id = $1", [place.sizeId]);
  const response = send(place, "delete", { "if-match": etag });
  await untilWaiting(1);
  await first.query("commit");
  await errorOf(await response, 412);
});

test.for(["create", "update"] as const)("a size that is deleted while a %s waits for it is unknown", async (write) => {
  const place = await makePlace();
  await first.query("begin");
  await first.query("delete from process_resource_types where id = $1", [place.sizeId]);
  const response = send(place, write);
  await untilWaiting(1);
  await first.query("commit");
  expect((await errorOf(await response, 400)).message).toMatch(/^The body is invalid: resource_type_id must be/);
});
