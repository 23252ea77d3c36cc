// What a write takes, refuses and answers, one case at a time; test/worker/resources/process/writes.test.ts has many at once.
import { randomUUID } from "node:crypto";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { slugOf } from "../../../../src/worker/resources/process/slug.ts";
import { useApi } from "../../../support/api.ts";
import { expectValid, isError, isProcess } from "../../../support/contract.ts";
import { bearer, randomToken, useCompany, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();
const own = useCompany(records, ["APP:READ", "APP:UPDATE"]);
let sizeId: string;
beforeAll(async () => {
  sizeId = (await records.resourceType()).id;
});

type Body = Record<string, unknown>;
const MANUAL = { type: "manual", config: { instanceCount: 1 } };
const HORIZONTAL = { type: "horizontal", config: { minInstanceCount: 1, maxInstanceCount: 2 } };

/** A body that creates a process of this type. */
const ofType = (type: string, more: Body = {}): Body => ({
  display_name: "A process",
  type,
  resource_type_id: sizeId,
  scaling_strategy: MANUAL,
  ...(type === "cron" && { schedule: "0 * * * *" }),
  ...(type === "job" && { job_start_policy: "beforeDeployment" }),
  ...more,
});

type Answer = Awaited<ReturnType<typeof call>>;
type Created = Awaited<ReturnType<typeof create>>;

/** Sends a request with the file's key; a body that is text or bytes is sent as it is. */
async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const hasBody = body !== undefined;
  const response = await api.fetch(path, {
    method,
    headers: { ...bearer(own.token).headers, ...(hasBody && { "content-type": "application/json" }), ...headers },
    ...(hasBody && { body: isRaw ? body : JSON.stringify(body) }),
  });
  return {
    status: response.status,
    headers: response.headers,
    etag: String(response.headers.get("etag")),
    isReplay: response.headers.has("idempotent-replayed"),
    body: JSON.parse(await response.text()),
  };
}

async function newApplication(name?: string): Promise<string> {
  const { id } = await records.application(own.companyId, name === undefined ? {} : { name });
  return `/v3/applications/${id}/processes`;
}

/** Asks for a process in a new application. */
const post = async (body?: unknown, headers?: Record<string, string>) =>
  call("POST", await newApplication(), body, headers);

/** A process that is there. @returns its path and what it was answered with */
async function create(body: Body, path?: string) {
  const list = path ?? (await newApplication());
  const answer = await call("POST", list, body);
  expect(answer).toMatchObject({ status: 200 });
  return { path: `${list}/${answer.body.id}`, list, answer };
}

const trigger = (path: string, headers?: Record<string, string>) => call("POST", `${path}/trigger`, undefined, headers);

/** Asks for every write that there is, with this query and these headers. */
async function callEach({ path, list }: Created, query: string, headers?: Record<string, string>) {
  return [
    await call("POST", `${list}${query}`, ofType("worker"), headers),
    await call("PATCH", `${path}${query}`, { port: 7 }, headers),
    await call("DELETE", `${path}${query}`, undefined, headers),
    await call("POST", `${path}/trigger${query}`, undefined, headers),
  ] as const;
}

const statusOf = ({ status }: Answer) => status;
const read = (path: string) => call("GET", path, undefined, { "cache-control": "no-cache" });
const auditOf = async ({ body }: Answer) =>
  (await records.pool.query("select * from audit_log where process_id = $1 order by id", [body.id])).rows;
const countKept = async (key: string) =>
  (await records.pool.query("select from idempotent_answers where key = $1", [key])).rowCount;

function expectRefusal({ status, body }: Answer, expected: number, message: string, advice?: string): void {
  expectValid(isError, body);
  expect({ status, message: body.message }).toStrictEqual({ status: expected, message });
  if (advice !== undefined) expect(body.data.message).toBe(advice);
}

