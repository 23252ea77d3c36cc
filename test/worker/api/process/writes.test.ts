// Writes to an application, several at once, while answers get lost and clients send again what they have sent before. The
// audit log tells in which order they took effect; in that order a model must come to the same processes, and every answer
// must be right at some moment of its round.
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { beforeAll, expect, inject, test } from "vitest";
import type { Process } from "../../../../src/openapi/process/schema.ts";
import { errorBody } from "../../../../src/worker/shared/errors.ts";
import { useApi } from "../../../support/api.ts";
import { probe, scalingStrategy } from "../../../support/arbitraries.ts";
import { isError, isProcess } from "../../../support/contract.ts";
import { Random } from "../../../support/random.ts";
import { useRecords } from "../../../support/records.ts";
import { type Decision, Model, type Size, type State, same, type Wish } from "./model.ts";

/** `npm run test:writes` sends two hundred times as many. */
const OPERATIONS = Number(process.env.WRITE_OPERATIONS ?? 250);
const SEED = inject("seed");
const random = new Random(SEED);
const DEADLINE_MS = 10_000;
/** Once in so many times the database fails. */
const TROUBLE = 25;

const api = useApi({ vars: { DATABASE_DEADLINE_MS: String(DEADLINE_MS) } });
const records = useRecords();
let companyId: string;
let token: string;
let sizes: Size[];
beforeAll(async () => {
  companyId = await records.company();
  ({ token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] }));
  sizes = await Promise.all(
    [1, 2].map(async (n) => {
      const name = `size-${randomUUID()}`;
      const { id } = await records.resourceType({ name, cpuMillicores: n, memoryMegabytes: n });
      return { id, name, cpu: n, memory: n };
    }),
  );
});

/** How a client sends what it wishes. */
type Manner = "once" | "with a key" | "twice at once" | "again later" | "as something else later" | "tried";

interface Plan {
  kind: Wish["kind"];
  body: Record<string, unknown>;
  /** Which of the processes that there ever were. */
  target: number;
  condition: "none" | "current" | "stale";
  manner: Manner;
}

const size = fc.oneof(
  { weight: 12, arbitrary: fc.nat(1).map((n) => sizes[n]?.id) },
  { weight: 1, arbitrary: fc.constant("3f0f4a3e-7b63-4a8c-9d6c-0d1f6b1d2c3e") },
);
const name = fc.constantFrom("Work", "Work 2", "web", "日本", "A long name, longer than there is room for: ".repeat(3));
const manual = scalingStrategy.filter(({ type }) => type === "manual");
const port = fc.integer({ min: 1, max: 3 });
const schedule = fc.constantFrom("0 * * * *", "*/5 1-3 * JAN MON,WED");
const timeZone = fc.constantFrom("Europe/Berlin", "UTC");
const policy = fc.constantFrom("beforeDeployment", "afterSuccessDeployment");
const anyProbe = fc.option(probe, { nil: null });
const required = { display_name: name, resource_type_id: size };
const some = { entrypoint: fc.constantFrom("", "npm start"), port };

const record = (model: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[]) =>
  fc.record(model, { requiredKeys, noNullPrototype: true }) as fc.Arbitrary<Record<string, unknown>>;
const createOf = (type: string, model: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[] = []) =>
  record({ ...required, type: fc.constant(type), ...some, ...model }, [
    ...Object.keys(required),
    "type",
    "scaling_strategy",
    ...requiredKeys,
  ]);
const create = fc.oneof(
  createOf("web", { scaling_strategy: scalingStrategy, liveness_probe: anyProbe, readiness_probe: anyProbe }),
  createOf("worker", { scaling_strategy: scalingStrategy }),
  createOf("cron", { scaling_strategy: manual, schedule, time_zone: timeZone }, ["schedule"]),
  createOf("job", { scaling_strategy: manual, job_start_policy: policy }, ["job_start_policy"]),
);
/** Of any type: what is not for its process is refused. Rarely all at once, which nothing would survive. */
const change = fc
  .subarray(
    [
      record(required, []),
      record({ entrypoint: some.entrypoint, port: fc.oneof(port, fc.constant(0)) }, []),
      record({ scaling_strategy: scalingStrategy }, []),
      record({ is_ingress_enabled: fc.boolean(), ingress_protocol: fc.constantFrom("http", "grpc", "") }, []),
      record({ schedule, time_zone: fc.oneof(timeZone, fc.constant("")) }, []),
      record({ job_start_policy: policy }, []),
      record({ liveness_probe: anyProbe, readiness_probe: anyProbe }, []),
    ],
    { maxLength: 3 },
  )
  .chain((parts) => fc.tuple(...parts))
  .map((parts) => Object.assign({}, ...parts));

