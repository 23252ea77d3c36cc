// A client as a caller would make it, from the committed document: its types hold, and so do the calls.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import { startApi, type TestApi } from "../support/api.ts";
import { openRecords, type Records } from "../support/records.ts";
import {
  changeProcess,
  connect,
  createProcess,
  getProcess,
  listProcesses,
  maxInstances,
  RefusedError,
  remember,
} from "./typescript/client.ts";

const PROJECT = "test/clients/typescript";
const run = promisify(execFile);

let api: TestApi;
let records: Records;
beforeAll(async () => {
  api = await startApi({ connectionString: inject("connectionString") });
  records = await openRecords(inject("connectionString"));
});
afterAll(async () => {
  await records.close();
  await api.close();
});

const [web, worker] = SEED_PROCESSES;
const client = (token: string = SEED_TOKENS.full) => connect(api.url.origin, token);

describe("the types", () => {
  test("are those that openapi-typescript makes of the committed document", async () => {
    await run("npm", ["run", "-s", "generate", "--workspace", "process-api-client", "--", "--check"]);
  });

  test.for([`${PROJECT}/node_modules/.bin/tsc`, "node_modules/.bin/tsc"])(
    "hold, and refuse what is wrong, by %s",
    async (compiler) => {
      await run(String(compiler), ["--project", PROJECT]);
    },
  );
});

describe("a call", () => {
  test("gets a process, whose scaling strategy its type tells apart", async () => {
    const manual = await getProcess(client(), web.applicationId, web.processId);
    expect(manual.display_name).toBe("Web Process");
    expect(maxInstances(manual)).toBe(1);
    expect(maxInstances(await getProcess(client(), worker.applicationId, worker.processId))).toBe(10);
    const sparse = SEED_PROCESSES[4];
    expect(maxInstances(await getProcess(client(), sparse.applicationId, sparse.processId))).toBeNull();
  });

  test("lists them all, page by page", async () => {
    for (const limit of [1, 3, 100]) {
      const all = await listProcesses(client(), web.applicationId, limit);
      expect(all.map(({ key }) => key)).toStrictEqual(["web", "worker", "cleanup", "migrate"]);
    }
  });

  test("that is refused says why, and by which request", async () => {
    const refusal = await getProcess(client(SEED_TOKENS.unpermitted), web.applicationId, web.processId).catch((e) => e);
    expect(refusal).toBeInstanceOf(RefusedError);
    expect(refusal).toMatchObject({ status: 403, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(refusal.message).toContain("needs the permission APP:READ");
  });

  test("for what is known is a 304, and a change is seen", async () => {
    const companyId = await records.company();
    const application = await records.application(companyId);
    const process = await records.process(application.id);
    const key = await records.key(companyId);
    const statuses: number[] = [];
    const counting = client(key.token);
    counting.use({
      onResponse: ({ response }) => {
        statuses.push(response.status);
      },
    });
    const get = remember(counting, application.id, process.id);
    const first = await get();
    expect(await get()).toBe(first);
    await records.pool.query("update processes set display_name = 'Renamed' where id = $1", [process.id]);
    await api.purge({ processes: [process.id] });
    expect((await get()).display_name).toBe("Renamed");
    expect(statuses).toStrictEqual([200, 304, 200]);
  });

  test("reaches every other operation", async () => {
    const key = await client().GET("/api-keys/me");
    expect(key.data?.capabilities).toStrictEqual([
      { permission: "APP:READ", resource_id: null },
      { permission: "APP:UPDATE", resource_id: null },
    ]);
    const sizes = await client().GET("/resources/process-resource-types");
    expect(sizes.data?.map(({ name }) => name)).toContain("s1");
  });
});

describe("a write", () => {
  async function newApplication() {
    const companyId = await records.company();
    const application = await records.application(companyId);
    const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
    return { id: application.id, api: client(token), resource_type_id: (await records.resourceType()).id };
  }
  const manual = (instanceCount: number) => ({ type: "manual" as const, config: { instanceCount } });

  test("is done once, also when its answer is lost", async () => {
    const { id, api: caller, resource_type_id } = await newApplication();
    let fails = 2;
    api.fail(() => (fails-- > 0 ? "lost answer" : undefined));
    const body = { display_name: "Worker", type: "worker" as const, resource_type_id, scaling_strategy: manual(1) };
    const process = await createProcess(caller, id, body);
    api.fail(undefined);
    expect(process).toMatchObject({ key: "worker", entrypoint: "" });
    expect(await listProcesses(caller, id)).toStrictEqual([process]);
    await expect(createProcess(caller, id, { ...body, display_name: "" })).rejects.toThrow("display_name");
  });

  test("by what there is now loses nothing to others who write at the same time", async () => {
    const { id, api: caller, resource_type_id } = await newApplication();
    const { id: process_id } = await createProcess(caller, id, {
      display_name: "Worker",
      type: "worker",
      resource_type_id,
      scaling_strategy: manual(0),
    });
    const path = { id, process_id };
    const addOne = () =>
      changeProcess(caller, path, (now) => ({ scaling_strategy: manual((maxInstances(now) ?? 0) + 1) }));
    await Promise.all(Array.from({ length: 8 }, addOne));
    expect(maxInstances(await changeProcess(caller, path, () => ({})))).toBe(8);
  });

  test("reaches every other operation", async () => {
    const { id, api: caller, resource_type_id } = await newApplication();
    const { id: process_id } = await createProcess(caller, id, {
      display_name: "Cleanup",
      type: "cron",
      resource_type_id,
      scaling_strategy: manual(1),
      schedule: "0 3 * * *",
    });
    const params = { path: { id, process_id } };
    const triggered = await caller.POST("/applications/{id}/processes/{process_id}/trigger", { params });
    expect(triggered.data?.message).toBe("Cron job triggered");
    const runs = await caller.GET("/applications/{id}/processes/{process_id}/runs", { params });
    expect(runs.data?.data).toMatchObject([{ process_id, started_at: null }]);
    const deleted = await caller.DELETE("/applications/{id}/processes/{process_id}", { params });
    expect(deleted.data?.message).toBe("Process deleted");
  });
});
