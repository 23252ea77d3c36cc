// What a write takes, refuses and answers, one case at a time; test/worker/api/process/writes.test.ts has many at once.
import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { slugOf } from "../../../../src/worker/api/process/slug.ts";
import { useApi } from "../../../support/api.ts";
import { isError, isProcess } from "../../../support/contract.ts";
import { useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();
let companyId: string;
let sizeId: string;
let token: string;
beforeAll(async () => {
  companyId = await records.company();
  sizeId = (await records.resourceType()).id;
  ({ token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] }));
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

interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: whatever a test looks for.
  body: any;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await api.fetch(path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
}

async function newApplication(name?: string): Promise<string> {
  const { id } = await records.application(companyId, name === undefined ? {} : { name });
  return `/v3/applications/${id}/processes`;
}

/** A process that is there. @returns its path and what it was answered with */
async function create(body: Body, path?: string): Promise<{ path: string; list: string; answer: Answer }> {
  const list = path ?? (await newApplication());
  const answer = await call("POST", list, body);
  expect(answer).toMatchObject({ status: 200 });
  return { path: `${list}/${answer.body.id}`, list, answer };
}

const read = (path: string) => call("GET", path, undefined, { "cache-control": "no-cache" });
const auditOf = async (path: string) =>
  (await records.pool.query("select * from audit_log where process_id = $1 order by id", [path.split("/").at(-1)]))
    .rows;

function expectRefusal({ status, body }: Answer, expected: { status: number; message: string; advice?: string }): void {
  isError(body);
  expect(isError.errors).toBeNull();
  expect({ status, message: body.message }).toStrictEqual({ status: expected.status, message: expected.message });
  if (expected.advice !== undefined) expect(body.data.message).toBe(expected.advice);
}

describe("POST creates", () => {
  test("a web process with ingress, and answers with what a read answers with", async () => {
    const { path, answer } = await create(ofType("web", { liveness_probe: { httpGet: { path: "/" } }, port: 8080 }));
    isProcess(answer.body);
    expect(isProcess.errors).toBeNull();
    expect(answer.body).toMatchObject({
      key: "web",
      type: "web",
      is_ingress_enabled: true,
      ingress_protocol: "http",
      port: 8080,
      // No defaults are put into it.
      liveness_probe: { httpGet: { path: "/" } },
      readiness_probe: null,
      scaling_strategy: MANUAL,
      time_zone: null,
      updated_at: answer.body.created_at,
    });
    const found = await read(path);
    expect(found.body).toStrictEqual(answer.body);
    expect(found.headers.get("etag")).toBe(answer.headers.get("etag"));
    expect(found.headers.get("last-modified")).toBe(answer.headers.get("last-modified"));
  });

  test("a worker, a cron process in UTC, and a job", async () => {
    const { list } = await create(ofType("worker", { scaling_strategy: HORIZONTAL }));
    const cron = await create(ofType("cron", { schedule: "*/5 0-6 1,15 JAN-MAR MON,SUN" }), list);
    expect(cron.answer.body).toMatchObject({
      schedule: "*/5 0-6 1,15 JAN-MAR MON,SUN",
      time_zone: "UTC",
      is_ingress_enabled: false,
      ingress_protocol: null,
    });
    const job = await create(ofType("job"), list);
    expect(job.answer.body).toMatchObject({ job_start_policy: "beforeDeployment", time_zone: null, entrypoint: "" });
  });

  test.for([
    ["Queue Worker", "queue-worker"],
    ["  Ünïcode  &  Co. ", "unicode-co"],
    ["日本", "worker"],
    ["---", "worker"],
    ["9 lives", "9-lives"],
  ])("the key of %j", ([name, slug]) => {
    expect(slugOf(name as string, "worker")).toBe(slug);
  });

  test("keys that differ, also for ten at once and for names that are the web process's", async () => {
    const list = await newApplication();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call("POST", list, ofType("worker", { display_name: "Web" }))),
    );
    const keys = answers.map(({ body }) => body.key).sort();
    expect(keys).toStrictEqual(["web-10", ...[2, 3, 4, 5, 6, 7, 8, 9].map((n) => `web-${n}`), "web-11"].sort());
    const web = await create(ofType("web"), list);
    expect(web.answer.body.key).toBe("web");
  });

  test("host names that fit a DNS label, or nothing", async () => {
    const list = await newApplication(`a${"b".repeat(57)}`);
    const first = await create(ofType("worker", { display_name: "x-y-z-longer" }), list);
    expect(first.answer.body.key).toBe("x-y");
    expect(first.answer.body.internal_hostname.split(".")[0]).toHaveLength(62);
    const second = await create(ofType("worker", { display_name: "x-y-z" }), list);
    expect(second.answer.body.key).toBe("x-2");
    const full = await newApplication("c".repeat(62));
    expectRefusal(await call("POST", full, ofType("worker")), {
      status: 400,
      message: "The name of this application is too long for one more process.",
    });
  });

  test("what is sent, to the letter", async () => {
    const entrypoint = '  npm start "é🚀"\n\t ';
    const { answer, path } = await create(ofType("worker", { display_name: " A  b ", entrypoint }));
    expect(answer.body).toMatchObject({ display_name: " A  b ", entrypoint });
    expect((await read(path)).body).toMatchObject({ display_name: " A  b ", entrypoint });
  });
});

