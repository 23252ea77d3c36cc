// Many keys of several companies call every operation that reads, while keys are revoked and expire, processes change and
// the edge is purged. Every answer is held against all that may have been true of its asker since the last purge, or for
// as long as a copy lives.
import { beforeAll, expect, inject, test } from "vitest";
import { SETTINGS } from "../../src/worker/shared/config.ts";
import { useApi } from "../support/api.ts";
import { type Operation, privateReads } from "../support/operations.ts";
import { Random } from "../support/random.ts";
import { bearer, useRecords } from "../support/records.ts";
import { idsIn } from "../support/response.ts";
import { Timeline } from "../support/timeline.ts";

/** `npm run test:isolation` sends a hundred times as many. */
const REQUESTS = Number(process.env.ISOLATION_REQUESTS ?? 1_000);
const ROUND = 250;
/** A second for the way. */
const GRACE_MS = 1_000;
const EXPIRY_GRACE_MS = 1_000;
const SEED = inject("seed");
const random = new Random(SEED);

interface Purges {
  /** When the last purge began, of those that had ended. */
  floor(at: number): number;
}

interface Key {
  id: string;
  token: string;
  companyId: string;
  scope: string | null;
  isPermitted: boolean;
  expiresAt: number;
  isLive: Timeline<boolean>;
  purges: PurgeLog;
}

interface Process {
  id: string;
  applicationId: string;
  companyId: string;
  /** By the parameters of paths: its own, and what else is of its application. */
  ids: Record<string, string>;
  version: number;
  name: Timeline<string>;
  purges: PurgeLog;
}

class PurgeLog implements Purges {
  readonly #purges: { begun: number; done: number }[] = [];

  add(begun: number, done: number): void {
    this.#purges.push({ begun, done });
  }

