// Writes to an application, several at once, while answers get lost and clients send again what they have sent before. The
// audit log tells in which order they took effect; in that order a model must come to the same processes, and every answer
// must be right at some moment of its round.
import { randomUUID } from "node:crypto";
import { and, eq, gt } from "drizzle-orm";
import fc from "fast-check";
import { beforeAll, expect, inject, test } from "vitest";
import type { Process } from "../../../../src/worker/resources/process/schema.ts";
import { errorBody } from "../../../../src/worker/shared/errors.ts";
import { auditLog } from "../../../../src/worker/statements/table.ts";
import { useApi } from "../../../support/api.ts";
import { manualScaling, newProbe, record, scalingStrategy } from "../../../support/arbitraries.ts";
import { expectValid, isError, isProcess } from "../../../support/contract.ts";
import { Random } from "../../../support/random.ts";
import { bearer, useCompany, useRecords } from "../../../support/records.ts";
import { type Body, type Decision, Model, type Size, type State, same, type Wish } from "./model.ts";

/** `npm run test:writes` sends two hundred times as many. */
const OPERATIONS = Number(process.env.WRITE_OPERATIONS ?? 250);
const SEED = inject("seed");
const random = new Random(SEED);
/** Once in so many times the database fails. */
const TROUBLE = 25;

const api = useApi({ vars: { DATABASE_DEADLINE_MS: "10000" } });
const records = useRecords();
const own = useCompany(records, ["APP:READ", "APP:UPDATE"]);
const sizes: Size[] = [];
beforeAll(async () => {
  for (const n of [1, 2]) {
    const name = `size-${randomUUID()}`;
    const { id } = await records.resourceType({ name, cpuMillicores: n, memoryMegabytes: n });
    sizes.push({ resource_type_id: id, resource_type_name: name, cpu_limit: n, memory_limit: n });
  }
});

const size = fc.oneof(
  { weight: 12, arbitrary: fc.nat(1).map((n) => sizes[n]?.resource_type_id) },
  { weight: 1, arbitrary: fc.constant("3f0f4a3e-7b63-4a8c-9d6c-0d1f6b1d2c3e") },
);
const name = fc.constantFrom("Work", "Work 2", "web", "日本", "A long name, longer than there is room for: ".repeat(3));
const port = fc.option(fc.integer({ min: 1, max: 3 }), { nil: null });
const schedule = fc.constantFrom("0 * * * *", "*/5 1-3 * JAN MON,WED");
const timeZone = fc.constantFrom("Europe/Berlin", "UTC");
const policy = fc.constantFrom("beforeDeployment", "afterSuccessDeployment");
const anyProbe = fc.option(newProbe, { nil: null });
const required = { display_name: name, resource_type_id: size };
const some = { entrypoint: fc.constantFrom("", "npm start"), port };

const createOf = (type: string, model: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[] = []) => {
  const always = [...Object.keys(required), "type", "scaling_strategy"];
  return record<Body>({ ...required, type: fc.constant(type), ...some, ...model }, [...always, ...requiredKeys]);
};
const create = fc.oneof(
  createOf("web", { scaling_strategy: scalingStrategy, liveness_probe: anyProbe, readiness_probe: anyProbe }),
  createOf("worker", { scaling_strategy: scalingStrategy }),
  createOf("cron", { scaling_strategy: manualScaling, schedule, time_zone: fc.option(timeZone, { nil: null }) }, [
    "schedule",
  ]),
  createOf("job", { scaling_strategy: manualScaling, job_start_policy: policy }, ["job_start_policy"]),
);
const changes: fc.Arbitrary<object>[] = [
  record(required, []),
  record({ entrypoint: some.entrypoint, port: fc.oneof(port, fc.constant(0)) }, []),
  record({ scaling_strategy: scalingStrategy }, []),
  record({ is_ingress_enabled: fc.boolean(), ingress_protocol: fc.constantFrom("http", "grpc", "") }, []),
  record({ schedule, time_zone: fc.oneof(timeZone, fc.constant("")) }, []),
  record({ job_start_policy: policy }, []),
  record({ liveness_probe: anyProbe, readiness_probe: anyProbe }, []),
];
/** Of any type: what is not for its process is refused. Rarely all at once, which nothing would survive. */
const change = fc
  .subarray(changes, { maxLength: 3 })
  .chain((parts) => fc.tuple(...parts))
  .map((parts): Body => Object.assign({}, ...parts));