describe("PATCH changes", () => {
  test("what is sent, and nothing else", async () => {
    const { path, answer } = await create(ofType("web", { port: 1, entrypoint: "a" }));
    const changed = await call("PATCH", path, { port: 2 });
    expect(changed.status).toBe(200);
    expect(changed.body).toStrictEqual({ ...answer.body, port: 2, updated_at: changed.body.updated_at });
    expect(Date.parse(changed.body.updated_at)).toBeGreaterThanOrEqual(Date.parse(answer.body.updated_at));
    expect((await read(path)).body).toStrictEqual(changed.body);
  });

  test("nothing by {}, and leaves no trace of it", async () => {
    const { path, answer } = await create(ofType("worker"));
    const same = await call("PATCH", path, {});
    expect(same.body).toStrictEqual(answer.body);
    expect(same.headers.get("etag")).toBe(answer.headers.get("etag"));
    expect(await auditOf(path)).toHaveLength(1);
  });

  test("a probe, and removes it by null", async () => {
    const { path } = await create(ofType("web", { liveness_probe: { tcpSocket: { port: 1 } } }));
    expect((await call("PATCH", path, { liveness_probe: null })).body).toMatchObject({ liveness_probe: null });
    const probe = { exec: { command: ["a", ""] }, periodSeconds: null };
    expect((await call("PATCH", path, { readiness_probe: probe })).body).toMatchObject({ readiness_probe: probe });
  });

  test("nothing by the zero values that Terraform's provider sends, but for the entrypoint", async () => {
    const zeros = { entrypoint: "", port: 0, time_zone: "", is_ingress_enabled: false, ingress_protocol: "" };
    for (const type of ["worker", "cron", "job"]) {
      const { path, answer } = await create(ofType(type, { port: 8080 }));
      expect((await call("PATCH", path, zeros)).body).toStrictEqual(answer.body);
    }
    const { path, answer } = await create(ofType("web", { port: 8080, entrypoint: "npm start" }));
    const { body } = await call("PATCH", path, zeros);
    expect(body).toStrictEqual({
      ...answer.body,
      entrypoint: "",
      is_ingress_enabled: false,
      updated_at: body.updated_at,
    });
  });

  test("the machine size, with what is shown of it", async () => {
    const { id } = await records.resourceType({ name: `big-${randomUUID()}`, cpuMillicores: 9, memoryMegabytes: 10 });
    const { path } = await create(ofType("worker"));
    const { body } = await call("PATCH", path, { resource_type_id: id });
    expect(body).toMatchObject({ resource_type_id: id, cpu_limit: 9, memory_limit: 10 });
  });
});

