// Writers, readers, and feeds that die, overlap and are refused, on a clock that the test moves.
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { copyDatabase } from "../../support/database.ts";
import { Random } from "../../support/random.ts";
import { openRecords, type Records, sha256 } from "../../support/records.ts";
import { World } from "./world.ts";

/** `npm run test:feed` makes fifty times as many. */
const OPERATIONS = Number(process.env.FEED_OPERATIONS ?? 2_000);
const ROUND = 250;
const SEED = inject("seed");
const random = new Random(SEED);

/**
 * From a commit to the last wrong answer while nothing goes wrong: two polls, the second purge, and waits for a
 * token.
 */
const BOUND_MS = 60_000;
/** How long after the last trouble nothing of it is left. */
const RECOVERY_MS = 180_000;

interface Application {
  id: string;
  companyId: string;
}

interface Process {
  id: string;
  application: Application;
}

interface Key {
  id: string;
  hash: string;
  companyId: string;
}

/** A statement and its parameters. */
type Write = [text: string, params: unknown[]];

describe("the feed", () => {
  let records: Records;
  let world: World;
  const companies: string[] = [];
  const applications: Application[] = [];
  const processes: Process[] = [];
  const sizes: string[] = [];
  const keys: Key[] = [];
  /** Transactions that have written and not committed. */
  let open: { client: pg.PoolClient; commitsAt: number }[] = [];

  beforeAll(async () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    vi.spyOn(console, "error").mockImplementation(() => {});
    const connectionString = await copyDatabase();
    world = await World.open(connectionString, random);
    records = await openRecords(connectionString);
    sizes.push((await records.resourceType()).id, (await records.resourceType()).id);
    for (let n = 0; n < 5; n++) {
      const companyId = await records.company();
      companies.push(companyId);
      for (let m = 0; m < 2; m++) {
        const application = { id: (await records.application(companyId)).id, companyId };
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

  async function read(): Promise<void> {
    const key = random.pick(keys);
    const own = processes.filter(({ application }) => application.companyId === key.companyId);
    const { id, application } = random.pick(random.oneIn(20) || own.length === 0 ? processes : own);
    const path = random.pick([
      `/v3/applications/${application.id}/processes/${id}`,
      `/v3/applications/${application.id}/processes/${id}`,
      `/v3/applications/${application.id}/processes`,
      `/v3/applications/${application.id}/processes/${id}/runs`,
      `/v3/applications/${application.id}`,
      "/v3/applications",
      "/v3/resources/process-resource-types",
      "/v3/api-keys/me",
      "/v3/api-keys/validate",
    ]);
    const wrongForMs = await world.read(key.hash, path);
    const isUntroubled = world.clock.now() - world.troubledAt > RECOVERY_MS;
    if (isUntroubled) expect({ seed: SEED, path, wrongForMs }).toMatchObject({ wrongForMs: expect.toSatisfy(isShort) });
  }

  const isShort = (ms: number | undefined) => ms === undefined || ms <= BOUND_MS;

  const WRITES: (() => Write)[] = [
    () => ["update processes set display_name = $1 where id = $2", [randomUUID(), random.pick(processes).id]],
    () => ["update processes set resource_type_id = $1 where id = $2", [random.pick(sizes), random.pick(processes).id]],
    () => ["update processes set application_id = $1 where id = $2", move(random.pick(processes))],
    () => ["delete from processes where id = $1", [removeOne().id]],
    () => [
      "insert into processes (id, application_id, key, type, entrypoint) values ($1, $2, $3, 'cron', 'run')",
      addOne(),
    ],
    () => ["update applications set namespace = $1 where id = $2", [randomName(), pickApplication().id]],
    () => [
      "update applications set status = 'deleting', created_at = $1 where id = $2",
      [randomMoment(), pickApplication().id],
    ],
    () => [
      "insert into applications (company_id, name, display_name) values ($1, $2, 'New')",
      [random.pick(companies), randomName()],
    ],
    () => ["delete from applications where display_name = 'New'", []],
    () => [
      "insert into process_runs (process_id, requested_at) select id, $1 from processes where id = $2",
      [randomMoment(), random.pick(processes).id],
    ],
    () => ["update process_runs set started_at = now() where process_id = $1", [random.pick(processes).id]],
    () => ["update processes set display_order = $1 where id = $2", [random.integer(0, 3), random.pick(processes).id]],
    () => [
      "update api_key_capabilities c set resource_id = $1 where company_id = $2 and resource_id is null and not exists (select from api_key_capabilities o where o.api_key_id = c.api_key_id and o.resource_id = $1)",
      grant(),
    ],
    () => ["update companies set name = $1 where id = $2", [randomUUID(), random.pick(companies)]],
    () => ["update process_resource_types set cpu_millicores = $1 where id = $2", [randomSize(), random.pick(sizes)]],
    () => ["update api_keys set name = $1 where id = $2", [randomUUID(), random.pick(keys).id]],
    () => ["update api_keys set is_enabled = false where id = $1", [random.pick(keys).id]],
    () => ["update api_keys set is_enabled = true", []],
    () => ["delete from api_key_capabilities where api_key_id = $1", [random.pick(keys).id]],
    () => [
      "insert into api_key_capabilities (api_key_id, company_id, permission) select id, company_id, permission from api_keys, unnest(array['APP:READ', 'APP:UPDATE']::api_key_permission[]) permission on conflict do nothing",
      [],
    ],
    () => ["update api_key_tokens set expires_at = to_timestamp(0) where api_key_id = $1", [random.pick(keys).id]],
    () => ["update api_key_tokens set expires_at = null where expires_at is not null", []],
  ];
  /** More rows than a statement records one by one. */
  const BULK_WRITES: (() => Write)[] = [
    () => ["update processes set display_name = $1", [randomUUID()]],
    () => ["update companies set name = $1", [randomUUID()]],
    () => ["update api_keys set name = $1", [randomUUID()]],
  ];
  const pickApplication = () => random.pick(applications);
  const randomName = () => `ns-${random.integer(0, 1_000_000)}`;
  const randomMoment = () => new Date(random.integer(0, 10) * 1_000);
  const randomSize = () => random.integer(1, 8_000);

  /** For one application of a company alone. */
  function grant(): unknown[] {
    const { id, companyId } = pickApplication();
    return [id, companyId];
  }

  function move(process: Process): unknown[] {
    const { companyId } = process.application;
    process.application = random.pick(applications.filter((one) => one.companyId === companyId));
    return [process.application.id, process.id];
  }

  function removeOne(): Process {
    if (processes.length < 10) return { id: randomUUID(), application: pickApplication() };
    return processes.splice(random.integer(0, processes.length), 1)[0] as Process;
  }

  function addOne(): unknown[] {
    const process = { id: randomUUID(), application: pickApplication() };
    if (processes.length < 30) processes.push(process);
    return [process.id, process.application.id, `p-${process.id.slice(0, 8)}`];
  }

  /**
   * Now, or in a transaction that commits later than others that begin after it. A row that another has locked is
   * left.
   */
  async function write(): Promise<void> {
    const [text, params] = random.pick(random.oneIn(150) ? BULK_WRITES : WRITES)();
    const client = await world.connect();
    try {
      await client.query("begin; set local lock_timeout = '1ms'");
      await client.query(text, params);
    } catch (error) {
      await client.query("rollback");
      client.release();
      if ((error as pg.DatabaseError).code === "55P03") return;
      throw error;
    }
    const isLate = open.length < 3 && random.oneIn(4);
    open.push({ client, commitsAt: world.clock.now() + (isLate ? random.integer(0, 40_000) : 0) });
  }

  /** As a client of the API does. */
  async function writeThroughApi(): Promise<void> {
    const key = random.pick(keys);
    const own = processes.filter(({ application }) => application.companyId === key.companyId);
    if (own.length === 0) return;
    const { id, application } = random.pick(own);
    const list = `/v3/applications/${application.id}/processes`;
    const path = `${list}/${id}`;
    const keyHashes = keys.filter(({ companyId }) => companyId === key.companyId).map(({ hash }) => hash);
    const change = { method: "PATCH", path, body: JSON.stringify({ display_name: randomUUID() }) };
    const writes = [
      { ...change, shownAt: [path, list] },
      { ...change, shownAt: [path, list] },
      { method: "POST", path: `${path}/trigger`, body: "", shownAt: [`${path}/runs`] },
      { method: "DELETE", path, body: "", shownAt: [path, list, `${path}/runs`] },
    ];
    const { shownAt, ...request } = random.pick(writes.slice(0, processes.length < 10 ? 3 : 4));
    const status = await world.write(key.hash, request, { paths: shownAt, keyHashes });
    if (status === 200 && request.method === "DELETE")
      processes.splice(
        processes.findIndex((one) => one.id === id),
        1,
      );
  }

  async function commit(until: number): Promise<void> {
    for (const { client } of open.filter(({ commitsAt }) => commitsAt <= until)) {
      await client.query("commit");
      client.release();
    }
    open = open.filter(({ commitsAt }) => commitsAt > until);
  }

  /** The usual, frequent trouble, and no feed at all. */
  function changeTroubles(): void {
    world.troubles = { oneIn: random.pick([0, 0, 12, 60]), isSilent: random.oneIn(5) };
    if (world.troubles.isSilent) world.troubledAt = world.clock.now();
    if (random.oneIn(2)) world.spendPurges();
  }

  /** Until nothing is open, nothing on its way and nothing recorded. */
  async function settle(): Promise<void> {
    if (world.troubles.isSilent) world.troubledAt = world.clock.now();
    world.troubles = { oneIn: 0, isSilent: false };
    await commit(Number.POSITIVE_INFINITY);
    const until = world.clock.now() + 600_000;
    do {
      await world.clock.advance(10_000);
      if (world.clock.now() > until) throw new Error(`Changes are left, seed ${SEED}`);
    } while ((await world.query("select from changes")).length > 0);
  }

  test(`leaves no copy that differs from the database, over ${OPERATIONS} operations (seed ${SEED})`, async () => {
    let compared = 0;
    for (let done = 0; done < OPERATIONS; done++) {
      // Now and then more than may purge by themselves.
      for (let left = random.oneIn(40) ? (random.oneIn(25) ? 30 : 1) : 0; left > 0; left--)
        world.clock.spawn(writeThroughApi);
      await (random.oneIn(8) ? write() : read());
      await commit(world.clock.now());
      // Sometimes long enough for a feed that is silent to be noticed.
      await world.clock.advance(random.oneIn(100) ? random.integer(0, 200_000) : random.integer(0, 1_500));
      if (world.troubles.isSilent) world.troubledAt = world.clock.now();
      if (random.oneIn(100)) changeTroubles();
      if (done % ROUND !== ROUND - 1) continue;
      await settle();
      compared += world.copies;
      expect({ seed: SEED, done, wrong: await world.wrongCopies() }).toMatchObject({ wrong: [] });
    }
    // Else nothing was put to the test. What is rare is only sure to happen among many.
    expect(compared).toBeGreaterThan(OPERATIONS / 20);
    if (OPERATIONS < 10_000) return;
    const events = [
      "hit",
      "miss",
      "late store",
      "refused",
      "limited",
      "died",
      "coarse",
      "everything",
      "short",
      "write purged",
      "write pending",
      "write raced",
      "write seen",
    ] as const;
    expect(events.filter((event) => !world.seen.has(event))).toStrictEqual([]);
  }, 0); // Bounded by the count of operations, not by the machine.

  test("makes no change of a key's being used", async () => {
    await settle();
    await world.query("update api_keys set last_used_at = now()");
    expect(await world.query("select from changes")).toStrictEqual([]);
  });
});
