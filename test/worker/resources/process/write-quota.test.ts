// How many bytes a key may write in a day.
import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import type { Database } from "../../../../src/worker/db/client.ts";
import { SETTINGS } from "../../../../src/worker/shared/config.ts";
import { useApi } from "../../../support/api.ts";
import { bearer, sha256, useRecords } from "../../../support/records.ts";
import { errorOf, reasonOf } from "../../../support/response.ts";
import { sendWrite } from "../../../support/statements.ts";

const api = useApi();
const records = useRecords();
let companyId: string;
let sizeId: string;
beforeAll(async () => {
  companyId = await records.company();
  sizeId = (await records.resourceType()).id;
});

const { default: BOUND, minimum: LEAST } = SETTINGS.KEY_DAILY_WRITE_BYTES;
const TODAY = "(now() at time zone 'UTC')::date";

/** An application with a process of each kind that a test needs, and a key that has written so many bytes on such a day. */
async function makeWriter(bytes?: number, day = TODAY) {
  const key = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  if (bytes !== undefined) {
    await records.pool.query(`insert into api_key_writes values ($1, ${day}, $2)`, [key.id, bytes]);
  }
  const { id: applicationId } = await records.application(companyId);
  const [web, cron] = [
    await records.process(applicationId, { type: "web", resourceTypeId: sizeId }),
    await records.process(applicationId, { type: "cron", schedule: "0 * * * *", resourceTypeId: sizeId }),
  ];
  const list = `/v3/applications/${applicationId}/processes`;
  return { ...key, applicationId, list, web: `${list}/${web.id}`, webId: web.id, cron: `${list}/${cron.id}` };
}
type Writer = Awaited<ReturnType<typeof makeWriter>>;