describe("DELETE", () => {
  test("deletes a process and its runs, once", async () => {
    const { path } = await create(ofType("cron"));
    await call("POST", `${path}/trigger`);
    // Some clients say what a body would be of that they do not send.
    const deleted = await call("DELETE", path, undefined, { "content-type": "application/json" });
    expect(deleted).toMatchObject({ status: 200, body: { message: "Process deleted" } });
    expect(deleted.headers.has("etag")).toBe(false);
    for (const repeated of [await call("DELETE", path), await read(path), await read(`${path}/runs`)]) {
      expectRefusal(repeated, { status: 404, message: "Process not found." });
    }
  });

  test("leaves the web process", async () => {
    const { path } = await create(ofType("web"));
    expectRefusal(await call("DELETE", path), {
      status: 400,
      message: "The web process of an application cannot be deleted.",
    });
    expect((await read(path)).status).toBe(200);
  });
});

describe("trigger", () => {
  test("asks for a run, which the control plane starts and finishes", async () => {
    const { path } = await create(ofType("cron"));
    const triggered = await call("POST", `${path}/trigger`, undefined, { "content-type": "application/json" });
    expect(triggered).toMatchObject({ status: 200, body: { message: "Cron job triggered" } });
    const waiting = (await read(`${path}/runs`)).body;
    expect(waiting).toMatchObject({ total: 1, data: [{ started_at: null, finished_at: null }] });
    await records.pool.query(
      "update process_runs set started_at = requested_at, finished_at = requested_at where id = $1",
      [waiting.data[0].id],
    );
    await call("POST", `${path}/trigger`);
    const { body } = await read(`${path}/runs?limit=1&offset=1`);
    const { requested_at } = waiting.data[0];
    expect(body).toStrictEqual({
      data: [{ ...waiting.data[0], started_at: requested_at, finished_at: requested_at }],
      total: 2,
      offset: 1,
      limit: 1,
    });
  });

  test("is for cron processes alone", async () => {
    const { path } = await create(ofType("worker"));
    expectRefusal(await call("POST", `${path}/trigger`), {
      status: 400,
      message: "Only cron processes can be triggered.",
    });
  });
});

const CANNOT_BE_STORED = "has a character that cannot be stored: U+0000 or half a surrogate pair";
const UNKNOWN_SIZE = "3f0f4a3e-7b63-4a8c-9d6c-0d1f6b1d2c3e";