describe("POST creates", () => {
  test("a web process with ingress, and answers with what a read answers with", async () => {
    const sent = ofType("web", { liveness_probe: { httpGet: { path: "/", port: 1 } }, port: 8080 });
    const { path, answer } = await create(sent);
    expectValid(isProcess, answer.body);
    const added = { is_ingress_enabled: true, ingress_protocol: "http", readiness_probe: null, time_zone: null };
    const others = { key: "web", updated_at: answer.body.created_at };
    // No defaults are put into the probe.
    expect(answer.body).toStrictEqual({ ...answer.body, ...sent, ...added, ...others });
    const found = await read(path);
    expect([found.body, found.etag]).toStrictEqual([answer.body, answer.etag]);
  });

  test("a worker, a cron process in UTC, and a job", async () => {
    const { list } = await create(ofType("worker", { scaling_strategy: HORIZONTAL }));
    const schedule = "*/5 0-6 1,15 JAN-MAR MON,SUN";
    const cron = await create(ofType("cron", { schedule }), list);
    const noIngress = { is_ingress_enabled: false, ingress_protocol: null };
    expect(cron.answer.body).toMatchObject({ schedule, time_zone: "UTC", ...noIngress });
    const job = await create(ofType("job"), list);
    expect(job.answer.body).toMatchObject({ job_start_policy: "beforeDeployment", time_zone: null, entrypoint: "" });
  });

  test.for([
    ["Queue Worker", "queue-worker"],
    ["  Ünïcode  &  Co. ", "unicode-co"],
    ["日本", "worker"],
    ["---", "worker"],
    ["9 lives", "9-lives"],
  ] as const)("the key of %j", ([name, slug]) => {
    expect(slugOf(name, "worker")).toBe(slug);
  });

  test("keys that differ, also for ten at once and for names that are the web process's", async () => {
    const list = await newApplication();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call("POST", list, ofType("worker", { display_name: "Web" }))),
    );
    const keys = answers.map(({ body }) => body.key).sort();
    expect(keys).toStrictEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((n) => `web-${n}`).sort());
    expect((await create(ofType("web"), list)).answer.body.key).toBe("web");
  });

  test("host names that fit a DNS label, or nothing", async () => {
    const list = await newApplication(`a${"b".repeat(57)}`);
    const first = await create(ofType("worker", { display_name: "x-y-z-longer" }), list);
    expect(first.answer.body.key).toBe("x-y");
    expect(first.answer.body.internal_hostname.split(".")[0]).toHaveLength(62);
    const second = await create(ofType("worker", { display_name: "x-y-z" }), list);
    expect(second.answer.body.key).toBe("x-2");
    const refused = await call("POST", await newApplication("c".repeat(62)), ofType("worker"));
    expectRefusal(refused, 400, "The name of this application is too long for one more process.");
  });

  test.for([
    ["that a process has left, where later ones do not fit", "b".repeat(59), [1, 2, 3, 4, 6, 7, 8, 9], "w-5"],
    ["that is free, where every power of two is taken", "c", Array.from({ length: 31 }, (_, i) => 2 ** i), "w-3"],
  ] as const)("a key with a number %s", async ([, name, taken, key]) => {
    const application = await records.application(own.companyId, { name });
    for (const n of taken) await records.process(application.id, { type: "worker", key: n === 1 ? "w" : `w-${n}` });
    const { answer } = await create(
      ofType("worker", { display_name: "W" }),
      `/v3/applications/${application.id}/processes`,
    );
    expect(answer.body.key).toBe(key);
  });

  // Clients write null where they have no value: https://github.com/usesend/useSend/issues/132
  test.for(["web", "worker", "cron", "job"])("a %s process, for which null is as good as nothing", async (type) => {
    const optional = [
      "entrypoint",
      "port",
      "schedule",
      "time_zone",
      "job_start_policy",
      "liveness_probe",
      "readiness_probe",
    ];
    const nulls = Object.fromEntries(optional.map((field) => [field, null]));
    const [{ answer: left }, { answer: none }] = [
      await create(ofType(type)),
      await create({ ...nulls, ...ofType(type) }),
    ];
    const { id, app_id, internal_hostname, created_at, updated_at } = left.body;
    expect({ ...none.body, id, app_id, internal_hostname, created_at, updated_at }).toStrictEqual(left.body);
  });

  test("what is sent, to the letter", async () => {
    const texts = { display_name: " A  b ", entrypoint: '  npm start "é🚀"\n\t ' };
    const { answer, path } = await create(ofType("worker", texts));
    for (const { body } of [answer, await read(path)]) expect(body).toMatchObject(texts);
  });
});

describe("PATCH changes", () => {
  test("what is sent, and nothing else", async () => {
    const { path, answer } = await create(ofType("web", { port: 1, entrypoint: "a" }));
    const { status, body } = await call("PATCH", path, { port: 2 });
    expect(status).toBe(200);
    expect(body).toStrictEqual({ ...answer.body, port: 2, updated_at: body.updated_at });
    expect(Date.parse(body.updated_at)).toBeGreaterThanOrEqual(Date.parse(answer.body.updated_at));
    expect((await read(path)).body).toStrictEqual(body);
  });

  test("nothing by {}, and leaves no trace of it", async () => {
    const { path, answer } = await create(ofType("worker"));
    const same = await call("PATCH", path, {});
    expect([same.body, same.etag]).toStrictEqual([answer.body, answer.etag]);
    expect(await auditOf(answer)).toHaveLength(1);
  });

  test("a probe, and removes it by null", async () => {
    const { path } = await create(ofType("web", { liveness_probe: { tcpSocket: { port: 1 } } }));
    expect((await call("PATCH", path, { liveness_probe: null })).body).toMatchObject({ liveness_probe: null });
    const probe = { exec: { command: ["a", ""] }, httpGet: null, periodSeconds: null };
    const probes = {
      liveness_probe: { ...probe, successThreshold: 1 },
      readiness_probe: { ...probe, successThreshold: 2 },
    };
    expect((await call("PATCH", path, probes)).body).toMatchObject(probes);
  });

  test("a process whose probes Kubernetes refuses, and shows them as they are", async () => {
    const { path, answer } = await create(ofType("web"));
    const probe = { exec: { command: [] }, httpGet: {}, periodSeconds: 2 ** 40 };
    await records.pool.query("update processes set liveness_probe = $1 where id = $2", [probe, answer.body.id]);
    expect(await call("PATCH", path, { port: 2 })).toMatchObject({ status: 200, body: { liveness_probe: probe } });
  });

  // What the Terraform provider sends, internal/services/application/resource_process.go: Go's zero values.
  const AMBIGUOUS = { entrypoint: "", is_ingress_enabled: false };
  test.for([{ port: 0 }, { ingress_protocol: "" }, { time_zone: "" }])(
    "nothing by a placeholder, nor by an empty entrypoint and no ingress beside it: %j",
    async (placeholder) => {
      for (const type of ["web", "worker", "cron", "job"]) {
        const { path, answer } = await create(ofType(type, { port: 8080, entrypoint: "npm start" }));
        const same = await call("PATCH", path, { ...AMBIGUOUS, ...placeholder });
        expect([same.body, same.etag]).toStrictEqual([answer.body, answer.etag]);
        const tried = await call("PATCH", `${path}?dry_run=true`, { ...AMBIGUOUS, ...placeholder, display_name: "B" });
        expect(tried.body).toStrictEqual({ ...answer.body, display_name: "B", updated_at: tried.body.updated_at });
      }
    },
  );

  test("the entrypoint and ingress by the same values without a placeholder", async () => {
    const { path } = await create(ofType("web", { port: 8080, entrypoint: "npm start" }));
    const { body } = await call("PATCH", path, { ...AMBIGUOUS, display_name: "Renamed", ingress_protocol: "grpc" });
    expect(body).toMatchObject({ ...AMBIGUOUS, port: 8080, ingress_protocol: "grpc" });
  });

  test("the port to none by null, and nothing by what a worker has of other types' fields", async () => {
    const { path, answer } = await create(ofType("worker", { port: 8080 }));
    const nothing = { is_ingress_enabled: false, liveness_probe: null, readiness_probe: null };
    const { body } = await call("PATCH", path, { port: null, ...nothing });
    expect(body).toStrictEqual({ ...answer.body, port: null, updated_at: body.updated_at });
    expect((await read(path)).body).toStrictEqual(body);
  });

  test("another field beside a schedule and a time zone that no write may send", async () => {
    const { path } = await create(ofType("cron"));
    const row = { schedule: "0 0 * JANFEB *", time_zone: "BST" };
    const set = "update processes set schedule = $1, time_zone = $2 where id::text = $3";
    await records.pool.query(set, [...Object.values(row), path.split("/").at(-1)]);
    const answer = await call("PATCH", path, { display_name: "Renamed" });
    expect(answer).toMatchObject({ status: 200, body: { ...row, display_name: "Renamed" } });
    expect((await read(path)).body).toStrictEqual(answer.body);
  });

  test("the machine size, with what is shown of it", async () => {
    const { id } = await records.resourceType({ name: `big-${randomUUID()}`, cpuMillicores: 9, memoryMegabytes: 10 });
    const { path } = await create(ofType("worker"));
    const key = { "idempotency-key": randomUUID() };
    const { body } = await call("PATCH", path, { resource_type_id: id }, key);
    expect(body).toMatchObject({ resource_type_id: id, cpu_limit: 9, memory_limit: 10 });
    // RFC 9562, section 4: letters of either case.
    const again = await call("PATCH", path, { resource_type_id: id.toUpperCase() }, key);
    expect(again).toMatchObject({ isReplay: true, body });
    const { answer } = await create(ofType("worker", { resource_type_id: id.toUpperCase() }));
    expect(answer.body).toMatchObject({ resource_type_id: id });
  });
});

