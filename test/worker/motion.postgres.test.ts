// Clients of several companies read and write, while an administrator moves, revokes, deletes, holds locks, kills sessions and
// lets a backlog grow. Postgres tells when each transaction has committed; by that order every answer and every effect is judged.
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { useApi } from "../support/api.ts";
import { copyDatabase } from "../support/database.ts";
import { Random } from "../support/random.ts";
import { bearer, openRecords, type Records, sha256 } from "../support/records.ts";

/** `npm run test:motion` goes on for ten minutes. */
const SECONDS = Number(process.env.MOTION_SECONDS ?? 10);
const SEED = inject("seed");
const random = new Random(SEED);
const CLIENTS = 8;
const ADMINISTRATORS = 3;
const COMPANIES = 3;
/** Of one application: what a poll takes many times over. */
const BACKLOG = 200_000;
/** From the last change to the last wrong answer. */
const BOUND_MS = 60_000;
/** Clocks of one machine, and the rounding of a timestamp. */
const SLACK_MS = 100;

const connectionString = await copyDatabase();
const api = useApi({ connectionString, vars: { DATABASE_DEADLINE_MS: "3000" } });
let records: Records;
let sizeId: string;
const pool = new pg.Pool({ connectionString, max: ADMINISTRATORS + 2 });
// Sessions are killed.
pool.on("error", () => {});
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Key {
  id: string;
  token: string;
  companyId: string;
}
const companies: string[] = [];
const keys: Key[] = [];
interface Application {
  id: string;
  /** As far as is known without asking. */
  companyId: string;
}
const applications: Application[] = [];
const processes: { id: string; application: Application }[] = [];

/** What has become of what, and when, in milliseconds. */
class History {
  readonly #entries = new Map<string, { at: number; value: string }[]>();

  add(subject: string, at: number, value: string): void {
    const entries = this.#entries.get(subject) ?? [];
    entries.push({ at, value });
    this.#entries.set(
      subject,
      entries.sort((a, b) => a.at - b.at),
    );
  }

  /** Just before that moment. */
  before(subject: string, at: number): string | undefined {
    return this.#entries.get(subject)?.findLast((entry) => entry.at < at)?.value;
  }

  /** The moments within these bounds at which something may have become different, the first of them included. */
  momentsOf(subjects: readonly string[], from: number, to: number): number[] {
    const all = subjects.flatMap((subject) => this.#entries.get(subject) ?? []).map(({ at }) => at + 0.0005);
    return [from, ...all.filter((at) => at > from && at <= to)];
  }
}

/** Makes a change, and writes down what it has changed: `$1` and so on, and `returning subject, value`. */
const change = (client: pg.Client | pg.PoolClient, sql: string, values: unknown[]) =>
  client.query(`with changed as (${sql}) insert into history select * from changed`, values);

beforeAll(async () => {
  records = await openRecords(connectionString);
  records.pool.on("error", () => {});
  await records.pool.query("create table history (subject text not null, value text not null)");
  sizeId = (await records.resourceType()).id;
  for (let n = 0; n < COMPANIES; n++) companies.push(await records.company());
  for (const companyId of companies) {
    for (let n = 0; n < 2; n++) await newKey(companyId);
    for (let n = 0; n < 3; n++) await newApplication(companyId);
  }
});
afterAll(async () => {
  await pool.end();
  await records.close();
});