const plan: fc.Arbitrary<Plan> = fc
  .oneof(
    { weight: 4, arbitrary: create.map((body) => ({ kind: "create" as const, body })) },
    { weight: 5, arbitrary: change.map((body) => ({ kind: "update" as const, body })) },
    {
      weight: 2,
      arbitrary: fc.constantFrom("delete" as const, "trigger" as const).map((kind) => ({ kind, body: {} })),
    },
  )
  .chain(({ kind, body }) =>
    fc.record({
      kind: fc.constant(kind),
      body: fc.constant(body),
      target: fc.nat(),
      condition: fc.constantFrom("none", "none", "current", "stale"),
      manner: fc.constantFrom<Manner>(
        "once",
        "with a key",
        "twice at once",
        "again later",
        "as something else later",
        "tried",
      ),
    }),
  );

interface Answer {
  requestId: string;
  status: number;
  isReplay: boolean;
  etag: string | undefined;
  text: string;
}

interface Sent {
  wish: Wish;
  isTried: boolean;
  answers: Answer[];
}

/** An application, and what is known of it. */
interface World {
  applicationId: string;
  model: Model;
  state: State;
  /** Every process that there ever was, and its entity tags, the oldest first. */
  known: Map<string, string[]>;
  lastAuditId: number;
}

let operations = 0;
const seen = new Map<string, number>();
const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);

async function send(
  world: World,
  wish: Wish,
  options: { key?: string | undefined; isTried?: boolean },
): Promise<Answer> {
  operations++;
  const path = {
    create: "",
    update: `/${"processId" in wish && wish.processId}`,
    delete: `/${"processId" in wish && wish.processId}`,
    trigger: `/${"processId" in wish && wish.processId}/trigger`,
  }[wish.kind];
  const method = { create: "POST", update: "PATCH", delete: "DELETE", trigger: "POST" }[wish.kind];
  const ifMatch = "ifMatch" in wish ? wish.ifMatch : undefined;
  const response = await api.fetch(
    `/v3/applications/${world.applicationId}/processes${path}${options.isTried ? "?dry_run=true" : ""}`,
    {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...("body" in wish && { "content-type": "application/json" }),
        ...(options.key !== undefined && { "idempotency-key": options.key }),
        ...(ifMatch !== undefined && { "if-match": ifMatch }),
      },
      ...("body" in wish && { body: JSON.stringify(wish.body) }),
    },
  );
  return {
    requestId: String(response.headers.get("x-request-id")),
    status: response.status,
    isReplay: response.headers.get("idempotent-replayed") === "true",
    etag: response.headers.get("etag") ?? undefined,
    text: await response.text(),
  };
}

function wishOf(world: World, { kind, body, target, condition }: Plan): Wish {
  const ids = [...world.known.keys()];
  const processId = ids[target % Math.max(ids.length, 1)] ?? randomUUID();
  const tags = world.known.get(processId) ?? [];
  const ifMatch = condition === "none" ? undefined : ((condition === "stale" ? tags[0] : tags.at(-1)) ?? '"none"');
  switch (kind) {
    case "create":
      return { kind, body };
    case "update":
      return { kind, processId, body, ifMatch };
    case "delete":
      return { kind, processId, ifMatch };
    case "trigger":
      return { kind, processId };
  }
}

const UNCONFIRMED = errorBody({ reason: "write_unconfirmed" }, "");
const REUSED = errorBody({ reason: "idempotency_key_reused" }, "");

async function carryOut(world: World, planned: Plan): Promise<Sent[]> {
  const wish = wishOf(world, planned);
  const { manner } = planned;
  if (manner === "once") return [{ wish, isTried: false, answers: [await send(world, wish, {})] }];
  if (manner === "tried") return [{ wish, isTried: true, answers: [await send(world, wish, { isTried: true })] }];
  const key = randomUUID();
  const answers = await Promise.all(
    Array.from({ length: manner === "twice at once" ? 2 : 1 }, () => send(world, wish, { key })),
  );
  // A client that does not know sends it again, until it does.
  while (answers.at(-1)?.status === 500 || manner === "again later") {
    answers.push(await send(world, wish, { key }));
    if (answers.at(-1)?.status !== 500) break;
  }
  const sent: Sent[] = [{ wish, isTried: false, answers }];
  if (manner === "as something else later" && wish.kind === "update") {
    const other: Wish = { ...wish, body: { ...wish.body, entrypoint: "something else" } };
    const answer = await send(world, other, { key });
    const isReused = answer.text === textOf(REUSED, answer);
    count(isReused ? "key reused" : "key free");
    if (isReused) expect({ answers }).toMatchObject({ answers: expect.toSatisfy(mayHaveUsedKey) });
    else if (answers.some(({ status }) => status === 200)) expect(answer.status).toBeGreaterThanOrEqual(500);
    // Else it is a wish of its own, with a key that was not used.
    else sent.push({ wish: other, isTried: false, answers: [answer] });
  }
  return sent;
}