describe("DELETE", () => {
  test("deletes a process and its runs, once", async () => {
    const { path } = await create(ofType("cron"));
    await trigger(path);
    // Some clients say what a body would be of that they do not send.
    const deleted = await call("DELETE", path, undefined, { "content-type": "application/json" });
    expect(deleted).toMatchObject({ status: 200, body: { message: "Process deleted" } });
    expect(deleted.headers.has("etag")).toBe(false);
    for (const repeated of [await call("DELETE", path), await read(path), await read(`${path}/runs`)]) {
      expectRefusal(repeated, 404, "Process not found.");
    }
  });

  test("leaves the web process", async () => {
    const { path } = await create(ofType("web"));
    expectRefusal(await call("DELETE", path), 400, "The web process of an application cannot be deleted.");
    expect((await read(path)).status).toBe(200);
  });
});

describe("trigger", () => {
  test("asks for a run, which the control plane starts and finishes", async () => {
    const { path } = await create(ofType("cron"));
    const triggered = await trigger(path, { "content-type": "application/json" });
    expect(triggered).toMatchObject({ status: 200, body: { message: "Cron job triggered" } });
    const waiting = (await read(`${path}/runs`)).body;
    const { id, due_at: at } = waiting.data[0];
    const nothing = { started_at: null, finished_at: null, outcome: null, failure_reason: null, exit_code: null };
    expect(waiting).toMatchObject({ total: 1, data: [{ ...nothing, trigger: "manual", retry_count: 0 }] });
    expect(Math.abs(Date.now() - Date.parse(at))).toBeLessThan(600_000);
    const { rows } = await records.pool.query("select * from process_runs where id = $1", [id]);
    // No value is left to what a later reader takes null for.
    expect(rows).toMatchObject([{ trigger: "manual", retry_count: 0 }]);
    const finish = `update process_runs set started_at = requested_at, finished_at = requested_at, outcome = 'succeeded',
      exit_code = 0 where id = $1`;
    await records.pool.query(finish, [id]);
    await trigger(path);
    const { body } = await read(`${path}/runs?limit=1&offset=1`);
    const data = [{ ...waiting.data[0], started_at: at, finished_at: at, outcome: "succeeded", exit_code: 0 }];
    expect(body).toStrictEqual({ data, total: 2, offset: 1, limit: 1 });
  });

  test("is for cron processes alone", async () => {
    const { path } = await create(ofType("worker"));
    expectRefusal(await trigger(path), 400, "Only cron processes can be triggered.");
  });
});

// Expand first: src/cli/README.md, Rollbacks.
test.for(["processes", "process_runs"])("goes on where a later release has added a column to %s", async (table) => {
  await records.pool.query(`alter table ${table} add column later integer not null default 7`);
  try {
    const { path, answer } = await create(ofType("cron"));
    expect((await trigger(path)).status).toBe(200);
    expect((await call("PATCH", path, { port: 7 })).status).toBe(200);
    const rows = `select later from ${table} where ${table === "processes" ? "id" : "process_id"} = $1`;
    expect((await records.pool.query(rows, [answer.body.id])).rows).toStrictEqual([{ later: 7 }]);
  } finally {
    await records.pool.query(`alter table ${table} drop column later`);
  }
});