const MANNERS = ["once", "with a key", "twice at once", "again later", "as something else later", "tried"] as const;
const planOf = (kind: Wish["kind"], body: fc.Arbitrary<Body>) =>
  fc.record({
    kind: fc.constant(kind),
    body,
    /** Which of the processes that there ever were. */
    target: fc.nat(),
    condition: fc.constantFrom("none", "none", "current", "stale"),
    /** How a client sends what it wishes. */
    manner: fc.constantFrom(...MANNERS),
  });
const plan = fc.oneof(
  { weight: 4, arbitrary: planOf("create", create) },
  { weight: 5, arbitrary: planOf("update", change) },
  { weight: 1, arbitrary: planOf("delete", fc.constant({})) },
  { weight: 1, arbitrary: planOf("trigger", fc.constant({})) },
);
type Plan = typeof plan extends fc.Arbitrary<infer One> ? One : never;
type World = Awaited<ReturnType<typeof newWorld>>;
type Answer = Awaited<ReturnType<typeof send>>;
type Effect = typeof auditLog.$inferSelect;

interface Sent {
  wish: Wish;
  isTried: boolean;
  answers: Answer[];
}

/** An application, and what is known of it. */
async function newWorld() {
  const { id } = await records.application(own.companyId, { namespace: "ns-1" });
  const model = new Model({ id, name: `app-${id.slice(0, 8)}`, namespace: "ns-1" }, sizes);
  const state: State = { processes: new Map(), runs: new Map() };
  /** Every process that there ever was, and its entity tags, the oldest first. */
  const known = new Map<string, string[]>();
  return { applicationId: id, model, state, known, lastAuditId: 0 };
}

let operations = 0;
/** The kinds of answers that there were. */
const seen = new Set<string>();
const METHODS = { create: "POST", update: "PATCH", delete: "DELETE", trigger: "POST" };

async function send({ applicationId }: World, wish: Wish, sent: { key?: string; isTried?: boolean }) {
  operations++;
  const process = "processId" in wish ? `/${wish.processId}` : "";
  const path = `${process}${wish.kind === "trigger" ? "/trigger" : ""}${sent.isTried ? "?dry_run=true" : ""}`;
  const ifMatch = "ifMatch" in wish ? wish.ifMatch : undefined;
  const response = await api.fetch(`/v3/applications/${applicationId}/processes${path}`, {
    method: METHODS[wish.kind],
    headers: {
      ...bearer(own.token).headers,
      ...("body" in wish && { "content-type": "application/json" }),
      ...(sent.key !== undefined && { "idempotency-key": sent.key }),
      ...(ifMatch !== undefined && { "if-match": ifMatch }),
    },
    ...("body" in wish && { body: JSON.stringify(wish.body) }),
  });
  return {
    requestId: String(response.headers.get("x-request-id")),
    status: response.status,
    isReplay: response.headers.get("idempotent-replayed") === "true",
    etag: String(response.headers.get("etag")),
    text: await response.text(),
  };
}

function wishOf({ known }: World, { kind, body, target, condition }: Plan): Wish {
  const ids = [...known.keys()];
  const processId = ids[target % Math.max(ids.length, 1)] ?? randomUUID();
  const tags = known.get(processId) ?? [];
  const ifMatch = condition === "none" ? undefined : ((condition === "stale" ? tags[0] : tags.at(-1)) ?? '"none"');
  if (kind === "create") return { kind, body };
  if (kind === "trigger") return { kind, processId };
  return kind === "update" ? { kind, processId, body, ifMatch } : { kind, processId, ifMatch };
}

async function carryOut(world: World, planned: Plan): Promise<Sent[]> {
  const wish = wishOf(world, planned);
  const { manner } = planned;
  const isTried = manner === "tried";
  if (isTried || manner === "once") return [{ wish, isTried, answers: [await send(world, wish, { isTried })] }];
  const key = randomUUID();
  const atOnce = Array.from({ length: manner === "twice at once" ? 2 : 1 }, () => send(world, wish, { key }));
  const answers = await Promise.all(atOnce);
  if (manner === "again later") answers.push(await send(world, wish, { key }));
  // A client that does not know sends it again, until it does.
  while (answers.at(-1)?.status === 500) answers.push(await send(world, wish, { key }));
  const sent: Sent[] = [{ wish, isTried, answers }];
  if (manner === "as something else later" && wish.kind === "update") {
    const other: Wish = { ...wish, body: { ...wish.body, entrypoint: "something else" } };
    const answer = await send(world, other, { key });
    const isReused = answer.text === textOf("idempotency_key_reused", answer);
    seen.add(isReused ? "key reused" : "key free");
    const isDone = answers.some(({ status }) => status === 200);
    const mayBeDone = isDone || answers.some(({ status }) => status === 500);
    if (isReused) expect({ answers, mayBeDone }).toMatchObject({ mayBeDone: true });
    else if (isDone) expect(answer.status).toBeGreaterThanOrEqual(500);
    // Else it is a wish of its own, with a key that was not used.
    else sent.push({ wish: other, isTried, answers: [answer] });
  }
  return sent;
}

