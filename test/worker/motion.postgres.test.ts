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
const CLIENTS = 20;
const ADMINISTRATORS = 8;
const COMPANIES = 3;
const QUIET_COMPANIES = 8;
const CROWDS = 5;
/** Of these everybody takes the latest, so that they meet. */
const KEYS = 8;
const APPLICATIONS = 5;
/** Of one application: what a poll takes many times over. */
const BACKLOG = 100_000;
/** While the feed runs: from a change to the last answer from the cache that does not show it. */
const BOUND_MS = 60_000;
/** The feed is stopped once, which in ten minutes is long enough for it to be silent. */
const STOP_MS = SECONDS * 250;
/** From the time of a commit until others see it, on a busy machine. */
const SLACK_MS = 1_000;

const connectionString = await copyDatabase();
const api = useApi({ connectionString, vars: { DATABASE_DEADLINE_MS: "3000" } });
let records: Records;
const sizes: string[] = [];
const pool = new pg.Pool({ connectionString, max: ADMINISTRATORS + 2 });
// Sessions are killed.
pool.on("error", () => {});
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Key {
  id: string;
  token: string;
  companyId: string;
  /** What has just been written with a key is not read from the cache with it. */
  isWriter: boolean;
  /** As the last answer says: then it is seldom of use. */
  isRefused: boolean;
}
const companies: string[] = [];
const keys: Key[] = [];
interface Application {
  id: string;
  /** As far as is known without asking. */
  companyId: string;
}
const applications: Application[] = [];
/** Each with many processes, which change together. */
const crowds: Application[] = [];
interface Process {
  id: string;
  application: Application;
  home: Application;
}
const processes: Process[] = [];
/** Of companies with which nothing else happens: no purge is of use to them that was meant for others. */
let quiet: { keys: Key[]; processes: Process[] };

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
const change = (client: pg.Pool | pg.PoolClient, sql: string, values: unknown[]) =>
  client.query(`with changed as (${sql}) insert into history select * from changed`, values);

beforeAll(async () => {
  records = await openRecords(`${connectionString}?application_name=judge`);
  await records.pool.query("create table history (subject text not null, value text not null)");
  for (let n = 0; n < 3; n++) sizes.push((await records.resourceType()).id);
  for (let n = 0; n < QUIET_COMPANIES; n++) await newCompany();
  quiet = { keys: [...keys], processes: [...processes] };
  for (let n = 0; n < CROWDS; n++) crowds.push(await newApplication(await records.company()));
  await records.pool.query(
    "insert into processes (application_id, key, entrypoint) select id, n, '' from unnest($1::uuid[]) id, generate_series(1, 150) n",
    [crowds.map(({ id }) => id)],
  );
  for (let n = 0; n < COMPANIES; n++) companies.push(await newCompany());
});
afterAll(async () => {
  await pool.end();
  await records.close();
});

async function newCompany(): Promise<string> {
  const companyId = await records.company();
  for (let n = 0; n < 2; n++) await newKey(companyId);
  for (let n = 0; n < 2; n++) await newApplication(companyId);
  return companyId;
}