describe("a body is refused that has", () => {
  const refused: [string, unknown, Record<string, string>][] = [
    [
      "nothing in it",
      {},
      {
        display_name: "is missing",
        type: "is missing",
        resource_type_id: "is missing",
        scaling_strategy: "is missing",
      },
    ],
    ["an empty name", { display_name: "" }, { display_name: "must not be empty" }],
    ["a long name", { display_name: "é".repeat(256) }, { display_name: "must have at most 255 characters" }],
    ["a long entrypoint", { entrypoint: "é".repeat(1_025) }, { entrypoint: "must have at most 1024 characters" }],
    ["U+0000", { entrypoint: "a\0" }, { entrypoint: CANNOT_BE_STORED }],
    ["half a surrogate pair", { display_name: "\ud800" }, { display_name: CANNOT_BE_STORED }],
    ["another type", { type: "daemon" }, { type: 'must be one of "web", "worker", "cron", "job"' }],
    [
      "a size in upper case",
      { resource_type_id: UNKNOWN_SIZE.toUpperCase() },
      { resource_type_id: "must be a UUID in lower case" },
    ],
    ["an unknown size", { resource_type_id: UNKNOWN_SIZE }, { resource_type_id: "must be the id of a machine size" }],
    ["port 0", { port: 0 }, { port: "must be at least 1" }],
    ["port 65,536", { port: 65_536 }, { port: "must be at most 65535" }],
    ["half a port", { port: 0.5 }, { port: "must be an integer" }],
    ["a port in words", { port: "80" }, { port: "must be an integer" }],
    ["null for a port", { port: null }, { port: "must be an integer" }],
    [
      "51 instances",
      { scaling_strategy: { type: "manual", config: { instanceCount: 51 } } },
      { "scaling_strategy.config.instanceCount": "must be at most 50" },
    ],
    [
      "a minimum above the maximum",
      { scaling_strategy: { type: "horizontal", config: { minInstanceCount: 3, maxInstanceCount: 2 } } },
      { "scaling_strategy.config.minInstanceCount": "must be at most maxInstanceCount" },
    ],
    [
      "a strategy of neither kind",
      { scaling_strategy: { type: "vertical", config: {} } },
      { "scaling_strategy.type": "names no alternative that there is" },
    ],
    ["a strategy that is none", { scaling_strategy: 3 }, { scaling_strategy: "must be an object" }],
    ["ingress at its creation", { is_ingress_enabled: true }, { is_ingress_enabled: "is unknown" }],
    ["a schedule for a worker", { schedule: "0 * * * *" }, { schedule: "is for cron processes only" }],
    ["a probe for a worker", { liveness_probe: null }, { liveness_probe: "is for web processes only" }],
    [
      "a policy for a worker",
      { job_start_policy: "beforeDeployment" },
      { job_start_policy: "is for job processes only" },
    ],
    ["a cron process without a schedule", { type: "cron" }, { schedule: "is missing" }],
    ["a job without a policy", { type: "job" }, { job_start_policy: "is missing" }],
    [
      "a cron process that scales by itself",
      { type: "cron", schedule: "0 * * * *", scaling_strategy: HORIZONTAL },
      { "scaling_strategy.type": 'must be "manual": web and worker processes alone scale by themselves' },
    ],
    ["a probe that is none", { type: "web", liveness_probe: 5 }, { liveness_probe: "must be an object or null" }],
    [
      "a probe with a mistake",
      { type: "web", liveness_probe: { httpGet: { port: 0, scheme: "FTP" }, command: [] } },
      {
        "liveness_probe.command": "is unknown",
        "liveness_probe.httpGet.port": "must be at least 1",
        "liveness_probe.httpGet.scheme": 'must be one of "HTTP", "HTTPS", null',
      },
    ],
  ];

  test.for(refused)("%s", async ([name, more, mistakes]) => {
    const body = name === "nothing in it" ? {} : { ...ofType("worker"), ...(more as Body) };
    await expectMistakes(await call("POST", await newApplication(), body), mistakes);
  });

  test.for([
    "* * * *",
    "0 0 * * * *",
    "60 * * * *",
    "a b c d e",
    "0 0 32 * *",
    "0 0 * * MOO",
    "*/0 * * * *",
    "@daily",
    "",
  ])("the schedule %j", async (schedule) => {
    const { status, body } = await call("POST", await newApplication(), ofType("cron", { schedule }));
    expect({ status, message: body.message }).toStrictEqual({ status: 400, message: "The body is invalid: schedule." });
  });

  test.for(["+01:00", "Mars/Olympus", "CEST", "Europe/Berlin ", ""])("the time zone %j", async (time_zone) => {
    const { status, body } = await call("POST", await newApplication(), ofType("cron", { time_zone }));
    expect({ status, message: body.message }).toStrictEqual({
      status: 400,
      message: "The body is invalid: time_zone.",
    });
  });

  test("fields of another API, naming those that there are", async () => {
    const list = await newApplication();
    const { path } = await create(ofType("worker"), list);
    const others = { name: "x", command: "y", resource_type: "s1", instances: 2 };
    const created = await call("POST", list, { ...others, type: "worker" });
    const changed = await call("PATCH", path, others);
    for (const { status, body } of [created, changed]) {
      expect(status).toBe(400);
      for (const field of Object.keys(others)) expect(body.data.message).toContain(`${field} is unknown.`);
      for (const field of ["display_name", "entrypoint", "resource_type_id", "scaling_strategy"]) {
        expect(body.data.message).toContain(field);
      }
    }
  });

  test("fields of another type than the process's, and what cannot be changed", async () => {
    const { path } = await create(ofType("cron"));
    await expectMistakes(await call("PATCH", path, { job_start_policy: "beforeDeployment", liveness_probe: null }), {
      job_start_policy: "is for job processes only",
      liveness_probe: "is for web processes only",
    });
    await expectMistakes(await call("PATCH", path, { is_ingress_enabled: true, ingress_protocol: "grpc" }), {
      ingress_protocol: "is for web processes only",
      is_ingress_enabled: "is for web processes only",
    });
    await expectMistakes(await call("PATCH", path, { scaling_strategy: HORIZONTAL }), {
      "scaling_strategy.type": 'must be "manual": web and worker processes alone scale by themselves',
    });
    await expectMistakes(await call("PATCH", path, { type: "job", key: "x" }), {
      key: "is unknown",
      type: "is unknown",
    });
    await expectMistakes(await call("PATCH", path, { schedule: "" }), { schedule: "must not be empty" });
  });

  test("more mistakes than anybody reads", async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`${"x".repeat(200)}${n}`, n]));
    const { status, body } = await call("POST", await newApplication(), many);
    expect(status).toBe(400);
    expect(JSON.stringify(body).length).toBeLessThan(16_384);
  });

  async function expectMistakes({ status, body }: Answer, mistakes: Record<string, string>): Promise<void> {
    isError(body);
    expect(isError.errors).toBeNull();
    const named = body.message.replace(/^The body is invalid: (.*)\.$/, "$1").split(", ");
    expect({ status, named: named.sort() }).toStrictEqual({ status: 400, named: Object.keys(mistakes).sort() });
    for (const [field, what] of Object.entries(mistakes)) expect(body.data.message).toContain(`${field} ${what}.`);
  }
});