const textOf = (reason: "write_unconfirmed" | "idempotency_key_reused", { requestId }: Answer): string =>
  JSON.stringify(errorBody({ reason }, requestId));

/** The fields in which two payloads differ, as each of them has them. */
function differenceOf(from: Process, to: Process): Partial<Process>[] {
  const fields = (Object.keys(to) as (keyof Process)[]).filter((field) => !same(from[field], to[field]));
  return [from, to].map((payload) => Object.fromEntries(fields.map((field) => [field, payload[field]])));
}

/** The state that an effect leaves behind. */
function apply(model: Model, state: State, wish: Wish, effect: Effect): State {
  const id = effect.processId;
  const after = effect.after as Process | null;
  const processes = new Map(state.processes);
  const runs = new Map(state.runs);
  if (wish.kind === "create") {
    processes.set(id, model.created(wish.body, { id, created_at: String(after?.created_at) }, state));
  } else if (wish.kind === "update") {
    processes.set(id, model.changed(processes.get(id) as Process, wish.body, String(after?.updated_at)));
  } else if (wish.kind === "delete") {
    processes.delete(id);
    runs.delete(id);
  } else runs.set(id, (runs.get(id) ?? 0) + 1);
  return { processes, runs };
}

async function runRound(world: World, plans: readonly Plan[]): Promise<void> {
  api.fail(() =>
    random.oneIn(TROUBLE) ? random.pick(["lost answer", "starting up", "no permit"] as const) : undefined,
  );
  const sent = (await Promise.all(plans.map((one) => carryOut(world, one)))).flat();
  api.fail(undefined);

  const isNew = and(eq(auditLog.applicationId, world.applicationId), gt(auditLog.id, world.lastAuditId));
  const effects = await records.db.select().from(auditLog).where(isNew).orderBy(auditLog.id);
  /** What each effect has left behind. */
  const leftBy = new Map<Sent, State>();
  const states = [world.state];
  for (const effect of effects) {
    const cause = sent.find(({ answers }) => answers.some(({ requestId }) => requestId === effect.requestId));
    if (cause === undefined) throw new Error(`Nobody asked for ${JSON.stringify(effect)}`);
    // One effect for each wish, however often it was sent.
    expect(leftBy.has(cause)).toBe(false);
    expect(cause.isTried).toBe(false);
    const { wish } = cause;
    const before = states.at(-1) as State;
    expect(effect).toMatchObject({ operation: wish.kind, companyId: own.companyId });
    expect(world.model.decide(wish, before)).toStrictEqual({ outcome: "done" });
    const after = apply(world.model, before, wish, effect);
    if (wish.kind !== "trigger") {
      const [from, to] = [before, after].map(({ processes }) => processes.get(effect.processId) ?? null);
      const differing = wish.kind === "update" ? differenceOf(from as Process, to as Process) : [from, to];
      expect([effect.before, effect.after]).toEqual(differing);
    }
    states.push(after);
    leftBy.set(cause, after);
    world.lastAuditId = effect.id;
  }
  for (const one of sent) {
    for (const answer of one.answers) judge(world, states, one, answer, leftBy.get(one));
    const firsts = one.answers.filter(({ status, isReplay }) => status === 200 && !isReplay);
    if (!one.isTried) expect(firsts.length).toBeLessThanOrEqual(1);
  }
  world.state = states.at(-1) as State;
  await expectRows(world);
}