describe("a body is refused that has", () => {
  const CANNOT_BE_STORED = "has a character that cannot be stored: U+0000 or half a surrogate pair";
  const MUST_BE_MANUAL = 'scaling_strategy.type must be "manual": web and worker processes alone scale by themselves';
  const NEITHER = 'scaling_strategy.type must be one of "manual", "horizontal"';
  const SIZE = "3f0f4a3e-7b63-4a8c-9d6c-0d1f6b1d2c3e";
  const CONFIG = "scaling_strategy.config";
  const scaled = (type: string, config: Body) => ({ scaling_strategy: { type, config } });

  test.for<[string, Body, ...string[]]>([
    ["an empty name", { display_name: "" }, "display_name must not be empty"],
    ["a long name", { display_name: "é".repeat(256) }, "display_name must have at most 255 characters"],
    ["a long entrypoint", { entrypoint: "é".repeat(1_025) }, "entrypoint must have at most 1024 characters"],
    ["U+0000", { entrypoint: "a\0" }, `entrypoint ${CANNOT_BE_STORED}`],
    ["half a surrogate pair", { display_name: "\ud800" }, `display_name ${CANNOT_BE_STORED}`],
    ["another type", { type: "daemon" }, 'type must be one of "web", "worker", "cron", "job"'],
    ["no text for a type", { type: null }, 'type must be one of "web", "worker", "cron", "job"'],
    [
      "a number for a policy",
      { type: "job", job_start_policy: 1 },
      'job_start_policy must be one of "beforeDeployment", "afterSuccessDeployment", "afterFailedDeployment", null',
    ],
    ["a size that is no id", { resource_type_id: "s1" }, "resource_type_id must be a UUID"],
    [
      "an unknown size",
      { resource_type_id: SIZE },
      "resource_type_id must be the id of a machine size, which GET /resources/process-resource-types lists",
    ],
    ["port 0", { port: 0 }, "port must be at least 1"],
    ["port 65,536", { port: 65_536 }, "port must be at most 65535"],
    ["a port in words", { port: "80" }, "port must be an integer or null"],
    ["null for a name", { display_name: null }, "display_name must be a string"],
    ["51 instances", scaled("manual", { instanceCount: 51 }), `${CONFIG}.instanceCount must be at most 50`],
    [
      "a minimum above the maximum",
      scaled("horizontal", { minInstanceCount: 3, maxInstanceCount: 2 }),
      `${CONFIG}.minInstanceCount must be at most maxInstanceCount`,
    ],
    ["a strategy of neither kind", scaled("vertical", {}), NEITHER],
    ["a strategy of no kind", { scaling_strategy: { config: { instanceCount: 1 } } }, NEITHER],
    ["a strategy that is none", { scaling_strategy: 3 }, "scaling_strategy must be an object"],
    [
      "ingress at its creation",
      { is_ingress_enabled: true },
      "is_ingress_enabled cannot be set when a process is created",
    ],
    ["half a port", { port: 0.5 }, "port must be an integer or null"],
    ["a schedule for a worker", { schedule: "0 * * * *" }, "schedule is for cron processes only"],
    [
      "a probe for a worker",
      { liveness_probe: { tcpSocket: { port: 1 } } },
      "liveness_probe is for web processes only",
    ],
    ["a policy for a worker", { job_start_policy: "beforeDeployment" }, "job_start_policy is for job processes only"],
    ["a cron process without a schedule", { type: "cron" }, "schedule is missing"],
    ["null for the schedule of a cron process", { type: "cron", schedule: null }, "schedule is missing"],
    ["a job without a policy", { type: "job" }, "job_start_policy is missing"],
    [
      "a cron process that scales by itself",
      { type: "cron", schedule: "0 * * * *", scaling_strategy: HORIZONTAL },
      MUST_BE_MANUAL,
    ],
    ["a probe that is none", { type: "web", liveness_probe: 5 }, "liveness_probe must be an object or null"],
    [
      "a probe with a mistake",
      { type: "web", liveness_probe: { httpGet: { port: 0, scheme: "FTP" }, command: [] } },
      "liveness_probe.command is unknown",
      "liveness_probe.httpGet.port must be at least 1",
      'liveness_probe.httpGet.scheme must be one of "HTTP", "HTTPS", null',
    ],
  ])("%s", async ([, more, ...mistakes]) => {
    expectMistakes(await post({ ...ofType("worker"), ...more }), ...mistakes);
  });

  // https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go, validateProbe and below.
  const ONE_HANDLER = " must have exactly one of exec, httpGet and tcpSocket";
  const EXEC = { exec: { command: ["a"] } };
  test.for<[probe: Body, liveness: string, readiness?: string | null]>([
    [{}, ONE_HANDLER],
    [{ exec: null, httpGet: null, tcpSocket: null }, ONE_HANDLER],
    [{ ...EXEC, tcpSocket: { port: 1 } }, ONE_HANDLER],
    [{ httpGet: { port: 1 }, ...EXEC }, ONE_HANDLER],
    [{ exec: { command: [] } }, ".exec.command must not be empty"],
    [{ httpGet: { path: "/" } }, ".httpGet.port is missing"],
    [{ httpGet: { port: null } }, ".httpGet.port must be an integer"],
    [
      { httpGet: { port: 1, httpHeaders: [{ name: "X_y", value: "" }] } },
      ".httpGet.httpHeaders.0.name must match ^[-A-Za-z0-9]+$",
    ],
    [{ ...EXEC, initialDelaySeconds: 2 ** 31 }, ".initialDelaySeconds must be at most 2147483647"],
    [{ ...EXEC, successThreshold: 2 }, ".successThreshold must be 1", null],
  ])("a probe that Kubernetes refuses: %j", async ([probe, liveness, readiness = liveness]) => {
    const { path, list } = await create(ofType("web"));
    const probes = { liveness_probe: probe, readiness_probe: probe };
    const mistakes = [`liveness_probe${liveness}`, ...(readiness === null ? [] : [`readiness_probe${readiness}`])];
    expectMistakes(await call("PATCH", path, probes), ...mistakes);
    expectMistakes(await call("POST", `${list}?dry_run=true`, { ...ofType("web"), ...probes }), ...mistakes);
  });

  test("nothing in it", async () => {
    const required = ["display_name", "type", "resource_type_id", "scaling_strategy"];
    expectMistakes(await post({}), ...required.map((field) => `${field} is missing`));
  });

  const NOT_FIVE_FIELDS = ["", "@daily", "* * * *", "0 0 * * * *"];
  const WRONG_FIELDS = ["60 * * * *", "a b c d e", "0 0 32 * *", "0 0 * JANFEB *", "0 0 * * *\n"];
  test.for([
    ...[...NOT_FIVE_FIELDS, ...WRONG_FIELDS].map((schedule) => ["schedule", schedule] as const),
    ...["+01:00", "Mars/Olympus", "BST", "Europe/Berlin ", ""].map((zone) => ["time_zone", zone] as const),
  ])("the %s %j", async ([field, value]) => {
    const { status, body } = await post(ofType("cron", { [field]: value }));
    expect({ status, message: body.message }).toMatchObject({ status: 400 });
    expect(body.message).toMatch(`The body is invalid: ${field} must `);
  });

  test("fields of another API, naming those that there are", async () => {
    const { path, list } = await create(ofType("worker"));
    const others = { name: "x", command: "y", resource_type: "s1", instances: 2 };
    const created = await call("POST", list, { ...others, type: "worker" });
    const changed = await call("PATCH", path, others);
    const known = ["display_name", "entrypoint", "resource_type_id", "scaling_strategy"];
    const said = [...Object.keys(others).map((field) => `${field} is unknown.`), ...known];
    for (const { status, body } of [created, changed]) {
      expect(status).toBe(400);
      for (const words of said) expect(body.data.message).toContain(words);
    }
  });

  test.for<[Body, ...string[]]>([
    [
      { job_start_policy: "beforeDeployment", liveness_probe: { tcpSocket: { port: 1 } }, ingress_protocol: "grpc" },
      "ingress_protocol is for web processes only",
      "job_start_policy is for job processes only",
      "liveness_probe is for web processes only",
    ],
    [{ is_ingress_enabled: true }, "is_ingress_enabled is for web processes only"],
    [{ scaling_strategy: HORIZONTAL }, MUST_BE_MANUAL],
    [
      { type: "job", key: "x", created_at: 1 },
      ...["created_at", "key", "type"].map((field) => `${field} cannot be changed`),
    ],
    [{ schedule: "" }, "schedule must not be empty"],
    [{ schedule: null, entrypoint: null }, "entrypoint must be a string", "schedule must be a string"],
  ])("for a cron process that there is: %j", async ([body, ...mistakes]) => {
    const { path } = await create(ofType("cron"));
    expectMistakes(await call("PATCH", path, body), ...mistakes);
  });

  test("more mistakes than anybody reads", async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`${"x".repeat(200)}${n}`, n]));
    const { status, body } = await post(many);
    expect(status).toBe(400);
    expect(JSON.stringify(body).length).toBeLessThan(16_384);
  });

  test("more mistakes than the message has room for, which names five and counts the others", async () => {
    const unknown = (count: number) => Array.from({ length: count }, (_, n) => [`x${n}`, n] as const);
    const messageOf = async (count: number) => (await post(ofType("worker", Object.fromEntries(unknown(count))))).body;
    const [six, seven, sixty] = [await messageOf(6), await messageOf(7), await messageOf(60)];
    const beginning = "The body is invalid: x0 is unknown. Also wrong: x1, x2, x3, x4, x5";
    expect([six.message, seven.message, sixty.message]).toStrictEqual(
      ["", " and 1 more", " and 54 more"].map((end) => `${beginning}${end}.`),
    );
    for (const said of ["x6 is unknown.", "x49 is unknown. 10 more mistakes are not listed. The fields are "]) {
      expect(sixty.data.message).toContain(said);
    }
    expect(seven.data.message).not.toContain("listed");
  });

  test("an unknown member of a member, whose names are not those of the body", async () => {
    const config = { instanceCount: 1, foo: 1 };
    const { body } = await post(ofType("worker", scaled("manual", config)));
    expect(body.data.message).toBe("scaling_strategy.config.foo is unknown.");
  });

  /** Each mistake is a sentence that begins with the name of its field. */
  function expectMistakes({ status, body }: Answer, ...mistakes: string[]): void {
    expectValid(isError, body);
    // Most clients show no more than the message: one reason, and where the others are.
    const [, first, others] = /^The body is invalid: (.*?)\.(?: Also wrong: (.*)\.)?$/.exec(body.message) ?? [];
    expect(mistakes).toContain(first);
    const named = [first?.split(" ")[0], ...(others?.split(", ") ?? [])];
    const fields = [...new Set(mistakes.map((mistake) => mistake.split(" ")[0]))];
    expect({ status, named: named.sort() }).toStrictEqual({ status: 400, named: fields.sort() });
    for (const mistake of mistakes) expect(body.data.message).toContain(`${mistake}.`);
  }
});

