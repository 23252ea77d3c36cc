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

/** `npm run test:isolation` sends two hundred times as many. */
const REQUESTS = Number(process.env.ISOLATION_REQUESTS ?? 500);
const ROUND = 250;
/** A second for the way. */
const GRACE_MS = 1_000;
const SEED = inject("seed");
const random = new Random(SEED);

interface Key {
  id: string;
  token: string;
  companyId: string;
  scope: string | null;
  isPermitted: boolean;
  expiresAt: number;
  isLive: Timeline<boolean>;
  purges: { begun: number; done: number }[];
}

interface Process {
  id: string;
  companyId: string;
  /** By the parameters of paths: its own, and what else is of its application. */
  ids: { id: string; process_id: string };
  version: number;
  name: Timeline<string>;
  purges: { begun: number; done: number }[];
}

const api = useApi();
const records = useRecords();
// Keys expire by the database's.
beforeAll(() => api.runClock());

let advancedMs = 0;
const now = () => Date.now() + advancedMs;

const keys: Key[] = [];
const processes: Process[] = [];
/** The company of everything that has an id. */
const owners = new Map<string, string>();

async function populate(): Promise<void> {
  for (let company = 0; company < 3; company++) {
    const companyId = await records.company();
    const applications = [await records.pathIds(companyId), await records.pathIds(companyId)];
    for (const others of applications) {
      for (let n = 0; n < 4; n++) {
        const { id } = await records.process(others.id, { displayName: "0" });
        const ids = { ...others, process_id: id };
        const name = new Timeline("0", now());
        processes.push({ id, companyId, ids, version: 0, name, purges: [] });
        for (const one of [companyId, id, ...Object.values(others)]) owners.set(one, companyId);
      }
    }
    for (let n = 0; n < 8; n++) {
      const scope = n % 4 === 1 ? random.pick(applications).id : null;
      const isPermitted = n % 4 !== 2;
      // Some die while the test runs, in real time.
      const expiresAt = n % 4 === 3 ? Date.now() + 3_000 + random.integer(0, 12_000) : Number.POSITIVE_INFINITY;
      const { id, token } = await records.key(companyId, {
        permissions: isPermitted ? ["APP:READ"] : [],
        resourceId: scope,
        ...(Number.isFinite(expiresAt) && { expiresAt: new Date(expiresAt) }),
      });
      const isLive = new Timeline(true, now());
      keys.push({ id, token, companyId, scope, isPermitted, expiresAt, isLive, purges: [] });
      owners.set(id, companyId);
    }
  }
}

/** For how long a copy may be used: fresh, and then stale while it is refreshed, or longer if that fails. */
function boundMs({ id }: Operation, isOnError: boolean): number {
  const isOfSizes = id === "listProcessResourceTypesV3";
  const fresh = isOfSizes ? SETTINGS.EDGE_RESOURCE_TYPES_FRESH_SECONDS : SETTINGS.EDGE_FRESH_WITHOUT_FEED_SECONDS;
  const stale = isOnError ? SETTINGS.EDGE_STALE_IF_ERROR_SECONDS : SETTINGS.EDGE_STALE_WHILE_REVALIDATE_SECONDS;
  return (fresh.default + stale.default) * 1_000 + GRACE_MS;
}

/** The kinds of answers that there were. */
const seen = new Set<string>();