describe("a body", () => {
  const NO_JSON = { status: 400, message: "The body is invalid.", advice: "Expected a JSON object." };

  test.for(["", "{", "null", "[]", '"x"', "1"])("that is %j is no object", async (body) => {
    const { path, list } = await create(ofType("worker"));
    for (const [method, to] of [
      ["POST", list],
      ["PATCH", path],
    ] as const) {
      const answer = await call(method, to, body, { "content-type": "application/json" });
      expect(answer).toMatchObject({ status: 400, body: { message: "The body is invalid." } });
    }
  });

  test("that is missing is no object", async () => {
    expectRefusal(await call("POST", await newApplication()), NO_JSON);
  });

  test("must be UTF-8", async () => {
    const response = await api.fetch(await newApplication(), {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: new Uint8Array([0x22, 0xff, 0x22]),
    });
    expect(response.status).toBe(400);
  });

  test.for([
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/merge-patch+json", 415],
    ["application/jsonp", 415],
    ["application/json; charset=utf-8", 200],
    ["APPLICATION/JSON", 200],
  ] as const)("of the type %s is answered with %i", async ([type, status]) => {
    const answer = await call("POST", await newApplication(), ofType("worker"), { "content-type": type });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("accept")).toBe(status === 415 ? "application/json" : null);
  });

  test("may not be compressed", async () => {
    const answer = await call("POST", await newApplication(), ofType("worker"), { "content-encoding": "gzip" });
    expect(answer.status).toBe(415);
  });

  test("may have 64 KiB", async () => {
    const list = await newApplication();
    const withLength = (bytes: number) => {
      const text = JSON.stringify(ofType("worker"));
      return call("POST", list, text + " ".repeat(bytes - text.length));
    };
    expect((await withLength(65_536)).status).toBe(200);
    expectRefusal(await withLength(65_537), {
      status: 413,
      message: "The body is too large.",
      advice: "Send at most 65536 bytes.",
    });
  });
});