describe("a body", () => {
  test.for([
    ["", "expected JSON, but it is empty"],
    ["{", "expected JSON"],
    ["null", "it must be an object"],
    ["[]", "it must be an object"],
    ['"x"', "it must be an object"],
    ["1", "it must be an object"],
  ] as const)("that is %j is no object", async ([body, why]) => {
    const { path, list } = await create(ofType("worker"));
    for (const answer of [await call("POST", list, body), await call("PATCH", path, body)]) {
      expect(answer).toMatchObject({ status: 400, body: { message: `The body is invalid: ${why}.` } });
    }
  });

  test("that is missing is no object", async () => {
    const advice = "Expected JSON, but it is empty.";
    expectRefusal(await post(), 400, "The body is invalid: expected JSON, but it is empty.", advice);
  });

  test("must be UTF-8", async () => {
    expectRefusal(await post(new Uint8Array([0x22, 0xff, 0x22])), 400, "The body is invalid: expected UTF-8.");
  });

  // RFC 9110, section 15.5.16: `Accept-Encoding` if the content coding is at fault, and else `Accept`.
  test.for<[coding: string, status: number, encode?: (text: string) => Uint8Array]>([
    ["gzip", 415, gzipSync],
    ["GZip", 415, gzipSync],
    ["br", 415, brotliCompressSync],
    ["deflate", 415, deflateSync],
    ["zstd", 415, zstdCompressSync],
    ["identity, gzip", 415, gzipSync],
    ["gzip", 415],
    ["dcb", 415],
    ["utf-8", 415],
    ["identity", 200],
    ["Identity ,, identity", 200],
  ])("of the content coding %s is answered with %i", async ([coding, status, encode]) => {
    const body = JSON.stringify(ofType("worker"));
    const answer = await post(encode?.(body) ?? body, { "content-encoding": coding });
    expect([answer.status, answer.headers.get("accept-encoding")]).toStrictEqual([
      status,
      status === 415 ? "identity" : null,
    ]);
    expect(answer.headers.has("accept")).toBe(false);
    const message = "`Content-Encoding` must be absent or `identity`: a compressed body is not supported.";
    if (status === 415) expectRefusal(answer, 415, message);
  });

  test("of another type is told so, whatever its bytes are", async () => {
    const image = await post(new Uint8Array([0xff, 0xd8, 0xff]), { "content-type": "image/jpeg" });
    expectRefusal(image, 415, "The body is not sent as `Content-Type: application/json`.");
  });

  test.for([
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/merge-patch+json", 415],
    ["application/jsonp", 415],
    ["application/json; charset=utf-8", 200],
    ["APPLICATION/JSON", 200],
  ] as const)("of the type %s is answered with %i", async ([type, status]) => {
    const answer = await post(ofType("worker"), { "content-type": type });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("accept")).toBe(status === 415 ? "application/json" : null);
    expect(answer.headers.has("accept-encoding")).toBe(false);
  });

  test("may have 64 KiB", async () => {
    const withLength = (bytes: number) => JSON.stringify(ofType("worker")).padEnd(bytes);
    expect((await post(withLength(65_536))).status).toBe(200);
    expectRefusal(
      await post(withLength(65_537)),
      413,
      "The body has more than 65536 bytes.",
      "Send at most 65536 bytes.",
    );
  });

  test.for(["[".repeat(32_000) + "]".repeat(32_000), `{"x":${'{"":'.repeat(12_000)}"\\u0000"${"}".repeat(12_001)}`])(
    "may be deep: %.9s",
    async (body) => {
      expect((await post(body)).status).toBe(400);
    },
  );

  test.for<[what: string, body: unknown, headers?: Record<string, string>]>([
    ["is no JSON", "{"],
    ["is invalid", {}],
    ["is too large", " ".repeat(65_537)],
    ["is no text", new Uint8Array([0xff])],
    ["is of another type", {}, { "content-type": "text/plain" }],
    ["is compressed", gzipSync("{}"), { "content-encoding": "gzip" }],
    ["what is no number", `{"scaling_strategy":{"config":{"minInstanceCount":{"valueOf":1,"toString":1}}}}`],
    [
      "deep lists for a number",
      `{"scaling_strategy":{"config":{"minInstanceCount":${"[".repeat(30_000)}${"]".repeat(30_000)}}}}`,
    ],
  ])("of a stranger may be anything, and nothing is said of it: %s", async ([_, body, headers]) => {
    const answer = await post(body, { ...headers, ...bearer(randomToken()).headers });
    expectRefusal(answer, 401, "A valid API key is required.");
    for (const name of ["accept", "accept-encoding"]) expect(answer.headers.has(name)).toBe(false);
  });
});