async function newKey(companyId: string): Promise<void> {
  const { id, token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  await records.pool.query("insert into history values ($1, 'live'), ($2, 'live'), ($3, 'live'), ($4, 'live')", [
    `key ${id}`,
    `token ${sha256(token)}`,
    `APP:READ ${id}`,
    `APP:UPDATE ${id}`,
  ]);
  keys.push({ id, token, companyId });
}

async function newApplication(companyId: string): Promise<void> {
  const { id } = await records.application(companyId);
  const { id: processId } = await records.process(id, { type: "cron", schedule: "0 * * * *" });
  await records.pool.query("insert into history values ($1, $2), ($3, $4)", [
    `application ${id}`,
    companyId,
    `process ${processId}`,
    id,
  ]);
  const application = { id, companyId };
  applications.push(application);
  processes.push({ id: processId, application });
}

/** What an administrator may do, in a transaction. */
const ACTIONS: ((client: pg.PoolClient) => Promise<unknown>)[] = [
  (client) => {
    const application = random.pick(applications);
    application.companyId = random.pick(companies);
    return change(
      client,
      "update applications set company_id = $2::uuid where id = $1 returning 'application ' || id, company_id::text",
      [application.id, application.companyId],
    );
  },
  (client) => {
    const process = random.pick(processes);
    process.application = random.pick(applications);
    return change(
      client,
      "update processes set application_id = $2 where id = $1 returning 'process ' || id, application_id::text",
      [process.id, process.application.id],
    );
  },
  (client) =>
    change(
      client,
      "delete from api_key_capabilities where api_key_id = $1 and permission = $2 returning permission || ' ' || api_key_id, 'gone'",
      [random.pick(keys).id, random.pick(["APP:READ", "APP:UPDATE"])],
    ),
  (client) =>
    change(
      client,
      `insert into api_key_capabilities (api_key_id, company_id, permission) select id, company_id, $2::api_key_permission
        from api_keys where id = $1 on conflict do nothing returning permission || ' ' || api_key_id, 'live'`,
      [random.pick(keys).id, random.pick(["APP:READ", "APP:UPDATE"])],
    ),
  (client) =>
    change(
      client,
      "update api_keys set is_enabled = not is_enabled where id = $1 returning 'key ' || id, case when is_enabled then 'live' else 'gone' end",
      [random.pick(keys).id],
    ),
  (client) =>
    change(
      client,
      "delete from api_key_tokens where hash = decode($1, 'hex') returning 'token ' || encode(hash, 'hex'), 'gone'",
      [sha256(random.pick(keys).token)],
    ),
  (client) =>
    change(client, "delete from api_keys where id = $1 returning 'key ' || id, 'gone'", [random.pick(keys).id]),
  (client) =>
    change(client, "delete from applications where id = $1 returning 'application ' || id, 'gone'", [
      random.pick(applications).id,
    ]),
  // Whoever writes to these waits.
  (client) => client.query("select from applications where id = $1 for update", [random.pick(applications).id]),
  (client) => client.query("select from processes where id = $1 for update", [random.pick(processes).id]),
  (client) => client.query("select from process_resource_types for update"),
  // More tags than a purge takes, so that they become coarser.
  (client) => client.query("update processes set port = coalesce(port, 0) % 60000 + 1"),
  (client) =>
    client.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() limit 1",
    ),
];

async function administrate(until: number): Promise<void> {
  while (Date.now() < until) {
    // What has ended is not for ever.
    if (random.oneIn(2)) await newKey(random.pick(companies)).catch(() => {});
    if (random.oneIn(3)) await newApplication(random.pick(companies)).catch(() => {});
    await transact();
    await sleep(random.integer(0, 100));
  }
}

async function transact(): Promise<void> {
  try {
    const client = await pool.connect();
    let isBroken = false;
    // Else it ends the process.
    const note = () => {
      isBroken = true;
    };
    client.on("error", note);
    try {
      await client.query("begin; set local lock_timeout = '1s'");
      for (let n = random.integer(1, 3); n > 0; n--) {
        await random.pick(ACTIONS)(client);
        await sleep(random.oneIn(2) ? 0 : random.integer(0, 300));
      }
      await client.query("commit");
    } catch {
      // Locked out, in a deadlock, or killed: then nothing has happened.
      await client.query("rollback").catch(note);
    }
    client.off("error", note);
    client.release(isBroken);
  } catch {
    // The connection was killed before it was used.
  }
}