  floor(at: number): number {
    return Math.max(0, ...this.#purges.filter(({ done }) => done <= at).map(({ begun }) => begun));
  }
}

const api = useApi();
const records = useRecords();
// Keys expire by the database's.
beforeAll(() => api.runClock());

let advancedMs = 0;
const now = () => Date.now() + advancedMs;

async function populate(): Promise<{ keys: Key[]; processes: Process[] }> {
  const keys: Key[] = [];
  const processes: Process[] = [];
  for (let company = 0; company < 3; company++) {
    const companyId = await records.company();
    const applicationIds: string[] = [];
    for (let application = 0; application < 2; application++) {
      const others = await records.pathIds(companyId);
      const applicationId = others.id;
      applicationIds.push(applicationId);
      for (let n = 0; n < 4; n++) {
        const { id } = await records.process(applicationId, { displayName: "0" });
        const at = now();
        const name = new Timeline("0", at);
        const ids = { ...others, process_id: id };
        processes.push({ id, applicationId, companyId, ids, version: 0, name, purges: new PurgeLog() });
      }
    }
    for (let n = 0; n < 8; n++) {
      const scope = n % 4 === 1 ? random.pick(applicationIds) : null;
      const isPermitted = n % 4 !== 2;
      // Some die while the test runs, in real time.
      const expiresAt = n % 4 === 3 ? Date.now() + 3_000 + random.integer(0, 12_000) : Number.POSITIVE_INFINITY;
      const { id, token } = await records.key(companyId, {
        permissions: isPermitted ? ["APP:READ"] : [],
        resourceId: scope,
        ...(Number.isFinite(expiresAt) && { expiresAt: new Date(expiresAt) }),
      });
      const isLive = new Timeline(true, now());
      keys.push({ id, token, companyId, scope, isPermitted, expiresAt, isLive, purges: new PurgeLog() });
    }
  }
  return { keys, processes };
}

/** For how long a copy may be used: fresh, and then stale while it is refreshed, or longer if that fails. */
function boundMs({ id }: Operation, isOnError: boolean): number {
  const fresh =
    id === "listProcessResourceTypesV3"
      ? SETTINGS.EDGE_RESOURCE_TYPES_FRESH_SECONDS
      : SETTINGS.EDGE_FRESH_WITHOUT_FEED_SECONDS;
  const stale = isOnError ? SETTINGS.EDGE_STALE_IF_ERROR_SECONDS : SETTINGS.EDGE_STALE_WHILE_REVALIDATE_SECONDS;
  return (fresh.default + stale.default) * 1_000 + GRACE_MS;
}

/** From when on whatever was true may be told by an answer that was asked for at `asked`. */
const since = (operation: Operation, isOnError: boolean, purges: Purges, asked: number) =>
  Math.max(asked - boundMs(operation, isOnError), purges.floor(asked));

const seen = new Map<string, number>();

async function readOne(keys: Key[], processes: Process[]): Promise<void> {
  const operation = random.pick(privateReads);
  const key = random.pick(keys);
  const process = random.pick(processes);
  // Now and then a process, or what else there is, is asked for through an application that is not its own.
  const applicationId = random.oneIn(8) ? random.pick(processes).applicationId : process.applicationId;
  const ids = { ...process.ids, id: applicationId };
  const asked = now();
  const askedReally = Date.now();
  const response = await api.fetch(operation.path(ids), bearer(key.token));
  const body = await response.text();
  const answered = now();
  const cacheStatus = String(response.headers.get("cache-status"));
  // A machine that is busy with something else looks like a database that is away.
  const isOnError = cacheStatus.includes("detail=stale-if-error");
  const kind = `${response.status} ${cacheStatus.split(";")[1]?.trim()}`;
  seen.set(kind, (seen.get(kind) ?? 0) + 1);
  // It tells nothing about anybody.
  if (response.status === 503) return;

  const what = { seed: SEED, operation: operation.id, ids, key: key.id, body };
  const wasLive = key.isLive.between(since(operation, isOnError, key.purges, asked), answered);
  const isSurelyExpired = askedReally > key.expiresAt + EXPIRY_GRACE_MS;
  const mayBeExpired = Date.now() >= key.expiresAt;
  const allowed: number[] = [];
  if (wasLive.includes(false) || mayBeExpired) allowed.push(401);
  if (wasLive.includes(true) && !isSurelyExpired)
    allowed.push(statusFor(operation, key, applicationId, process, processes));
  expect({ ...what, allowed }).toMatchObject({ allowed: expect.arrayContaining([response.status]) });
  if (response.status !== 200) return;

  const owners = new Map<string, string>([
    ...processes.flatMap((one): [string, string][] => [
      ...Object.values(one.ids).map((id): [string, string] => [id, one.companyId]),
      [one.companyId, one.companyId],
    ]),
    ...keys.map((one): [string, string] => [one.id, one.companyId]),
  ]);
  const foreign = idsIn(body).filter((id) => (owners.get(id) ?? key.companyId) !== key.companyId);
  expect({ ...what, foreign }).toMatchObject({ foreign: [] });
  if (!operation.template.endsWith("/{process_id}")) return;
  const names = process.name.between(since(operation, isOnError, process.purges, asked), answered);
  expect({ ...what, names }).toMatchObject({ names: expect.arrayContaining([JSON.parse(body).display_name]) });
}

/** The answers to a live key. */
function statusFor(
  { needsPermission, parameters }: Operation,
  key: Key,
  applicationId: string,
  process: Process,
  processes: Process[],
): number {
  if (needsPermission && !key.isPermitted) return 403;
  if (!parameters.includes("id")) return 200;
  if (key.scope !== null && key.scope !== applicationId) return 403;
  const owner = processes.find((one) => one.applicationId === applicationId)?.companyId;
  if (owner !== key.companyId) return 404;
  return parameters.length > 1 && process.applicationId !== applicationId ? 404 : 200;
}

async function rename(process: Process): Promise<void> {
  process.version++;
  const name = String(process.version);
  const begun = now();
  await records.pool.query("update processes set display_name = $1 where id = $2", [name, process.id]);
  process.name.change(name, begun, now());
}

async function setLive(key: Key, isLive: boolean): Promise<void> {
  const begun = now();
  await records.pool.query("update api_keys set is_enabled = $1 where id = $2", [isLive, key.id]);
  key.isLive.change(isLive, begun, now());
}

async function purge(field: "keys" | "processes", { id, purges }: Key | Process): Promise<void> {
  const begun = now();
  expect((await api.purge({ [field]: [id] })).status).toBe(200);
  purges.add(begun, now());
}

/** One of the things that happen meanwhile. */
async function disturb(keys: Key[], processes: Process[]): Promise<void> {
  const process = random.pick(processes);
  const key = random.pick(keys);
  switch (random.integer(0, 5)) {
    case 0:
      return rename(process);
    case 1:
      await rename(process);
      return purge("processes", process);
    case 2:
      return setLive(key, false);
    case 3:
      await setLive(key, false);
      return purge("keys", key);
    default:
      return setLive(key, true);
  }
}

test(`every one of ${REQUESTS} answers belongs to its asker, and none outlives its time (seed ${SEED})`, async () => {
  const { keys, processes } = await populate();
  for (let sent = 0; sent < REQUESTS; sent += ROUND) {
    const round = Array.from({ length: ROUND }, () => readOne(keys, processes));
    await Promise.all([...round, disturb(keys, processes)]);
    // Rarely, so that short-lived keys meet copies that are young.
    if (random.oneIn(12)) {
      const seconds = random.integer(1, 45);
      await api.advance(seconds);
      advancedMs += seconds * 1_000;
    }
  }
  // Else nothing was put to the test. What is rare is only sure to happen among many.
  for (const kind of ["200 hit", "200 fwd=miss"]) expect([...seen.keys()]).toContain(kind);
  if (REQUESTS < 10_000) return;
  for (const kind of ["401 fwd=bypass", "403 fwd=bypass", "404 hit"]) {
    expect([kind, seen.get(kind) ?? 0]).toStrictEqual([kind, expect.toSatisfy((n: number) => n > 0)]);
  }
}, 0); // Bounded by the count of requests, not by the machine.