describe("?dry_run=true", () => {
  test("answers as a write does, and writes nothing", async () => {
    const cron = await create(ofType("cron"));
    const key = randomUUID();
    const answers = await callEach(cron, "?dry_run=true", { "idempotency-key": key });
    expect(answers.map(statusOf)).toStrictEqual([200, 200, 200, 200]);
    const [created, changed] = answers;
    expectValid(isProcess, created.body);
    expect(created.headers.get("cache-status")).toBe("process-api; fwd=method");
    expect(changed.body).toMatchObject({ port: 7 });
    expect((await read(cron.list)).body).toMatchObject({ total: 1, data: [cron.answer.body] });
    expect((await read(`${cron.path}/runs`)).body.total).toBe(0);
    expect(await auditOf(cron.answer)).toHaveLength(1);
    expect(await countKept(key)).toBe(0);
  });

  test("refuses what a write refuses", async () => {
    const { path, list } = await create(ofType("web"));
    const refusals = [
      await call("POST", `${list}?dry_run=true`, ofType("web")),
      await call("PATCH", `${path}?dry_run=true`, { schedule: "0 * * * *" }),
      await call("DELETE", `${path}?dry_run=true`),
      await call("POST", `${path}/trigger?dry_run=true`),
      await call("PATCH", `${path}?dry_run=true`, {}, { "if-match": '"x"' }),
    ];
    expect(refusals.map(statusOf)).toStrictEqual([400, 400, 400, 400, 412]);
  });

  test.for(["1", "TRUE", ""])("is true or false, and not %j", async (value) => {
    const answer = await call("POST", `${await newApplication()}?dry_run=${value}`, ofType("worker"));
    expectRefusal(
      answer,
      400,
      'The query parameter "dry_run" is invalid: expected true or false.',
      "Expected true or false.",
    );
  });
});

test.for([
  ["dryrun=true", "dryrun"],
  ["dry_run=true&force=1", "force"],
  ["=1", ""],
  [`${"é".repeat(200)}=1`, "é".repeat(100)],
] as const)("a query parameter that it does not know is refused: %s", async ([query, name]) => {
  const worker = await create(ofType("worker"));
  const message = `There is no query parameter "${name}": expected dry_run or none. Nothing was written.`;
  for (const answer of await callEach(worker, `?${query}`)) {
    expectRefusal(answer, 400, message, "Expected dry_run or none.");
  }
  expect((await read(worker.list)).body).toMatchObject({ total: 1, data: [{ port: null }] });
});