describe("?dry_run=true", () => {
  test("answers as a write does, and writes nothing", async () => {
    const { path, list, answer } = await create(ofType("cron"));
    const key = { "idempotency-key": randomUUID() };
    const tried = await call("POST", `${list}?dry_run=true`, ofType("worker"), key);
    expect(tried.status).toBe(200);
    isProcess(tried.body);
    expect(isProcess.errors).toBeNull();
    expect(tried.headers.get("cache-status")).toBe("process-api; fwd=method");
    expect((await call("PATCH", `${path}?dry_run=true`, { port: 7 })).body).toMatchObject({ port: 7 });
    expect((await call("POST", `${path}/trigger?dry_run=true`)).status).toBe(200);
    expect((await call("DELETE", `${path}?dry_run=true`)).status).toBe(200);
    expect((await read(list)).body).toMatchObject({ total: 1, data: [answer.body] });
    expect((await read(`${path}/runs`)).body.total).toBe(0);
    expect(await auditOf(path)).toHaveLength(1);
    const kept = await records.pool.query("select from idempotent_answers where key = $1", [key["idempotency-key"]]);
    expect(kept.rowCount).toBe(0);
  });

  test("refuses what a write refuses", async () => {
    const { path, list } = await create(ofType("web"));
    const refusals = [
      await call("POST", `${list}?dry_run=true`, ofType("web")),
      await call("PATCH", `${path}?dry_run=true`, { schedule: "0 * * * *" }),
      await call("DELETE", `${path}?dry_run=true`),
      await call("POST", `${path}/trigger?dry_run=true`),
    ];
    expect(refusals.map(({ status }) => status)).toStrictEqual([400, 400, 400, 400]);
    expect((await call("PATCH", `${path}?dry_run=true`, {}, { "if-match": '"x"' })).status).toBe(412);
  });

  test.for(["1", "TRUE", ""])("is true or false, and not %j", async (value) => {
    expectRefusal(await call("POST", `${await newApplication()}?dry_run=${value}`, ofType("worker")), {
      status: 400,
      message: 'The query parameter "dry_run" is invalid.',
      advice: "Expected true or false.",
    });
  });
});

test.for(["dryrun=true", "dry_run=true&force=1", "=1"])(
  "a query parameter that it does not know is refused: %s",
  async (query) => {
    const { path, list } = await create(ofType("worker"));
    const name = query.split("&").at(-1)?.split("=")[0];
    for (const [method, target] of [
      ["POST", list],
      ["PATCH", path],
      ["DELETE", path],
      ["POST", `${path}/trigger`],
    ] as const) {
      const body = method === "PATCH" ? { port: 7 } : ofType("worker");
      expectRefusal(await call(method, `${target}?${query}`, body), {
        status: 400,
        message: `There is no query parameter "${name}". Nothing was written.`,
        advice: "Expected dry_run or none.",
      });
    }
    expect((await read(list)).body).toMatchObject({ total: 1, data: [{ port: null }] });
  },
);