const mayHaveUsedKey = (answers: Answer[]) => answers.some(({ status }) => status === 200 || status === 500);

const textOf = (body: object, { requestId }: Answer): string =>
  JSON.stringify({ ...body, data: { ...(body as { data: object }).data, code: requestId } });

interface Effect {
  id: number;
  operation: Wish["kind"];
  process_id: string;
  before: Process | null;
  after: Process | null;
  request_id: string;
  company_id: string;
}

async function effectsSince(world: World): Promise<Effect[]> {
  const { rows } = await records.pool.query<Effect>(
    `select id::int, operation, process_id, before, after, request_id, company_id
     from audit_log where application_id = $1 and audit_log.id > $2 order by audit_log.id`,
    [world.applicationId, world.lastAuditId],
  );
  return rows;
}

/** The state that an effect leaves behind. */
function apply(world: World, state: State, wish: Wish, { process_id: id, after }: Effect): State {
  const processes = new Map(state.processes);
  const runs = new Map(state.runs);
  switch (wish.kind) {
    case "create":
      processes.set(id, world.model.created(wish.body, { id, created_at: String(after?.created_at) }, state));
      break;
    case "update":
      processes.set(id, world.model.changed(processes.get(id) as Process, wish.body, String(after?.updated_at)));
      break;
    case "delete":
      processes.delete(id);
      runs.delete(id);
      break;
    case "trigger":
      runs.set(id, (runs.get(id) ?? 0) + 1);
  }
  return { processes, runs };
}

async function runRound(world: World, plans: readonly Plan[]): Promise<void> {
  api.fail(() =>
    random.oneIn(TROUBLE) ? random.pick(["lost answer", "starting up", "no permit"] as const) : undefined,
  );
  const sent = (await Promise.all(plans.map((one) => carryOut(world, one)))).flat();
  api.fail(undefined);

  const effects = await effectsSince(world);
  const effectOf = new Map<Sent, Effect>();
  const states = [world.state];
  for (const effect of effects) {
    const cause = sent.find(({ answers }) => answers.some(({ requestId }) => requestId === effect.request_id));
    if (cause === undefined) throw new Error(`Nobody asked for ${JSON.stringify(effect)}`);
    // One effect for each wish, however often it was sent.
    expect(effectOf.has(cause)).toBe(false);
    expect(cause.isTried).toBe(false);
    effectOf.set(cause, effect);
    const { wish } = cause;
    const before = states.at(-1) as State;
    expect(effect).toMatchObject({ operation: wish.kind, company_id: companyId });
    expect(world.model.decide(wish, before)).toStrictEqual({ outcome: "done" });
    const after = apply(world, before, wish, effect);
    if (wish.kind !== "trigger") {
      expect(same(effect.before, before.processes.get(effect.process_id) ?? null)).toBe(true);
      expect(effect.after).toEqual(after.processes.get(effect.process_id) ?? null);
    }
    states.push(after);
    world.lastAuditId = effect.id;
  }
  for (const one of sent) for (const answer of one.answers) judge(world, states, one, answer, effectOf.get(one));
  for (const one of sent) {
    const firsts = one.answers.filter(({ status, isReplay }) => status === 200 && !isReplay);
    if (!one.isTried) expect(firsts.length).toBeLessThanOrEqual(1);
  }
  world.state = states.at(-1) as State;
  await expectRows(world);
}

/** An answer must be right in one of the states of its round. */
function judge(world: World, states: readonly State[], { wish, isTried }: Sent, answer: Answer, effect?: Effect): void {
  const { status, text, isReplay } = answer;
  count(`${wish.kind} ${isTried ? "tried" : isReplay ? "replayed" : status}`);
  const body = JSON.parse(text);
  if (status === 200) judgeSuccess(world, states, { wish, isTried }, answer, effect);
  else {
    isError(body);
    expect(isError.errors).toBeNull();
  }
  if (status === 500) expect(text).toBe(textOf(UNCONFIRMED, answer));
  if (status === 200 || status === 500 || status === 503) return;
  const told: Decision = { outcome: "refused", status, message: body.message, advice: body.data.message };
  const decisions = states.map((state) => world.model.decide(wish, state));
  expect({ wish, answer, decisions }).toMatchObject({ decisions: expect.arrayContaining([told]) });
}