describe("Idempotency-Key", () => {
  const withKey = (key = randomUUID() as string) => ({ "idempotency-key": key });

  test("has an answer repeated, byte for byte, whatever has happened since", async () => {
    const list = await newApplication();
    const key = withKey();
    const first = await call("POST", list, ofType("worker"), key);
    expect(first.isReplay).toBe(false);
    await call("PATCH", `${list}/${first.body.id}`, { port: 9 });
    await call("DELETE", `${list}/${first.body.id}`);
    const again = await call("POST", list, ofType("worker"), key);
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    // Nobody knows any more what has been purged.
    expect(again.headers.get("cache-status")).toBe("process-api; fwd=method; detail=purge-pending");
    for (const name of ["etag", "last-modified"]) expect(again.headers.get(name)).toBe(first.headers.get(name));
    expect((await read(list)).body.total).toBe(0);
  });

  test("comes before the precondition, which its first use has changed", async () => {
    const { path, answer } = await create(ofType("worker"));
    const headers = { ...withKey(), "if-match": answer.etag };
    const first = await call("PATCH", path, { port: 3 }, headers);
    expect(await call("PATCH", path, { port: 3 }, headers)).toMatchObject({ status: 200, body: first.body });
  });

  test("knows a body by its members, in whatever order they are", async () => {
    const [list, key, body] = [await newApplication(), withKey(), ofType("worker")];
    const first = await call("POST", list, body, key);
    const reversed = Object.fromEntries(Object.entries(body).reverse());
    expect(await call("POST", list, reversed, key)).toMatchObject({ status: 200, isReplay: true, body: first.body });
  });

  test("is refused with another body, naming the header", async () => {
    const list = await newApplication();
    const key = withKey();
    await call("POST", list, ofType("worker"), key);
    const answer = await call("POST", list, ofType("worker", { port: 1 }), key);
    const message = 'The header "Idempotency-Key" was sent before, with another request. Nothing was written.';
    expectRefusal(answer, 400, message);
  });

  test("is of one operation and of one API key", async () => {
    const key = withKey();
    const one = await create(ofType("cron"));
    const other = await create(ofType("cron"));
    const colleague = await records.key(own.companyId, { permissions: ["APP:UPDATE"] });
    for (const answer of [
      await trigger(one.path, key),
      await call("POST", one.list, ofType("worker"), key),
      await trigger(other.path, key),
      await call("POST", other.list, ofType("worker"), key),
      await trigger(one.path, { ...key, ...bearer(colleague.token).headers }),
    ]) {
      expect(answer).toMatchObject({ status: 200, isReplay: false });
    }
  });

  test("may be a quoted string, and keeps no refusal", async () => {
    const { path, answer } = await create(ofType("worker"));
    const key = withKey('"a b"');
    expect((await call("PATCH", path, { port: 3 }, { ...key, "if-match": '"x"' })).status).toBe(412);
    expect((await call("PATCH", path, { port: 3 }, { ...key, "if-match": answer.etag })).status).toBe(200);
  });

  // The second is the empty string of a structured field (RFC 9651, section 3.3.3).
  test.for(["", '""'])("is none if it is empty: %j", async (key) => {
    const { path } = await create(ofType("cron"));
    for (const _ of [1, 2]) expect(await trigger(path, withKey(key))).toMatchObject({ status: 200, isReplay: false });
  });

  test("is known for a day, then forgotten", async () => {
    const { path } = await create(ofType("cron"));
    const key = randomUUID();
    const age = "update idempotent_answers set created_at = now() - $2::interval where key = $1";
    for (const _ of [1, 2]) {
      expect((await trigger(path, withKey(key))).isReplay).toBe(false);
      expect((await trigger(path, withKey(key))).isReplay).toBe(true);
      await records.pool.query(age, [key, "23 hours 59 minutes"]);
      expect((await trigger(path, withKey(key))).isReplay).toBe(true);
      await records.pool.query(age, [key, "24 hours 1 second"]);
    }
    expect((await read(`${path}/runs`)).body.total).toBe(2);
  });

  test.for(["é", "x".repeat(256)])("is at most 255 printable ASCII characters, and not %j", async (key) => {
    const message = 'The header "Idempotency-Key" is invalid: expected at most 255 printable ASCII characters.';
    expectRefusal(await post(ofType("worker"), withKey(key)), 400, message);
  });
});

describe("If-Match", () => {
  test("lets a write pass that knows what is there, and no other", async () => {
    const { path, answer } = await create(ofType("worker"));
    const stale = { "if-match": answer.etag };
    const changed = await call("PATCH", path, { port: 2 }, stale);
    expect(changed.status).toBe(200);
    const message = "A condition of the request does not hold: If-Match, If-None-Match or If-Unmodified-Since.";
    // The second would be refused in any case, for its machine size.
    for (const body of [{ port: 3 }, { resource_type_id: randomUUID() }, undefined]) {
      const refused = await call(body === undefined ? "DELETE" : "PATCH", path, body, stale);
      expectRefusal(refused, 412, message);
    }
    expect((await read(path)).body).toStrictEqual(changed.body);
    expect((await call("DELETE", path, undefined, { "if-match": `"x", ${changed.etag}` })).status).toBe(200);
  });

  test("takes * for what exists, and a tag that an edge has weakened", async () => {
    const { path, list, answer } = await create(ofType("worker"));
    expect((await call("PATCH", path, { port: 1 }, { "if-match": `W/${answer.etag}` })).status).toBe(200);
    expect((await call("PATCH", path, { port: 2 }, { "if-match": "*" })).status).toBe(200);
    expect((await call("PATCH", `${list}/${randomUUID()}`, {}, { "if-match": "*" })).status).toBe(404);
  });

  test("sees what others have changed that the payload shows", async () => {
    const { path, answer } = await create(ofType("worker"));
    await records.pool.query("update applications set namespace = 'ns-2' where id = $1", [answer.body.app_id]);
    expect((await call("PATCH", path, { port: 2 }, { "if-match": answer.etag })).status).toBe(412);
    const { etag } = await read(path);
    expect((await call("PATCH", path, { port: 2 }, { "if-match": etag })).status).toBe(200);
  });
});