describe("Idempotency-Key", () => {
  const withKey = (key = randomUUID() as string) => ({ "idempotency-key": key });

  test("has an answer repeated, byte for byte, whatever has happened since", async () => {
    const list = await newApplication();
    const key = withKey();
    const first = await call("POST", list, ofType("worker"), key);
    expect(first.headers.has("idempotent-replayed")).toBe(false);
    await call("PATCH", `${list}/${first.body.id}`, { port: 9 });
    await call("DELETE", `${list}/${first.body.id}`);
    const again = await call("POST", list, ofType("worker"), key);
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    for (const name of ["etag", "last-modified"]) expect(again.headers.get(name)).toBe(first.headers.get(name));
    expect((await read(list)).body.total).toBe(0);
  });

  test("comes before the precondition, which its first use has changed", async () => {
    const { path, answer } = await create(ofType("worker"));
    const headers = { ...withKey(), "if-match": String(answer.headers.get("etag")) };
    const first = await call("PATCH", path, { port: 3 }, headers);
    const again = await call("PATCH", path, { port: 3 }, headers);
    expect(again).toMatchObject({ status: 200, body: first.body });
  });

  test("is refused with another body, naming the header", async () => {
    const list = await newApplication();
    const key = withKey();
    await call("POST", list, ofType("worker"), key);
    expectRefusal(await call("POST", list, ofType("worker", { port: 1 }), key), {
      status: 400,
      message: 'The header "Idempotency-Key" was sent before, with another request. Nothing was written.',
    });
  });

  test("is of one operation and of one API key", async () => {
    const key = withKey();
    const one = await create(ofType("cron"));
    const other = await create(ofType("cron"));
    for (const { path, list } of [one, other]) {
      expect((await call("POST", `${path}/trigger`, undefined, key)).headers.has("idempotent-replayed")).toBe(false);
      expect((await call("POST", list, ofType("worker"), key)).headers.has("idempotent-replayed")).toBe(false);
    }
    const colleague = await records.key(companyId, { permissions: ["APP:UPDATE"] });
    const headers = { ...key, authorization: `Bearer ${colleague.token}` };
    expect((await call("POST", `${one.path}/trigger`, undefined, headers)).headers.has("idempotent-replayed")).toBe(
      false,
    );
  });

  test("keeps no refusal", async () => {
    const { path } = await create(ofType("worker"));
    const headers = { ...withKey(), "if-match": '"x"' };
    expect((await call("PATCH", path, { port: 3 }, headers)).status).toBe(412);
    const tag = String((await read(path)).headers.get("etag"));
    expect((await call("PATCH", path, { port: 3 }, { ...headers, "if-match": tag })).status).toBe(200);
  });

  test("is forgotten after a day, and swept away by later writes", async () => {
    const { path } = await create(ofType("cron"));
    const key = withKey();
    const age = () =>
      records.pool.query(
        "update idempotent_answers set created_at = now() - interval '24 hours 1 second' where key = $1",
        [key["idempotency-key"]],
      );
    for (const _ of [1, 2]) {
      const { headers } = await call("POST", `${path}/trigger`, undefined, key);
      expect(headers.has("idempotent-replayed")).toBe(false);
      await age();
    }
    expect((await read(`${path}/runs`)).body.total).toBe(2);
    // Others may be due as well.
    for (let n = 0; n < 20; n++) {
      await call("POST", `${path}/trigger`);
      const { rowCount } = await records.pool.query("select from idempotent_answers where key = $1", [
        key["idempotency-key"],
      ]);
      if (rowCount === 0) return;
    }
    expect.unreachable("it is still there");
  });

  test.for(["é", "x".repeat(256)])("is 1 to 255 printable ASCII characters, and not %j", async (key) => {
    const response = await api.fetch(await newApplication(), {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify(ofType("worker")),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ message: 'The header "Idempotency-Key" is invalid.' });
  });

  test("may be a quoted string", async () => {
    expect((await call("POST", await newApplication(), ofType("worker"), withKey('"a b"'))).status).toBe(200);
  });
});

