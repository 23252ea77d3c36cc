import { describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../../drizzle/seed.ts";
import { describeAnswer } from "../../../support/answer.ts";
import { useApi } from "../../../support/api.ts";
import { isProcess } from "../../../support/contract.ts";
import { bearer, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();

const pathOf = (applicationId: string, processId: string) => `/v3/applications/${applicationId}/processes/${processId}`;

describe("GET /v3/applications/{id}/processes/{process_id}", () => {
  test.for(SEED_PROCESSES)("answers with a $kind process that is valid by the contract", async (seeded) => {
    const response = await api.fetch(pathOf(seeded.applicationId, seeded.processId), bearer(seeded.token));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    const payload = await response.json();
    isProcess(payload);
    expect(isProcess.errors).toBeNull();
    expect(payload).toMatchObject({ id: seeded.processId, app_id: seeded.applicationId });
  });

  test("answers with every field, spelled and typed as the contract has it", async () => {
    const [web] = SEED_PROCESSES;
    const response = await api.fetch(pathOf(web.applicationId, web.processId), bearer(web.token));
    expect(await response.json()).toStrictEqual({
      id: web.processId,
      app_id: web.applicationId,
      key: "web",
      type: "web",
      display_name: "Web Process",
      entrypoint: "npm start",
      port: 8080,
      is_ingress_enabled: true,
      ingress_protocol: "http",
      scaling_strategy: { type: "manual", config: { instanceCount: 1 } },
      resource_type_id: "00000000-0000-4000-8000-000000000021",
      resource_type_name: "s1",
      cpu_limit: 500,
      memory_limit: 512,
      schedule: null,
      time_zone: null,
      job_start_policy: null,
      liveness_probe: { httpGet: { path: "/health", port: 8080, scheme: "HTTP" }, periodSeconds: 10 },
      readiness_probe: { exec: { command: ["cat", "/tmp/ready"] }, initialDelaySeconds: 5 },
      internal_hostname: "my-app-web.my-app-abc123.svc.cluster.local",
      created_at: "2025-01-30T00:00:00.000Z",
      updated_at: "2025-01-30T00:00:00.000Z",
    });
  });

  test("answers null for all that a sparse process lacks", async () => {
    const sparse = SEED_PROCESSES[4];
    const response = await api.fetch(pathOf(sparse.applicationId, sparse.processId), bearer(sparse.token));
    const payload = (await response.json()) as Record<string, unknown>;
    const absent = Object.keys(payload).filter((name) => payload[name] === null);
    expect(absent).toStrictEqual([
      "type",
      "display_name",
      "port",
      "ingress_protocol",
      "scaling_strategy",
      "resource_type_id",
      "resource_type_name",
      "cpu_limit",
      "memory_limit",
      "schedule",
      "time_zone",
      "job_start_policy",
      "liveness_probe",
      "readiness_probe",
      "internal_hostname",
    ]);
  });

  test("takes both tokens of a key in rotation", async () => {
    const [web] = SEED_PROCESSES;
    for (const token of [SEED_TOKENS.rotatedOld, SEED_TOKENS.rotatedNew]) {
      expect((await api.fetch(pathOf(web.applicationId, web.processId), bearer(token))).status).toBe(200);
    }
  });

  test("answers HEAD with the headers of GET and no body", async () => {
    const [web] = SEED_PROCESSES;
    const init = bearer(web.token);
    const get = await api.fetch(pathOf(web.applicationId, web.processId), init);
    const head = await api.fetch(pathOf(web.applicationId, web.processId), { ...init, method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
    for (const name of ["content-type", "etag", "last-modified", "cache-control"]) {
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
    // Absent or that of GET (RFC 9110, section 8.6).
    expect([null, get.headers.get("content-length")]).toContain(head.headers.get("content-length"));
  });
});

describe("the walls between companies and applications", () => {
  test("a process of another company is as absent as one that does not exist", async () => {
    const mine = await records.key(await records.company());
    const theirs = await records.application(await records.company());
    const process = await records.process(theirs.id);
    const nowhere = "9c5b94b1-35ad-49bb-b118-8e8fc24abf80";
    const answers = await Promise.all(
      [
        pathOf(theirs.id, process.id),
        pathOf(theirs.id, nowhere),
        pathOf(nowhere, process.id),
        pathOf(nowhere, nowhere),
      ].map(async (path) => describeAnswer(await api.fetch(path, bearer(mine.token)))),
    );
    expect(answers[0]?.status).toBe(404);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  test("a process is not found through another application of the same company", async () => {
    const companyId = await records.company();
    const { token } = await records.key(companyId);
    const [one, two] = [await records.application(companyId), await records.application(companyId)];
    const process = await records.process(one.id);
    expect((await api.fetch(pathOf(two.id, process.id), bearer(token))).status).toBe(404);
    expect((await api.fetch(pathOf(one.id, process.id), bearer(token))).status).toBe(200);
  });

  test("a key for one application is forbidden the others, whether they exist or not", async () => {
    const companyId = await records.company();
    const [one, two] = [await records.application(companyId), await records.application(companyId)];
    const [mine, other] = [await records.process(one.id), await records.process(two.id)];
    const { token } = await records.key(companyId, { resourceId: one.id });
    const nowhere = "9c5b94b1-35ad-49bb-b118-8e8fc24abf80";
    expect((await api.fetch(pathOf(one.id, mine.id), bearer(token))).status).toBe(200);
    const existing = await describeAnswer(await api.fetch(pathOf(two.id, other.id), bearer(token)));
    const absent = await describeAnswer(await api.fetch(pathOf(nowhere, nowhere), bearer(token)));
    expect(existing.status).toBe(403);
    expect(existing).toStrictEqual(absent);
  });

  test("another permission does not do", async () => {
    const companyId = await records.company();
    const application = await records.application(companyId);
    const process = await records.process(application.id);
    const { token } = await records.key(companyId, { permissions: ["APP:CREATE", "APP:UPDATE", "APP:DELETE"] });
    const response = await api.fetch(pathOf(application.id, process.id), bearer(token));
    expect(response.status).toBe(403);
    expect(response.headers.get("www-authenticate")).toBe(
      'Bearer realm="process-api", error="insufficient_scope", scope="APP:READ"',
    );
  });
});
