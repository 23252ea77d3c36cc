// Writers, readers, and feeds that die, overlap and are refused, on a clock that the test moves.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { copyDatabase } from "../../support/database.ts";
import { Random } from "../../support/random.ts";
import { openRecords, type Records, sha256 } from "../../support/records.ts";
import { EVENTS, World } from "./world.ts";

/** `npm run test:feed` makes fifty times as many. */
const OPERATIONS = Number(process.env.FEED_OPERATIONS ?? 2_000);
const ROUND = 250;
const SEED = inject("seed");
const random = new Random(SEED);

/** From a commit to the last wrong response while nothing goes wrong: two polls, the second purge, waits for a token. */
const BOUND_MS = 60_000;
/** How long after the last trouble nothing of it is left. */
const RECOVERY_MS = 180_000;

type Application = { id: string; companyId: string };
type Process = { id: string; application: Application };
type Key = { id: string; hash: string; companyId: string };

let records: Records;
let world: World;
const applications: Application[] = [];
const processes: Process[] = [];
const sizes: string[] = [];
const keys: Key[] = [];
/** Transactions that have written and not committed. */
let open: { commit: () => Promise<unknown>; commitsAt: number }[] = [];

beforeAll(async () => {
  for (const method of ["warn", "error"] as const) vi.spyOn(console, method).mockImplementation(() => {});
  const connectionString = await copyDatabase();
  world = new World(connectionString, random);
  await world.open();
  records = await openRecords(connectionString);
  sizes.push((await records.resourceType()).id, (await records.resourceType()).id);
  for (let n = 0; n < 5; n++) {
    const companyId = await records.company();
    for (let m = 0; m < 2; m++) {
      const application = { ...(await records.application(companyId)), companyId };
      applications.push(application);
      for (let p = 0; p < 2; p++) {
        const { id } = await records.process(application.id, { type: "cron", resourceTypeId: random.pick(sizes) });
        processes.push({ id, application });
      }
      const { id, token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
      keys.push({ id, hash: sha256(token), companyId });
    }
  }
});
afterAll(async () => {
  vi.restoreAllMocks();
  await records.close();
  await world.close();
});

const processesOf = ({ companyId }: Key) => processes.filter(({ application }) => application.companyId === companyId);

function pathsOf({ id, application }: Process) {
  const one = `/v3/applications/${application.id}`;
  return { application: one, list: `${one}/processes`, process: `${one}/processes/${id}` };
}

async function read(): Promise<void> {
  const key = random.pick(keys);
  const own = processesOf(key);
  const { application, list, process } = pathsOf(random.pick(random.oneIn(20) || own.length === 0 ? processes : own));
  const others = ["resources/process-resource-types", "api-keys/me", "api-keys/validate"].map((path) => `/v3/${path}`);
  const path = random.pick([process, process, list, `${process}/runs`, application, "/v3/applications", ...others]);
  const wrongForMs = (await world.read(key.hash, path)) ?? 0;
  const isTroubled = world.clock.now() - world.troubledAt <= RECOVERY_MS;
  if (!isTroubled && wrongForMs > BOUND_MS) throw new Error(`${path} is wrong for ${wrongForMs} ms, seed ${SEED}`);
}

const WRITES = [
  "update processes set display_name = :text where id = :process",
  "update processes set resource_type_id = :size where id = :process",
  "update processes set application_id = :destination where id = :process",
  `update applications a set company_id = :buyer where id = :application
    and not exists (select from api_key_capabilities where resource_id = a.id)`,
  "update processes set display_order = :order where id = :process",
  "delete from processes where id = :removed",
  "insert into processes (id, application_id, key, type, entrypoint) values (:new, :application, :name, 'cron', 'run')",
  "update applications set namespace = :name where id = :application",
  "update applications set status = 'deleting', created_at = :moment where id = :application",
  "insert into applications (company_id, name, display_name) values (:company, :name, 'New')",
  "delete from applications where display_name = 'New'",
  `insert into process_runs (process_id, requested_at)
    select id, now() - :order * interval '1 second' from processes where id = :process`,
  "update process_runs set started_at = now() where process_id = :process",
  `update api_key_capabilities c set resource_id = :application where company_id = :company and resource_id is null
    and not exists (select from api_key_capabilities o where o.api_key_id = c.api_key_id and o.resource_id = :application)`,
  "update companies set name = :text where id = :company",
  "update process_resource_types set cpu_millicores = :cpu where id = :size",
  "update api_keys set name = :text where id = :key",
  "update api_keys set is_enabled = false where id = :key",
  "update api_keys set is_enabled = true",
  "delete from api_key_capabilities where api_key_id = :key",
  `insert into api_key_capabilities (api_key_id, company_id, permission)
    select id, company_id, permission from api_keys, unnest(array['APP:READ', 'APP:UPDATE']::api_key_permission[]) permission
    on conflict do nothing`,
  "update api_key_tokens set expires_at = to_timestamp(0) where api_key_id = :key",
  "update api_key_tokens set expires_at = null where expires_at is not null",
];
/** More rows than a statement records one by one. */
const BULK_WRITES = ["processes set display_name", "companies set name", "api_keys set name"].map(
  (what) => `update ${what} = :text`,
);

/** Values for the names in a write, each as soon as it is met. */
function newValues(): Record<string, () => unknown> {
  const process = random.pick(processes);
  const application = random.pick(applications);
  return {
    process: () => process.id,
    application: () => application.id,
    company: () => application.companyId,
    size: () => random.pick(sizes),
    key: () => random.pick(keys).id,
    text: () => randomUUID(),
    name: () => `n-${random.integer(0, 1_000_000)}`,
    moment: () => new Date(random.integer(0, 10) * 1_000),
    order: () => random.integer(0, 3),
    cpu: () => random.integer(1, 8_000),
    /** The application of which the process is from now on. */
    destination: () => {
      process.application = random.pick(applications);
      return process.application.id;
    },
    /** The company of which the application is from now on. */
    buyer: () => {
      application.companyId = random.pick(keys).companyId;
      return application.companyId;
    },
    removed: () =>
      processes.length < 10 ? randomUUID() : processes.splice(random.integer(0, processes.length), 1)[0]?.id,
    new: () => {
      const id = randomUUID();
      if (processes.length < 30) processes.push({ id, application });
      return id;
    },
  };
}

/** Now, or in a transaction that commits later than others that begin after it. A row that another has locked is left. */
async function write(): Promise<void> {
  const statement = random.pick(random.oneIn(150) ? BULK_WRITES : WRITES);
  const values = newValues();
  const names: string[] = [];
  const text = statement.replaceAll(/(?<![:\w]):(\w+)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  const begun = await world.begin([{ text, params: names.map((name) => values[name]?.()) }]);
  if (begun === undefined) return;
  const isLate = open.length < 3 && random.oneIn(4);
  open.push({ commit: begun.commit, commitsAt: world.clock.now() + (isLate ? random.integer(0, 40_000) : 0) });
}

/** As a client of the API does. */
async function writeThroughApi(): Promise<void> {
  const key = random.pick(keys);
  const own = processesOf(key);
  if (own.length === 0) return;
  const written = random.pick(own);
  const { list, process: path } = pathsOf(written);
  const keyHashes = keys.filter(({ companyId }) => companyId === key.companyId).map(({ hash }) => hash);
  const body = JSON.stringify({ display_name: randomUUID() });
  const change = { method: "PATCH", path, body, shownAt: [path, list] };
  const trigger = { method: "POST", path: `${path}/trigger`, shownAt: [`${path}/runs`] };
  const removal = { method: "DELETE", path, shownAt: [path, list, `${path}/runs`] };
  const request = random.pick([change, change, trigger, ...(processes.length < 10 ? [] : [removal])]);
  const status = await world.write(key.hash, request, keyHashes);
  const index = processes.indexOf(written);
  if (status === 200 && request === removal && index !== -1) processes.splice(index, 1);
}

async function commit(until: number): Promise<void> {
  for (const { commit } of open.filter(({ commitsAt }) => commitsAt <= until)) await commit();
  open = open.filter(({ commitsAt }) => commitsAt > until);
}

function noteSilence(): void {
  if (world.troubles.isSilent) world.troubledAt = world.clock.now();
}

/** Until nothing is open, nothing on its way and nothing recorded. */
async function settle(): Promise<void> {
  noteSilence();
  world.troubles = { oneIn: 0, isSilent: false };
  await commit(Number.POSITIVE_INFINITY);
  const until = world.clock.now() + 600_000;
  do {
    await world.clock.advance(10_000);
    if (world.clock.now() > until) throw new Error(`Changes are left, seed ${SEED}`);
  } while ((await world.query("select from changes")).length > 0);
}

test(`the feed leaves nothing cached that differs from the database, over ${OPERATIONS} operations (seed ${SEED})`, async () => {
  let compared = 0;
  for (let done = 1; done <= OPERATIONS; done++) {
    // Now and then more than may purge by themselves.
    const writers = random.oneIn(40) ? (random.oneIn(25) ? 30 : 1) : 0;
    for (let n = 0; n < writers; n++) world.clock.spawn(writeThroughApi);
    await (random.oneIn(8) ? write() : read());
    await commit(world.clock.now());
    // Sometimes long enough for a feed that is silent to be noticed.
    await world.clock.advance(random.oneIn(100) ? random.integer(0, 200_000) : random.integer(0, 1_500));
    noteSilence();
    if (random.oneIn(100)) {
      world.troubles = { oneIn: random.pick([0, 0, 12, 60]), isSilent: random.oneIn(5) };
      if (random.oneIn(2)) world.spendPurges();
    }
    noteSilence();
    if (done % ROUND !== 0) continue;
    await settle();
    compared += world.cached.size;
    expect({ seed: SEED, done, wrong: await world.wrong() }).toMatchObject({ wrong: [] });
  }
  // Else nothing was put to the test. What is rare is only sure to happen among many.
  expect(compared).toBeGreaterThan(OPERATIONS / 50);
  if (OPERATIONS >= 10_000) expect(EVENTS.filter((event) => !world.seen.has(event))).toStrictEqual([]);
}, 0); // Bounded by the count of operations, not by the machine.

test("the feed has nothing to do when a key is used", async () => {
  await settle();
  await world.query("update api_keys set last_used_at = now()");
  expect(await world.query("select from changes")).toStrictEqual([]);
});