/** An answer must be right in one of the states of its round. */
function judge(world: World, states: readonly State[], sent: Sent, answer: Answer, left?: State): void {
  const { status, text, isReplay } = answer;
  const { wish, isTried } = sent;
  seen.add(`${wish.kind} ${isTried ? "tried" : isReplay ? "replayed" : status}`);
  if (status === 200) {
    judgeSuccess(world, states, sent, answer, left);
    return;
  }
  const body = JSON.parse(text);
  expectValid(isError, body);
  if (status === 500) expect(text).toBe(textOf("write_unconfirmed", answer));
  if (status === 500 || status === 503) return;
  const told: Decision = { outcome: "refused", status, message: body.message, advice: body.data.message };
  const decisions = states.map((state) => world.model.decide(wish, state));
  expect({ wish, answer, decisions }).toMatchObject({ decisions: expect.arrayContaining([told]) });
}

function judgeSuccess(world: World, states: readonly State[], sent: Sent, answer: Answer, left?: State): void {
  const { model } = world;
  const { wish, isTried } = sent;
  const body = JSON.parse(answer.text);
  if (wish.kind === "delete" || wish.kind === "trigger") {
    expect(body).toStrictEqual({ message: wish.kind === "delete" ? "Process deleted" : "Cron job triggered" });
    expect(left === undefined).toBe(isTried);
    return;
  }
  expectValid(isProcess, body);
  /** What it would have been right to answer. */
  const possible = states
    .filter((state) => model.decide(wish, state).outcome !== (isTried ? "refused" : "done"))
    .map((state) => {
      if (wish.kind === "create") return model.created(wish.body, body, state);
      const process = state.processes.get(wish.processId);
      return process && model.changed(process, wish.body, isTried ? body.updated_at : process.updated_at);
    });
  const right = left === undefined ? possible : [left.processes.get(body.id)];
  const hasBody = (all: unknown[]) => all.some((one) => same(one, body));
  expect({ wish, right, body }).toMatchObject({ right: expect.toSatisfy(hasBody) });
  if (!isTried) noteTag(world, answer.etag, body);
}

/** A tag stands for one payload, and for no other. */
function noteTag({ model, known }: World, etag: string, process: Process): void {
  expect(model.tag(etag, process)).toBe(true);
  const tags = known.get(process.id) ?? [];
  if (!tags.includes(etag)) known.set(process.id, [...tags, etag]);
}

/** The database must hold what the model holds, and the API must answer with it. */
async function expectRows(world: World): Promise<void> {
  const { applicationId, state } = world;
  const headers = { ...bearer(own.token).headers, "cache-control": "no-cache" };
  const read = (rest: string) => api.fetch(`/v3/applications/${applicationId}/processes${rest}`, { headers });
  const { data } = (await (await read("?limit=100")).json()) as { data: Process[] };
  const byId = (list: Process[]) => list.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  expect(byId(data)).toEqual(byId([...state.processes.values()]));
  const { rows } = await records.pool.query(
    `select process_id as id, count(*)::int as runs from process_runs join processes p on p.id = process_id
     where application_id = $1 group by 1`,
    [applicationId],
  );
  expect(new Map(rows.map(({ id, runs }) => [id, runs]))).toStrictEqual(state.runs);
  // What a read says of a process is what a write may be made conditional on.
  if (data[0] === undefined) return;
  const found = await read(`/${data[0].id}`);
  noteTag(world, String(found.headers.get("etag")), (await found.json()) as Process);
}

const round = fc.array(plan, { minLength: 1, maxLength: 8 }).map((plans) => ({
  check: () => true,
  run: (_: object, world: World) => runRound(world, plans),
  toString: () => JSON.stringify(plans),
}));

test(`after ${OPERATIONS} writes every one has had its one effect, or none (seed ${SEED})`, async () => {
  const property = fc.asyncProperty(fc.commands([round], { maxCommands: 12, size: "max" }), async (commands) => {
    const real = await newWorld();
    await fc.asyncModelRun(() => ({ model: {}, real }), commands);
  });
  for (let batch = 0; operations < OPERATIONS; batch++) {
    await fc.assert(property, { seed: SEED + batch, numRuns: 1, endOnFailure: true });
  }
  // Else nothing was put to the test. What is rare is only sure to happen among many.
  const rare = ["create", "update", "delete", "trigger"].flatMap((kind) =>
    ["200", "replayed", "tried", kind === "create" ? "400" : "404"].map((what) => `${kind} ${what}`),
  );
  rare.push("key reused", "key free", "update 500", "update 400", "update 412");
  expect([...seen]).toEqual(expect.arrayContaining(OPERATIONS < 5_000 ? ["create 200", "update 200"] : rare));
}, 0); // Bounded by the count of operations, not by the machine.