async function newKey(companyId: string): Promise<void> {
  const { id, token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  await records.pool.query("insert into history values ($1, 'live'), ($2, 'live'), ($3, 'live'), ($4, 'live')", [
    `key ${id}`,
    `token ${sha256(token)}`,
    `APP:READ ${id}`,
    `APP:UPDATE ${id}`,
  ]);
  keys.push({ id, token, companyId, isWriter: keys.length % 2 === 0, isRefused: false });
}

async function newApplication(companyId: string): Promise<Application> {
  const { id } = await records.application(companyId);
  const application = { id, companyId };
  await records.pool.query("insert into history values ($1, $2)", [`application ${id}`, companyId]);
  for (let n = 0; n < 3; n++) {
    const { id: processId } = await records.process(id, { type: "cron", schedule: "0 * * * *" });
    await records.pool.query("insert into history values ($1, $2)", [`process ${processId}`, id]);
    processes.push({ id: processId, application, home: application });
  }
  applications.push(application);
  return application;
}

const aKey = () => random.pick(keys.slice(-KEYS));
const anApplication = () => random.pick(applications.slice(-APPLICATIONS));
const aProcess = () => random.pick(processes.slice(-3 * APPLICATIONS));

const removeAll = (client: pg.PoolClient, what: "key" | "application", column: string, id: string | undefined) =>
  change(
    client,
    `delete from ${what === "key" ? "api_keys" : "applications"} where ${column} = $1 returning '${what} ' || id, 'gone'`,
    [id],
  );

const deleteToken = (client: pg.Pool | pg.PoolClient, { token }: Key) =>
  change(
    client,
    "delete from api_key_tokens where hash = decode($1, 'hex') returning 'token ' || encode(hash, 'hex'), 'gone'",
    [sha256(token)],
  );

type Action = (client: pg.PoolClient) => Promise<unknown>;

const moveApplication: Action = (client) => {
  const application = anApplication();
  application.companyId = random.pick(companies.filter((id) => id !== application.companyId));
  return change(
    client,
    "update applications set company_id = $2::uuid where id = $1 returning 'application ' || id, company_id::text",
    [application.id, application.companyId],
  );
};

/** Whoever gives a process a size waits, and the application moves on meanwhile. */
const moveBehindLock: Action = async (client) => {
  await client.query("select from process_resource_types for update");
  await sleep(random.integer(0, 300));
  await moveApplication(client);
};

const moveProcess = (client: pg.PoolClient, process: Process, application: Application) => {
  process.application = application;
  return change(
    client,
    "update processes set application_id = $2 where id = $1 returning 'process ' || id, application_id::text",
    [process.id, application.id],
  );
};

/** With more tags than a purge takes, so that those of the crowd become coarser. */
const moveWithCrowd: Action = async (client) => {
  const process = random.pick(quiet.processes);
  const crowd = random.pick(crowds);
  await moveProcess(client, process, process.application === process.home ? crowd : process.home);
  await client.query("update processes set port = coalesce(port, 0) % 60000 + 1 where application_id = $1", [crowd.id]);
};

/** What an administrator may do, in a transaction. */
const ACTIONS: Action[] = [
  moveApplication,
  moveBehindLock,
  moveBehindLock,
  moveBehindLock,
  (client) => moveProcess(client, aProcess(), anApplication()),
  moveWithCrowd,
  moveWithCrowd,
  moveWithCrowd,
  (client) =>
    change(
      client,
      "delete from api_key_capabilities where api_key_id = $1 and permission = $2 returning permission || ' ' || api_key_id, 'gone'",
      [aKey().id, random.pick(["APP:READ", "APP:UPDATE"])],
    ),
  (client) =>
    change(
      client,
      `insert into api_key_capabilities (api_key_id, company_id, permission) select id, company_id, $2::api_key_permission
        from api_keys where id = $1 on conflict do nothing returning permission || ' ' || api_key_id, 'live'`,
      [aKey().id, random.pick(["APP:READ", "APP:UPDATE"])],
    ),
  (client) =>
    change(
      client,
      "update api_keys set is_enabled = not is_enabled where id = $1 returning 'key ' || id, case when is_enabled then 'live' else 'gone' end",
      [aKey().id],
    ),
  (client) => deleteToken(client, aKey()),
  (client) => removeAll(client, "key", "id", aKey().id),
  async (client) => random.oneIn(3) && (await removeAll(client, "application", "id", anApplication().id)),
  async (client) => {
    if (!random.oneIn(10)) return;
    const n = random.integer(0, COMPANIES);
    const companyId = companies[n];
    companies[n] = await newCompany();
    await removeAll(client, "key", "company_id", companyId);
    await removeAll(client, "application", "company_id", companyId);
    await client.query("delete from companies where id = $1", [companyId]);
  },
  // Whoever writes to these waits.
  (client) => client.query("select from applications where id = $1 for update", [anApplication().id]),
  (client) => client.query("select from processes where id = $1 for update", [aProcess().id]),
  (client) =>
    client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and application_name <> 'judge' limit 1`,
    ),
];

async function administrate(): Promise<void> {
  while (!isOver()) {
    // What has ended is not for ever.
    if (keys.slice(-KEYS).filter(({ isRefused }) => isRefused).length > KEYS / 2)
      await newKey(random.pick(companies)).catch(() => {});
    if (random.oneIn(5)) await newApplication(random.pick(companies)).catch(() => {});
    await transact(Array.from({ length: random.integer(1, 3) }, () => random.pick(ACTIONS)));
    await sleep(random.integer(0, 100));
  }
}

async function transact(actions: readonly Action[]): Promise<void> {
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
      for (const act of actions) {
        await act(client);
        await sleep(random.oneIn(2) ? 0 : random.integer(0, 300));
      }
      await client.query("commit");
    } catch {
      // Locked out, in a deadlock, or killed: then nothing has happened.
      await client.query("rollback").catch(note);
    }
    // What is thrown away may still fail.
    if (!isBroken) client.off("error", note);
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
let endsAt = Number.POSITIVE_INFINITY;
let written = 0;
/** On a busy machine it takes longer until anything was put to the test. */
const isOver = () => Date.now() >= endsAt && written > SECONDS;

const WRITES = {
  create: (): [method: string, path: string, body?: object] => [
    "POST",
    "",
    {
      type: "cron",
      schedule: "0 * * * *",
      display_name: randomUUID(),
      resource_type_id: random.pick(sizes),
      scaling_strategy: { type: "manual", config: { instanceCount: 1 } },
    },
  ],
  update: (id: string): [string, string, object] => [
    "PATCH",
    `/${id}`,
    { display_name: randomUUID(), resource_type_id: random.pick(sizes) },
  ],
  delete: (id: string): [string, string] => ["DELETE", `/${id}`],
  trigger: (id: string): [string, string] => ["POST", `/${id}/trigger`],
};

const pathOf = (applicationId: string) => `/v3/applications/${applicationId}/processes`;

async function ask(isWriter: boolean): Promise<void> {
  const all = keys.slice(-KEYS).filter((key) => key.isWriter === isWriter);
  const useful = all.filter(({ isRefused }) => !isRefused);
  const isQuiet = !isWriter && random.oneIn(2);
  const key = random.pick(isQuiet ? quiet.keys : useful.length === 0 || random.oneIn(10) ? all : useful);
  const known = isQuiet ? quiet.processes : processes.slice(-30);
  const own = known.filter(({ application }) => application.companyId === key.companyId);
  const { id: processId, application } = own.length === 0 || random.oneIn(5) ? aProcess() : random.pick(own);
  const applicationId = application.id;
  const kind = isWriter ? random.pick(["read", "write", "write"] as const) : "copy";
  const operation =
    kind === "write" ? random.pick(["create", "create", "update", "update", "delete", "trigger"] as const) : "get";
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
  key.isRefused = status === 401;
  if (kind === "write" && status === 200) written++;
  if (operation === "create" && status === 200)
    processes.push({ id: String(answer.id), application, home: application });
  const requestId = String(response.headers.get("x-request-id"));
  exchanges.push({ kind, operation, key, applicationId, processId, from, to: Date.now(), status, requestId });
}

/** What clients alone give to a process: their names for it, and its runs. */
const UNAUDITED = `select display_name as what from processes
  where display_name ~ '^[0-9a-f-]{36}$' and not exists (select from audit_log where process_id = processes.id and after ->> 'display_name' = display_name)
  union all select id::text from process_runs where not exists (select from audit_log where after ->> 'id' = process_runs.id::text)`;

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

/** Takes the feed's lease away, and keeps it for some time. */
async function stopFeed(): Promise<void> {
  await sleep(SECONDS * 500);
  stop.from = Date.now();
  await records.pool.query(
    "update feed set holder = gen_random_uuid(), leased_until = now() + $1 * interval '1 millisecond'",
    [STOP_MS],
  );
  stop.to = stop.from + STOP_MS;
}
const stop = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };

/** Revokes keys behind a backlog, of which others are issued. */
async function fallBehind(): Promise<void> {
  await sleep(SECONDS * 600);
  const crowd = random.pick(crowds);
  await records.pool.query(
    "insert into changes (kind, resource_id, application_id, company_id) select 'process', gen_random_uuid(), $1, $2 from generate_series(1, $3::int)",
    [crowd.id, crowd.companyId, BACKLOG],
  );
  for (const key of quiet.keys.slice(-QUIET_COMPANIES)) await deleteToken(records.pool, key);
}

/** How old what an answer from the cache shows may be, at the most. */
function oldest(askedAt: number): number {
  const bound = askedAt - BOUND_MS;
  return bound < stop.to && askedAt > stop.from ? bound - (Math.min(askedAt, stop.to) - stop.from) : bound;
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
  // Nothing is in the cache yet.
  await records.pool.query("delete from changes");
  await records.pool.query("update feed set healthy_at = now()");
  endsAt = Date.now() + SECONDS * 1_000;
  let isSettled = false;
  // Its last run ends with the Worker.
  void (async () => {
    while (!isSettled) await api.runFeed();
  })().catch(() => {});
  const client = async (_: unknown, n: number) => {
    while (!isOver()) await ask(n % 2 === 0);
  };
  await Promise.all([
    ...Array.from({ length: CLIENTS }, client),
    ...Array.from({ length: ADMINISTRATORS }, administrate),
    stopFeed(),
    fallBehind(),
  ]);

  const countChanges = async () => (await records.pool.query("select from changes limit 1")).rowCount;
  await expect.poll(countChanges, { timeout: BOUND_MS }).toBe(0);
  // Now that it is calm, what is forgotten is not purged by chance.
  for (let n = 0; n < 300; n++) await ask(false);
  for (let n = 0; n < 8; n++) await transact([moveWithCrowd]);

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
  // And nothing has taken effect without.
  for (const { what } of (await records.pool.query(UNAUDITED)).rows) wrong.push({ unaudited: what });
  const audited = new Map<string, number>();
  for (const { request_id } of effects) audited.set(request_id, (audited.get(request_id) ?? 0) + 1);
  for (const exchange of exchanges) {
    const { kind, status, requestId, from, to } = exchange;
    if (kind === "write" && status === 200 && audited.get(requestId) !== 1) wrong.push({ unaudited: exchange });
    const demands = demandsOf(exchange);
    const all = Object.values(demands).flatMap((one) => Object.entries(one));
    const subjects = all.map(([subject]) => subject);
    const since = kind === "copy" ? oldest(from) : from;
    const worlds = history
      .momentsOf(subjects, since - SLACK_MS, to + SLACK_MS)
      .map((at) => Object.fromEntries(subjects.map((subject) => [subject, history.before(subject, at)])));
    const holdsIn = (list: [string, string][]) => (world: Record<string, string | undefined>) =>
      list.every(([subject, value]) => world[subject] === value);
    if (status === 200 && !worlds.some(holdsIn(all))) wrong.push({ unjustified: exchange, worlds });
    if (status === 400) wrong.push({ refused: exchange });
    const missing = demands[status as keyof typeof demands];
    if (missing && worlds.every(holdsIn(Object.entries(missing)))) wrong.push({ denied: exchange, worlds });
  }
  expect(wrong).toStrictEqual([]);

  // At last everybody is answered from the edge as from the database, also where they were before.
  const copied = exchanges.filter(({ kind, status }) => kind === "copy" && status === 200).slice(-200);
  const differences = async () => {
    const found: object[] = [];
    for (const { key, applicationId, processId } of copied) {
      const [fromEdge, now] = await Promise.all(
        [{}, { "cache-control": "no-cache" }].map(async (headers) => {
          const path = `${pathOf(applicationId)}/${processId}`;
          const response = await api.fetch(path, { headers: { ...bearer(key.token).headers, ...headers } });
          return [response.status, response.headers.get("etag")];
        }),
      );
      if (String(fromEdge) !== String(now)) found.push({ key: key.id, applicationId, processId, fromEdge, now });
    }
    return found;
  };
  await expect.poll(differences, { timeout: BOUND_MS, interval: 1_000 }).toStrictEqual([]);
  isSettled = true;
  // Else nothing was put to the test. What is rare is only sure to happen in a minute.
  const seen = new Set(exchanges.map(({ kind, status }) => `${kind} ${status}`));
  const rare = SECONDS < 60 ? [] : [401, 403, 404];
  expect([...seen]).toEqual(
    expect.arrayContaining([200, ...rare].flatMap((s) => [`read ${s}`, `copy ${s}`, `write ${s}`])),
  );
}, 0);