function send({ token }: Writer, method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const json = body && { "content-type": "application/json" };
  return api.fetch(path, {
    method,
    headers: { ...bearer(token).headers, ...json, ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
}

const NEW_WORKER = () => ({
  type: "worker",
  display_name: "A worker",
  resource_type_id: sizeId,
  scaling_strategy: { type: "manual", config: { instanceCount: 1 } },
});

/** Asks for every write that there is. */
const sendEach = async (writer: Writer, query = "", headers?: Record<string, string>) => [
  await send(writer, "POST", `${writer.list}${query}`, NEW_WORKER(), headers),
  await send(writer, "PATCH", `${writer.web}${query}`, { port: 7 }, headers),
  await send(writer, "POST", `${writer.cron}/trigger${query}`, undefined, headers),
  await send(writer, "DELETE", `${writer.cron}${query}`, undefined, headers),
];

const statusesOf = (responses: Response[]) => responses.map(({ status }) => status);

/** The day on which the key has written last, and how much. */
async function writtenBy({ id }: Writer) {
  const { rows } = await records.pool.query(
    `select day = ${TODAY} as "isToday", bytes::int from api_key_writes where api_key_id = $1`,
    [id],
  );
  return rows[0] as { isToday: boolean; bytes: number } | undefined;
}

/** All that a write may leave behind. */
async function stateOf({ id, applicationId }: Writer) {
  const { rows } = await records.pool.query(
    `select (select jsonb_agg(p order by p.id) from processes p where application_id = $2) as processes,
      (select count(*) from process_runs r join processes p on p.id = process_id where application_id = $2) as runs,
      (select count(*) from audit_log where application_id = $2) as audited,
      (select count(*) from idempotent_answers where api_key_id = $1) as kept,
      (select count(*) from changes where application_id = $2) as changes,
      (select jsonb_agg(w) from api_key_writes w where api_key_id = $1) as written`,
    [id, applicationId],
  );
  return rows[0];
}

test("a key that has written what it may today is refused until midnight, and leaves nothing behind", async () => {
  const writer = await makeWriter(BOUND);
  const before = await stateOf(writer);
  const secondsLeft = async () =>
    (await records.pool.query(`select extract(epoch from ${TODAY} + 1 - now() at time zone 'UTC')::float8 as s`))
      .rows[0].s;
  for (const request of [sendEach(writer), sendEach(writer, "", { "idempotency-key": randomUUID() })]) {
    for (const response of await request) {
      expect((await errorOf(response, 429)).data.message).toContain(`${BOUND} bytes`);
      expect(reasonOf(response)).toBe("write_quota_reached");
      // Those belong to what is counted in a data centre.
      for (const name of response.headers.keys()) expect(name).not.toContain("ratelimit");
      const retryAfter = Number(response.headers.get("retry-after"));
      expect(retryAfter).toBe(Math.round(retryAfter));
      // Midnight may come between the two.
      expect(retryAfter).toSatisfy((s: number) => s >= 1 && s <= 86_400);
      expect((retryAfter - (await secondsLeft()) + 86_400) % 86_400).toBeLessThan(600);
    }
  }
  expect(await stateOf(writer)).toStrictEqual(before);
  // Neither are reads refused, nor the writes of others.
  expect((await send(writer, "GET", writer.web)).status).toBe(200);
  expect(statusesOf(await sendEach(await makeWriter(BOUND - 1)))).toStrictEqual([200, 429, 429, 429]);
});

test("other keys, and yesterday, count by themselves", async () => {
  await makeWriter(BOUND);
  for (const writer of [
    await makeWriter(),
    await makeWriter(BOUND, `${TODAY} - 1`),
    await makeWriter(BOUND, `${TODAY} + 1`),
  ]) {
    expect(statusesOf(await sendEach(writer))).toStrictEqual([200, 200, 200, 200]);
    expect(await writtenBy(writer)).toMatchObject({ isToday: true, bytes: expect.toSatisfy((n) => n < 20_000) });
  }
});

test("what is refused for another reason, tried or repeated is not refused for this one", async () => {
  const writer = await makeWriter();
  const once = { "idempotency-key": randomUUID() };
  const first = await (await send(writer, "PATCH", writer.web, { port: 8 }, once)).text();
  await records.pool.query("update api_key_writes set bytes = $2 where api_key_id = $1", [writer.id, BOUND]);
  const before = await stateOf(writer);

  const again = await send(writer, "PATCH", writer.web, { port: 8 }, once);
  expect([again.headers.get("idempotent-replayed"), await again.text()]).toStrictEqual(["true", first]);
  expect(statusesOf(await sendEach(writer, "?dry_run=true"))).toStrictEqual([200, 200, 200, 200]);
  const refused = [
    await send(writer, "PATCH", writer.web, { port: 9 }, once),
    await send(writer, "PATCH", writer.web, { port: 9 }, { "if-match": '"x"' }),
    await send(writer, "PATCH", writer.web, { schedule: "0 * * * *" }),
    await send(writer, "DELETE", writer.web),
    await send(writer, "DELETE", `${writer.list}/${randomUUID()}`),
  ];
  expect(refused.map(reasonOf)).toStrictEqual([
    "idempotency_key_reused",
    "precondition_failed",
    "invalid_fields",
    "web_process_kept",
    "no_such_resource",
  ]);
  expect(await stateOf(writer)).toStrictEqual(before);
});

test("a key is counted what its writes leave behind, and nothing where they leave nothing", async () => {
  const writer = await makeWriter();
  let known = 0;
  /** How much more the key has written since the last time. */
  async function counted(): Promise<number> {
    const last = known;
    known = (await writtenBy(writer))?.bytes ?? 0;
    return known - last;
  }
  /** The bytes of the rows that a request has left: JSON, and for the process, the audit log and the kept response 600 each. */
  async function leftBy(response: Response, key: string, body?: number) {
    const { rows } = await records.pool.query(
      `with kept as (select octet_length(body) as body from idempotent_answers where key = $2)
      select (select body from kept) as body, coalesce((select 1200 + coalesce($3, (select body from kept))
          + coalesce(octet_length(before::text), 0) + coalesce(octet_length(after::text), 0)
        from audit_log where request_id = $1), 0) + coalesce((select 600 + body from kept), 0) as bytes`,
      [response.headers.get("x-request-id"), key, body],
    );
    return rows[0] as { body: number; bytes: number };
  }

  const sizes: number[] = [];
  for (const [method, path, body] of [
    ["POST", writer.list, NEW_WORKER()],
    ["PATCH", writer.web, { port: 7 }],
    // Only the response is kept of what changes nothing.
    ["PATCH", writer.web, { port: 7 }],
    ["POST", `${writer.cron}/trigger`],
    ["DELETE", writer.cron],
  ] as const) {
    const key = randomUUID();
    const response = await send(writer, method, path, body, { "idempotency-key": key });
    expect(response.status).toBe(200);
    const left = await leftBy(response, key);
    sizes.push(left.body);
    expect(await counted()).toBe(left.bytes);
    expect(left.bytes).toBeGreaterThan(600);
    await send(writer, method, path, body, { "idempotency-key": key });
    expect(await counted()).toBe(0);
  }
  const unkeyed = await send(writer, "PATCH", writer.web, { port: 8 });
  expect(await counted()).toBe((await leftBy(unkeyed, "", sizes[1])).bytes);
  const nothing = [
    await send(writer, "PATCH", writer.web, { port: 8 }),
    await send(writer, "PATCH", `${writer.web}?dry_run=true`, { port: 9 }),
    await send(writer, "PATCH", writer.web, { port: 9 }, { "if-match": '"x"' }),
  ];
  expect(statusesOf(nothing)).toStrictEqual([200, 200, 412]);
  expect(await counted()).toBe(0);
});

test("the bound holds for bodies as large as there may be", async () => {
  await api.set({ KEY_DAILY_WRITE_BYTES: String(LEAST) });
  const writer = await makeWriter();
  const probe = () => ({ exec: { command: [randomUUID().repeat(1_700)] } });
  const statuses: number[] = [];
  for (let n = 0; n < 6; n++) {
    const keyed = { "idempotency-key": randomUUID() };
    statuses.push((await send(writer, "PATCH", writer.web, { liveness_probe: probe() }, keyed)).status);
  }
  // Each leaves its body four times: in the process, as it was and as it is in the audit log, and in the kept response.
  expect(statuses).toStrictEqual([200, 200, 200, 200, 200, 429]);
});

// POSIX counts westward: 14 hours before Greenwich, and 12 behind. In one of the two it is always another day.
test.for(["<+14>-14", "<-12>+12"])("a day is one of UTC, whatever the time zone of the session: %s", async (zone) => {
  const writer = await makeWriter();
  const transact: Database["transact"] = async (statements, values) => {
    const client = await records.pool.connect();
    try {
      await client.query(`begin; set local time zone '${zone}'`);
      const rows = [];
      for (const { text, bind } of statements) rows.push((await client.query(text, bind(values))).rows);
      await client.query("commit");
      return rows.at(-1) as never[];
    } finally {
      client.release();
    }
  };
  const row = await sendWrite({ transact } as Database, "updateProcessV3", {
    keyHash: sha256(writer.token),
    id: writer.applicationId,
    process_id: writer.webId,
    idempotencyKey: null,
    dailyBytes: BOUND,
    columns: JSON.stringify({ port: 7 }),
  });
  expect(row).toMatchObject({ refusal: null, secondsLeftToday: expect.toSatisfy((s) => s >= 1 && s <= 86_400) });
  expect(await writtenBy(writer)).toMatchObject({ isToday: true });
});