async function readOne(): Promise<void> {
  const operation = random.pick(privateReads);
  const key = random.pick(keys);
  const process = random.pick(processes);
  // Now and then a process, or what else there is, is asked for through an application that is not its own.
  const through = random.oneIn(8) ? random.pick(processes) : process;
  const ids = { ...process.ids, id: through.ids.id };
  const asked = now();
  const askedReally = Date.now();
  const response = await api.fetch(operation.path(ids), bearer(key.token));
  const body = await response.text();
  const answered = now();
  const cacheStatus = String(response.headers.get("cache-status"));
  // A machine that is busy with something else looks like a database that is away.
  const isOnError = cacheStatus.includes("detail=stale-if-error");
  seen.add(`${response.status} ${cacheStatus.split(";")[1]?.trim()}`);
  // It tells nothing about anybody.
  if (response.status === 503) return;

  const what = { seed: SEED, operation: operation.id, ids, key: key.id, body };
  /** From when on whatever was true of it may be told by this answer. */
  const since = ({ purges }: Key | Process) => {
    const purged = purges.filter(({ done }) => done <= asked).map(({ begun }) => begun);
    return Math.max(asked - boundMs(operation, isOnError), ...purged);
  };
  const wasLive = key.isLive.between(since(key), answered);
  const allowed: number[] = [];
  if (wasLive.includes(false) || Date.now() >= key.expiresAt) allowed.push(401);
  const isSurelyExpired = askedReally > key.expiresAt + GRACE_MS;
  if (wasLive.includes(true) && !isSurelyExpired) allowed.push(statusFor(operation, key, process, through));
  expect({ ...what, allowed }).toMatchObject({ allowed: expect.arrayContaining([response.status]) });
  if (response.status !== 200) return;

  const foreign = idsIn(body).filter((id) => (owners.get(id) ?? key.companyId) !== key.companyId);
  expect({ ...what, foreign }).toMatchObject({ foreign: [] });
  if (!operation.template.endsWith("/{process_id}")) return;
  const names = process.name.between(since(process), answered);
  expect({ ...what, names }).toMatchObject({ names: expect.arrayContaining([JSON.parse(body).display_name]) });
}

/** The answer to a live key that asks for a process through the application of another. */
function statusFor({ needsPermission, parameters }: Operation, key: Key, process: Process, through: Process): number {
  if (needsPermission && !key.isPermitted) return 403;
  if (!parameters.includes("id")) return 200;
  if (key.scope !== null && key.scope !== through.ids.id) return 403;
  if (through.companyId !== key.companyId) return 404;
  return parameters.length > 1 && process.ids.id !== through.ids.id ? 404 : 200;
}

/** Changes a row: `sql` takes the value and the row's id. */
async function change<T>(timeline: Timeline<T>, value: T, sql: string, id: string): Promise<void> {
  const begun = now();
  await records.pool.query(sql, [value, id]);
  timeline.change(value, begun, now());
}

const rename = ({ id, name }: Process, to: string) =>
  change(name, to, "update processes set display_name = $1 where id = $2", id);
const setLive = ({ id, isLive }: Key, to: boolean) =>
  change(isLive, to, "update api_keys set is_enabled = $1 where id = $2", id);

async function purge(field: "keys" | "processes", { id, purges }: Key | Process): Promise<void> {
  const begun = now();
  expect((await api.purge({ [field]: [id] })).status).toBe(200);
  purges.push({ begun, done: now() });
}

/** One of the things that happen meanwhile. */
async function disturb(): Promise<void> {
  const process = random.pick(processes);
  const key = random.pick(keys);
  const what = random.pick(["rename", "rename and purge", "disable", "disable and purge", "enable"]);
  if (what.startsWith("rename")) await rename(process, String(++process.version));
  else await setLive(key, what === "enable");
  if (what === "rename and purge") await purge("processes", process);
  if (what === "disable and purge") await purge("keys", key);
}

test(`every one of ${REQUESTS} answers belongs to its asker, and none outlives its time (seed ${SEED})`, async () => {
  await populate();
  for (let sent = 0; sent < REQUESTS; sent += ROUND) {
    await Promise.all([...Array.from({ length: ROUND }, readOne), disturb()]);
    // Rarely, so that short-lived keys meet copies that are young.
    if (random.oneIn(12)) {
      const seconds = random.integer(1, 45);
      await api.advance(seconds);
      advancedMs += seconds * 1_000;
    }
  }
  // Else nothing was put to the test. What is rare is only sure to happen among many.
  const rare = REQUESTS < 10_000 ? [] : ["401 fwd=bypass", "403 fwd=bypass", "404 hit"];
  for (const kind of ["200 hit", "200 fwd=miss", ...rare]) expect([...seen]).toContain(kind);
}, 0); // Bounded by the count of requests, not by the machine.