const [PAST, FUTURE] = ["Thu, 30 Jan 2025 00:00:00 GMT", "Sat, 06 Nov 2094 08:49:37 GMT"];
test.for<[headers: Record<string, string>, ...statuses: number[]]>([
  [{ "if-match": "*" }, 200, 200, 200, 412],
  [{ "if-match": '"x"' }, 412, 412, 412, 412],
  [{ "if-match": "(its own)" }, 412, 200, 200, 412],
  [{ "if-match": "(the list's)" }, 200, 412, 412, 412],
  [{ "if-none-match": "*" }, 412, 412, 412, 200],
  [{ "if-none-match": '"x"' }, 200, 200, 200, 200],
  [{ "if-none-match": "(its own)" }, 200, 412, 412, 200],
  [{ "if-none-match": "(the list's)" }, 412, 200, 200, 200],
  [{ "if-unmodified-since": PAST }, 200, 412, 412, 200],
  [{ "if-unmodified-since": FUTURE }, 200, 200, 200, 200],
  [{ "if-unmodified-since": PAST, "if-match": "(its own)" }, 412, 200, 200, 412],
  [{ "if-unmodified-since": "tomorrow" }, 200, 200, 200, 200],
  [{ "if-modified-since": FUTURE }, 200, 200, 200, 200],
  [{ "if-match": "abc" }, 400, 400, 400, 400],
  [{ "if-none-match": '"abc", d' }, 400, 400, 400, 400],
])(
  "to create, update, delete and trigger with %j is answered with %i, %i, %i and %i",
  async ([headers, ...statuses]) => {
    const cron = await create(ofType("cron"));
    const etags: Record<string, string> = {
      "(its own)": cron.answer.etag,
      "(the list's)": (await read(cron.list)).etag,
    };
    const sent = Object.entries(headers).map(([name, value]) => [name, etags[value] ?? value]);
    const answers = await callEach(cron, "?dry_run=true", Object.fromEntries(sent));
    expect(answers.map(statusOf)).toStrictEqual(statuses);
  },
);

test("a key that may not read is shown what it has written, and nothing else", async () => {
  const { path } = await create(ofType("worker"));
  const { token } = await records.key(own.companyId, { permissions: ["APP:UPDATE"] });
  const patch = (query: string, body: Body) => call("PATCH", path + query, body, bearer(token).headers);
  expect((await patch("", { port: 8 })).status).toBe(200);
  for (const refused of [
    await patch("", {}),
    await patch("", { port: 8 }),
    await patch("?dry_run=true", { port: 9 }),
  ]) {
    expectRefusal(refused, 403, "This API key lacks the permission APP:READ.");
    expect(refused.headers.get("www-authenticate")).toContain('scope="APP:READ"');
  }
});

test("the time of a change never goes back, whoever has set it", async () => {
  const { path, answer } = await create(ofType("worker"));
  await records.pool.query("update processes set updated_at = '2999-01-01T00:00:00Z' where id = $1", [answer.body.id]);
  expect((await call("PATCH", path, { port: 2 })).body.updated_at).toBe("2999-01-01T00:00:00.001Z");
});

test("every effect is in the audit log: who, what, before, after, when and by which request", async () => {
  const { path, answer } = await create(ofType("cron"));
  const changed = await call("PATCH", path, { port: 2, entrypoint: answer.body.entrypoint });
  /** What is kept of a change. */
  const differing = ({ body: { port, updated_at } }: Answer) => ({ port, updated_at });
  const triggered = await trigger(path);
  const deleted = await call("DELETE", path);
  const rows = await auditOf(answer);
  const { id, app_id } = answer.body;
  const ids = { api_key_id: own.keyId, company_id: own.companyId, application_id: app_id, process_id: id };
  const by = ({ headers }: Answer) => headers.get("x-request-id");
  expect(rows).toMatchObject([
    { ...ids, operation: "create", before: null, after: answer.body, request_id: by(answer) },
    { ...ids, operation: "update", request_id: by(changed) },
    { ...ids, operation: "trigger", before: null, after: { process_id: id }, request_id: by(triggered) },
    { ...ids, operation: "delete", before: changed.body, after: null, request_id: by(deleted) },
  ]);
  expect([rows[1].before, rows[1].after]).toStrictEqual([differing(answer), differing(changed)]);
  for (const { created_at } of rows) expect(Math.abs(Date.now() - created_at.getTime())).toBeLessThan(180_000);
});

test("a write costs one HTTP round trip, and a refusal by its body, too, which asks for the key", async () => {
  const { path } = await create(ofType("cron"));
  const queries = await api.queriesOf(async () => {
    await call("PATCH", path, { port: 5 });
    await trigger(path);
    await call("PATCH", path, { port: -1 });
  });
  expect(queries).toBe(3);
});

test("another company's applications cannot be written to, nor its processes", async () => {
  const cron = await create(ofType("cron"));
  const stranger = await records.key(await records.company(), { permissions: ["APP:READ", "APP:UPDATE"] });
  const answers = await callEach(cron, "", bearer(stranger.token).headers);
  expect(answers.map(statusOf)).toStrictEqual([404, 404, 404, 404]);
  expect(await auditOf(cron.answer)).toHaveLength(1);
});