interface Exchange {
  kind: "read" | "copy" | "write";
  operation: string;
  key: Key;
  applicationId: string;
  processId: string | undefined;
  from: number;
  to: number;
  status: number;
  requestId: string;
}
const exchanges: Exchange[] = [];

const WRITES = {
  create: (): [method: string, path: string, body?: object] => [
    "POST",
    "",
    {
      type: "cron",
      schedule: "0 * * * *",
      display_name: randomUUID(),
      resource_type_id: sizeId,
      scaling_strategy: { type: "manual", config: { instanceCount: 1 } },
    },
  ],
  update: (id: string): [string, string, object] => [
    "PATCH",
    `/${id}`,
    { display_name: randomUUID(), resource_type_id: sizeId },
  ],
  delete: (id: string): [string, string] => ["DELETE", `/${id}`],
  trigger: (id: string): [string, string] => ["POST", `/${id}/trigger`],
};

const pathOf = (applicationId: string) => `/v3/applications/${applicationId}/processes`;

async function ask(): Promise<void> {
  const key = random.pick(keys.slice(-6));
  const recent = processes.slice(-20);
  const own = recent.filter(({ application }) => application.companyId === key.companyId);
  const process = random.pick(own.length === 0 || random.oneIn(5) ? recent : own);
  const { id: processId, application } = process;
  const applicationId = application.id;
  const kind = random.pick(["read", "copy", "copy", "write", "write"] as const);
  const operation =
    kind === "write" ? random.pick(["create", "update", "update", "delete", "trigger"] as const) : "get";
  const [method, path, body] = operation === "get" ? ["GET", `/${processId}`] : WRITES[operation](processId);
  const from = Date.now();
  const response = await api.fetch(pathOf(applicationId) + path, {
    method,
    headers: {
      ...bearer(key.token).headers,
      ...(kind === "read" && { "cache-control": "no-cache" }),
      ...(body && { "content-type": "application/json" }),
      ...(random.oneIn(2) && kind === "write" && { "idempotency-key": randomUUID() }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { id?: string };
  const { status } = response;
  if (operation === "create" && status === 200) processes.push({ id: String(answer.id), application });
  const requestId = String(response.headers.get("x-request-id"));
  exchanges.push({ kind, operation, key, applicationId, processId, from, to: Date.now(), status, requestId });
}

/** What was written down of changes and of effects, in the order of commits. */
async function readHistory() {
  const history = new History();
  const at = "extract(epoch from pg_xact_commit_timestamp(xmin))::float8 * 1000 as at";
  for (const row of (await records.pool.query(`select *, ${at} from history`)).rows)
    history.add(row.subject, row.at, row.value);
  const { rows: effects } = await records.pool.query(`select *, ${at} from audit_log order by id`);
  for (const { process_id, application_id, operation, at } of effects) {
    if (operation === "create") history.add(`process ${process_id}`, at, application_id);
    if (operation === "delete") history.add(`process ${process_id}`, at, "gone");
  }
  return { history, effects };
}

/** What must hold for a key to do something, by the status of the answer if it does not. */
const demandsOf = ({ key, kind, operation, applicationId, processId }: Exchange) => ({
  401: { [`token ${sha256(key.token)}`]: "live", [`key ${key.id}`]: "live" },
  403: { [`${kind === "write" ? "APP:UPDATE" : "APP:READ"} ${key.id}`]: "live" },
  404: {
    [`application ${applicationId}`]: key.companyId,
    ...(operation !== "create" && { [`process ${processId}`]: applicationId }),
  },
});

test(`nothing is shown or written that was not its asker's, for ${SECONDS} seconds (seed ${SEED})`, async () => {
  await api.runClock();
  const until = Date.now() + SECONDS * 1_000;
  let isSettled = false;
  // Its last run ends with the Worker.
  void (async () => {
    while (!isSettled) await api.runFeed();
  })().catch(() => {});
  const client = async () => {
    while (Date.now() < until) await ask();
  };
  await Promise.all([
    ...Array.from({ length: CLIENTS }, client),
    ...Array.from({ length: ADMINISTRATORS }, () => administrate(until)),
    (async () => {
      await sleep((SECONDS * 1_000) / 2);
      await records.pool.query(
        "insert into changes (kind, resource_id, application_id, company_id) select 'process', gen_random_uuid(), $1, $2 from generate_series(1, $3::int)",
        [applications[0]?.id, companies[0], BACKLOG],
      );
    })(),
  ]);

  const { history, effects } = await readHistory();
  const wrong: object[] = [];
  const byRequest = new Map(exchanges.map((exchange) => [exchange.requestId, exchange]));
  for (const { at, operation, company_id, application_id, request_id } of effects) {
    const exchange = byRequest.get(request_id);
    // Whoever was not answered may still have written.
    if (exchange === undefined || ![200, 500].includes(exchange.status)) {
      wrong.push({ effectOf: exchange ?? request_id, operation });
      continue;
    }
    for (const [subject, value] of Object.values(demandsOf(exchange)).flatMap((demands) => Object.entries(demands))) {
      const found = history.before(subject, at);
      if (found !== value) wrong.push({ operation, subject, value, found, at, exchange, company_id, application_id });
    }
  }
  const audited = new Map<string, number>();
  for (const { request_id } of effects) audited.set(request_id, (audited.get(request_id) ?? 0) + 1);
  for (const exchange of exchanges) {
    const { kind, status, requestId, from, to } = exchange;
    if (kind === "write" && status === 200 && audited.get(requestId) !== 1) wrong.push({ unaudited: exchange });
    if (kind === "copy") continue;
    const demands = demandsOf(exchange);
    const all = Object.values(demands).flatMap((one) => Object.entries(one));
    const holdsAt = (list: [string, string][]) => (moment: number) =>
      list.every(([subject, value]) => history.before(subject, moment) === value);
    const moments = history.momentsOf(
      all.map(([subject]) => subject),
      from - SLACK_MS,
      to + SLACK_MS,
    );
    if (status === 200 && !moments.some(holdsAt(all))) wrong.push({ unjustified: exchange });
    if (status === 400) wrong.push({ refused: exchange });
    const missing = demands[status as keyof typeof demands];
    if (missing && moments.every(holdsAt(Object.entries(missing)))) wrong.push({ denied: exchange });
  }
  expect(wrong).toStrictEqual([]);

  // At last everybody is answered from the edge as from the database.
  const differences = async () => {
    const found: object[] = [];
    for (const key of keys.slice(-12)) {
      for (const { id, application } of processes.slice(-30)) {
        const [fromEdge, now] = await Promise.all(
          [{}, { "cache-control": "no-cache" }].map(async (headers) => {
            const path = `${pathOf(application.id)}/${id}`;
            const response = await api.fetch(path, { headers: { ...bearer(key.token).headers, ...headers } });
            return [response.status, response.headers.get("etag")];
          }),
        );
        if (String(fromEdge) !== String(now)) found.push({ key: key.id, id, application, fromEdge, now });
      }
    }
    return found;
  };
  await expect.poll(differences, { timeout: BOUND_MS, interval: 1_000 }).toStrictEqual([]);
  isSettled = true;
  await expect
    .poll(async () => (await records.pool.query("select from changes limit 1")).rowCount, { timeout: BOUND_MS })
    .toBe(0);
  // Else nothing was put to the test. What is rare is only sure to happen in a minute.
  const seen = new Set(exchanges.map(({ kind, status }) => `${kind} ${status}`));
  const rare = SECONDS < 60 ? [] : [401, 403, 404];
  expect([...seen]).toEqual(
    expect.arrayContaining([200, ...rare].flatMap((s) => [`read ${s}`, `copy ${s}`, `write ${s}`])),
  );
  expect(effects.length).toBeGreaterThan(SECONDS);
}, 0);