function judgeSuccess(
  { model, known }: World,
  states: readonly State[],
  { wish, isTried }: Pick<Sent, "wish" | "isTried">,
  { text, etag }: Answer,
  effect: Effect | undefined,
): void {
  const body = JSON.parse(text);
  if (wish.kind === "delete" || wish.kind === "trigger") {
    expect(body).toStrictEqual({ message: wish.kind === "delete" ? "Process deleted" : "Cron job triggered" });
    expect(effect === undefined).toBe(isTried);
    return;
  }
  isProcess(body);
  expect(isProcess.errors).toBeNull();
  /** What it would have been right to answer. */
  const possible = states
    .filter((state) => model.decide(wish, state).outcome !== (isTried ? "refused" : "done"))
    .map((state) => {
      if (wish.kind === "create") return model.created(wish.body, body, state);
      const process = state.processes.get(wish.processId);
      return process && model.changed(process, wish.body, isTried ? body.updated_at : process.updated_at);
    });
  const right = effect === undefined ? possible : [effect.after];
  expect({ wish, right, body }).toMatchObject({
    right: expect.toSatisfy((all) => all.some((one: unknown) => same(one, body))),
  });
  if (isTried) return;
  // A tag stands for one payload, and for no other.
  expect(model.tag(String(etag), body)).toBe(true);
  const tags = known.get(body.id) ?? [];
  if (!tags.includes(String(etag))) known.set(body.id, [...tags, String(etag)]);
}

/** The database must hold what the model holds, and the API must answer with it. */
async function expectRows({ applicationId, state, model, known }: World): Promise<void> {
  const response = await api.fetch(`/v3/applications/${applicationId}/processes?limit=100`, {
    headers: { authorization: `Bearer ${token}`, "cache-control": "no-cache" },
  });
  const { data } = (await response.json()) as { data: Process[] };
  const byId = (list: Process[]) => list.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  expect(byId(data)).toEqual(byId([...state.processes.values()]));
  const { rows } = await records.pool.query(
    "select process_id as id, count(*)::int as runs from process_runs join processes p on p.id = process_id where application_id = $1 group by 1",
    [applicationId],
  );
  expect(new Map(rows.map(({ id, runs }) => [id, runs]))).toStrictEqual(state.runs);
  // What a read says of a process is what a write may be made conditional on.
  const process = data[0];
  if (process === undefined) return;
  const read = await api.fetch(`/v3/applications/${applicationId}/processes/${process.id}`, {
    headers: { authorization: `Bearer ${token}`, "cache-control": "no-cache" },
  });
  const etag = String(read.headers.get("etag"));
  expect(model.tag(etag, (await read.json()) as Process)).toBe(true);
  if (!known.get(process.id)?.includes(etag)) known.set(process.id, [...(known.get(process.id) ?? []), etag]);
}

class Round implements fc.AsyncCommand<object, World> {
  readonly #plans: readonly Plan[];

  constructor(plans: readonly Plan[]) {
    this.#plans = plans;
  }

  check = () => true;
  run = (_: object, world: World) => runRound(world, this.#plans);
  toString = () => JSON.stringify(this.#plans);
}

async function newWorld(): Promise<World> {
  const { id } = await records.application(companyId, { namespace: "ns-1" });
  const application = { id, name: `app-${id.slice(0, 8)}`, namespace: "ns-1" };
  return {
    applicationId: id,
    model: new Model(application, sizes),
    state: { processes: new Map(), runs: new Map() },
    known: new Map(),
    lastAuditId: 0,
  };
}

test(`after ${OPERATIONS} writes every one has had its one effect, or none (seed ${SEED})`, async () => {
  const rounds = fc.commands([fc.array(plan, { minLength: 1, maxLength: 8 }).map((plans) => new Round(plans))], {
    maxCommands: 12,
    size: "max",
  });
  const property = fc.asyncProperty(rounds, async (commands) => {
    const real = await newWorld();
    await fc.asyncModelRun(() => ({ model: {}, real }), commands);
  });
  for (let batch = 0; operations < OPERATIONS; batch++) {
    await fc.assert(property, { seed: SEED + batch, numRuns: 1, endOnFailure: true });
  }
  // Else nothing was put to the test. What is rare is only sure to happen among many.
  expect([seen.get("create 200"), seen.get("update 200")]).not.toContain(undefined);
  if (OPERATIONS < 5_000) return;
  const kinds = ["create", "update", "delete", "trigger"].flatMap((kind) =>
    ["200", "replayed", "tried", kind === "create" ? "400" : "404"].map((what) => `${kind} ${what}`),
  );
  for (const what of [...kinds, "key reused", "key free", "update 500", "update 400", "update 412"]) {
    expect([what, seen.get(what) ?? 0]).toStrictEqual([what, expect.toSatisfy((n: number) => n > 0)]);
  }
}, 0); // Bounded by the count of operations, not by the machine.
