// A client as a caller would write it, against the Worker. `npm run check` generates its types and compiles it.
import { describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import { useApi } from "../support/api.ts";
import { useRecords } from "../support/records.ts";
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

const api = useApi();
const records = useRecords();
const client = (token: string = SEED_TOKENS.full) => connect(api.url.origin, token);
const [web, worker, , , sparse] = SEED_PROCESSES;
const manual = (instanceCount: number) => ({ type: "manual" as const, config: { instanceCount } });

/** An application of a new company, and a client whose key may read and write there. */
async function newApplication() {
  const companyId = await records.company();
  const { id } = await records.application(companyId);
  const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  const { id: resource_type_id } = await records.resourceType();
  const body = { display_name: "Worker", type: "worker" as const, resource_type_id, scaling_strategy: manual(0) };
  return { companyId, id, caller: client(token), body };
}

describe("a call", () => {
  test.for([
    { process: web, instances: 1 },
    { process: worker, instances: 10 },
    { process: sparse, instances: null },
  ])("gets $process.shows and its scaling strategy", async ({ process: { applicationId, processId }, instances }) => {
    const got = await getProcess(client(), applicationId, processId);
    expect(got.id).toBe(processId);
    expect(maxInstances(got)).toBe(instances);
  });

  test("leads from a key to every process, page by page", async () => {
    const { companyId, id, caller, body } = await newApplication();
    const processes = [];
    for (const display_name of ["A", "B", "C"]) {
      processes.push(await createProcess(caller, id, { ...body, display_name }));
    }
    const validation = await caller.GET("/api-keys/validate");
    expect(validation.data).toMatchObject({ company_id: companyId, name: "A key", status: "active" });
    const me = await caller.GET("/api-keys/me");
    expect(me.data).toMatchObject({
      company_id: companyId,
      capabilities: ["APP:READ", "APP:UPDATE"].map((permission) => ({ permission, resource_id: null })),
    });
    const sizes = await caller.GET("/resources/process-resource-types");
    expect(sizes.data?.map((size) => size.id)).toContain(body.resource_type_id);
    const page = await caller.GET("/applications", { params: { query: { limit: 100 } } });
    expect(page.data?.data).toMatchObject([{ id, name: `app-${id.slice(0, 8)}` }]);
    const application = await caller.GET("/applications/{id}", { params: { path: { id } } });
    expect(application.data).toMatchObject({ ...page.data?.data[0], company_id: companyId });
    for (const limit of [1, 3, 100]) {
      expect(await listProcesses(caller, id, limit)).toStrictEqual(processes);
    }
  });

  test("that is refused says why, and by which request", async () => {
    const refusal = await getProcess(client(SEED_TOKENS.unpermitted), web.applicationId, web.processId).catch((e) => e);
    expect(refusal).toBeInstanceOf(RefusedError);
    expect(refusal).toMatchObject({ status: 403, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(refusal.message).toContain("needs the permission APP:READ");
  });

  test("for what is known is a 304, and a change is seen", async () => {
    const { id, caller, body } = await newApplication();
    const process = await createProcess(caller, id, body);
    const statuses: number[] = [];
    caller.use({ onResponse: ({ response }) => void statuses.push(response.status) });
    const get = remember(caller, id, process.id);
    const first = await get();
    expect(await get()).toBe(first);
    await records.pool.query("update processes set display_name = 'Renamed' where id = $1", [process.id]);
    await api.purge({ processes: [process.id] });
    expect((await get()).display_name).toBe("Renamed");
    expect(statuses).toStrictEqual([200, 304, 200]);
  });
});

describe("a write", () => {
  test("is done once, also when its response is lost", async () => {
    const { id, caller, body } = await newApplication();
    let fails = 2;
    api.fail(() => (fails-- > 0 ? "lost answer" : undefined));
    const process = await createProcess(caller, id, body).finally(() => api.fail(undefined));
    expect(process).toMatchObject({ key: "worker", entrypoint: "" });
    expect(await listProcesses(caller, id)).toStrictEqual([process]);
    await expect(createProcess(caller, id, { ...body, display_name: "" })).rejects.toThrow("display_name");
  });

  test("that depends on what is there loses nothing to others at the same time", async () => {
    const { id, caller, body } = await newApplication();
    const path = { id, process_id: (await createProcess(caller, id, body)).id };
    const addOne = () =>
      changeProcess(caller, path, (now) => ({ scaling_strategy: manual((maxInstances(now) ?? 0) + 1) }));
    await Promise.all([addOne(), addOne(), addOne(), addOne()]);
    expect(maxInstances(await changeProcess(caller, path, () => ({})))).toBe(4);
  });

  test("reaches every other operation", async () => {
    const { id, caller, body } = await newApplication();
    const cron = { ...body, type: "cron" as const, schedule: "0 3 * * *" };
    const params = { path: { id, process_id: (await createProcess(caller, id, cron)).id } };
    const triggered = await caller.POST("/applications/{id}/processes/{process_id}/trigger", { params });
    expect(triggered.data?.message).toBe("Cron job triggered");
    const runs = await caller.GET("/applications/{id}/processes/{process_id}/runs", { params });
    expect(runs.data?.data).toMatchObject([{ process_id: params.path.process_id, started_at: null }]);
    const deleted = await caller.DELETE("/applications/{id}/processes/{process_id}", { params });
    expect(deleted.data?.message).toBe("Process deleted");
  });
});