describe("If-Match", () => {
  test("lets a write pass that knows what is there, and no other", async () => {
    const { path, answer } = await create(ofType("worker"));
    const first = String(answer.headers.get("etag"));
    const changed = await call("PATCH", path, { port: 2 }, { "if-match": first });
    expect(changed.status).toBe(200);
    for (const [method, body] of [
      ["PATCH", { port: 3 }],
      ["DELETE", undefined],
    ] as const) {
      expectRefusal(await call(method, path, body, { "if-match": first }), {
        status: 412,
        message: "Process has changed. Nothing was written.",
      });
    }
    expect((await read(path)).body).toStrictEqual(changed.body);
    const current = String(changed.headers.get("etag"));
    expect((await call("DELETE", path, undefined, { "if-match": `"x", ${current}` })).status).toBe(200);
  });

  test("takes * for what exists, and a tag that an edge has weakened", async () => {
    const { path, answer } = await create(ofType("worker"));
    const weak = `W/${answer.headers.get("etag")}`;
    expect((await call("PATCH", path, { port: 1 }, { "if-match": weak })).status).toBe(200);
    expect((await call("PATCH", path, { port: 2 }, { "if-match": "*" })).status).toBe(200);
    expect((await call("PATCH", `${path.slice(0, -36)}${randomUUID()}`, {}, { "if-match": "*" })).status).toBe(404);
  });

  test("sees what others have changed that the payload shows", async () => {
    const { path, answer } = await create(ofType("worker"));
    const tag = String(answer.headers.get("etag"));
    const applicationId = path.split("/")[3];
    await records.pool.query("update applications set namespace = 'ns-2' where id = $1", [applicationId]);
    expect((await call("PATCH", path, { port: 2 }, { "if-match": tag })).status).toBe(412);
    const found = await read(path);
    expect((await call("PATCH", path, { port: 2 }, { "if-match": String(found.headers.get("etag")) })).status).toBe(
      200,
    );
  });

  test("is no condition that can hold if it cannot be read", async () => {
    const { path } = await create(ofType("worker"));
    expect((await call("PATCH", path, {}, { "if-match": "x" })).status).toBe(412);
  });
});

test("every effect is in the audit log: who, what, before, after, when and by which request", async () => {
  const { path, answer } = await create(ofType("cron"));
  const changed = await call("PATCH", path, { port: 2 });
  const triggered = await call("POST", `${path}/trigger`);
  const deleted = await call("DELETE", path);
  const keyId = (await call("GET", "/v3/api-keys/me")).body.id;
  const rows = await auditOf(path);
  const ids = {
    api_key_id: keyId,
    company_id: companyId,
    application_id: answer.body.app_id,
    process_id: answer.body.id,
  };
  const by = ({ headers }: Answer) => headers.get("x-request-id");
  expect(rows).toMatchObject([
    { ...ids, operation: "create", before: null, after: answer.body, request_id: by(answer) },
    { ...ids, operation: "update", before: answer.body, after: changed.body, request_id: by(changed) },
    { ...ids, operation: "trigger", before: null, after: { process_id: answer.body.id }, request_id: by(triggered) },
    { ...ids, operation: "delete", before: changed.body, after: null, request_id: by(deleted) },
  ]);
  for (const { created_at } of rows) expect(Math.abs(Date.now() - created_at.getTime())).toBeLessThan(180_000);
});

test("a write costs one HTTP round trip, and a refusal by its body none", async () => {
  const { path } = await create(ofType("cron"));
  const before = api.queries();
  await call("PATCH", path, { port: 5 });
  await call("POST", `${path}/trigger`);
  await call("PATCH", path, { port: -1 });
  expect(api.queries() - before).toBe(2);
});

test("another company's applications cannot be written to, nor its processes", async () => {
  const { path, list } = await create(ofType("cron"));
  const stranger = await records.key(await records.company(), { permissions: ["APP:READ", "APP:UPDATE"] });
  const headers = { authorization: `Bearer ${stranger.token}` };
  for (const answer of [
    await call("POST", list, ofType("worker"), headers),
    await call("PATCH", path, { port: 1 }, headers),
    await call("DELETE", path, undefined, headers),
    await call("POST", `${path}/trigger`, undefined, headers),
  ]) {
    expect(answer.status).toBe(404);
  }
  expect(await auditOf(path)).toHaveLength(1);
});
