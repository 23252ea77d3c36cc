// A client as a caller would write it, against the Worker. `npm run check` generates its types and compiles it.
import { expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import { useApi } from "../support/api.ts";
import { useRecords } from "../support/records.ts";
import * as program from "./typescript/client.ts";

const api = useApi();
const records = useRecords();
const connect = (token: string) => program.connect(api.url.origin, token);
const [web, worker, , , sparse] = SEED_PROCESSES;
const manual = (instanceCount: number) => ({ type: "manual" as const, config: { instanceCount } });

/** An application of a new company, a client whose key may read and write there, and a process to create. */
async function newApplication() {
  const companyId = await records.company();
  const { id } = await records.application(companyId);
  const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  const { id: resource_type_id } = await records.resourceType();
  const body = { display_name: "Worker", type: "worker" as const, resource_type_id, scaling_strategy: manual(0) };
  return { companyId, id, client: connect(token), body };
}

test.for([
  { process: web, instances: 1 },
  { process: worker, instances: 10 },
  { process: sparse, instances: null },
])("it gets $process.shows and its scaling strategy", async ({ process: { applicationId, processId }, instances }) => {
  const got = await program.getProcess(connect(SEED_TOKENS.full), applicationId, processId);
  expect([got.id, program.maxInstances(got)]).toStrictEqual([processId, instances]);
});

test("it finds every process, knowing no more than its key", async () => {
  const { companyId: company_id, id, client, body } = await newApplication();
  const processes: program.Process[] = [];
  for (const display_name of ["A", "B", "C"]) {
    processes.push(await program.createProcess(client, id, { ...body, display_name }));
  }
  const validation = await client.GET("/api-keys/validate");
  expect(validation.data).toMatchObject({ company_id, name: "A key", status: "active" });
  const me = await client.GET("/api-keys/me");
  const capabilities = ["APP:READ", "APP:UPDATE"].map((permission) => ({ permission, resource_id: null }));
  expect(me.data).toMatchObject({ company_id, capabilities });
  const sizes = await client.GET("/resources/process-resource-types");
  expect(sizes.data?.map((size) => size.id)).toContain(body.resource_type_id);
  const page = await client.GET("/applications", { params: { query: { limit: 100 } } });
  expect(page.data?.data.map((item) => item.id)).toStrictEqual([id]);
  const application = await client.GET("/applications/{id}", { params: { path: { id } } });
  expect(application.data).toMatchObject({ ...page.data?.data[0], company_id });
  for (const limit of [1, 3, 100]) {
    expect(await program.listProcesses(client, id, limit)).toStrictEqual(processes);
  }
});

test("it says why it was refused, and by which request", async () => {
  const client = connect(SEED_TOKENS.unpermitted);
  const refusal = await program.getProcess(client, web.applicationId, web.processId).catch((error) => error);
  expect(refusal).toBeInstanceOf(program.RefusedError);
  expect(refusal).toMatchObject({ status: 403, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(refusal.message).toContain("needs the permission APP:READ");
});

test("it remembers what is answered with 304, and sees a change", async () => {
  const { id, client, body } = await newApplication();
  const process = await program.createProcess(client, id, body);
  const statuses: number[] = [];
  client.use({ onResponse: ({ response }) => void statuses.push(response.status) });
  const get = program.remember(client, id, process.id);
  const first = await get();
  expect(await get()).toBe(first);
  await records.pool.query("update processes set display_name = 'Renamed' where id = $1", [process.id]);
  await api.purge({ processes: [process.id] });
  expect((await get()).display_name).toBe("Renamed");
  expect(statuses).toStrictEqual([200, 304, 200]);
});

test("it creates a process once, also when the response is lost", async () => {
  const { id, client, body } = await newApplication();
  let fails = 2;
  api.fail(() => (fails-- > 0 ? "lost answer" : undefined));
  const process = await program.createProcess(client, id, body).finally(() => api.fail(undefined));
  expect(process).toMatchObject({ key: "worker", entrypoint: "" });
  expect(await program.listProcesses(client, id)).toStrictEqual([process]);
  await expect(program.createProcess(client, id, { ...body, display_name: "" })).rejects.toThrow("display_name");
});

test("it loses no change that others make at the same time", async () => {
  const { id, client, body } = await newApplication();
  const path = { id, process_id: (await program.createProcess(client, id, body)).id };
  const addOne = () =>
    program.changeProcess(client, path, (now) => ({ scaling_strategy: manual((program.maxInstances(now) ?? 0) + 1) }));
  await Promise.all([addOne(), addOne(), addOne(), addOne()]);
  expect(program.maxInstances(await program.changeProcess(client, path, () => ({})))).toBe(4);
});

test("it triggers and deletes a process", async () => {
  const { id, client, body } = await newApplication();
  const cron = { ...body, type: "cron" as const, schedule: "0 3 * * *" };
  const params = { path: { id, process_id: (await program.createProcess(client, id, cron)).id } };
  const triggered = await client.POST("/applications/{id}/processes/{process_id}/trigger", { params });
  expect(triggered.data?.message).toBe("Cron job triggered");
  const runs = await client.GET("/applications/{id}/processes/{process_id}/runs", { params });
  expect(runs.data?.data).toMatchObject([{ process_id: params.path.process_id, started_at: null }]);
  const deleted = await client.DELETE("/applications/{id}/processes/{process_id}", { params });
  expect(deleted.data?.message).toBe("Process deleted");
});
