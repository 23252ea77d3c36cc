// A newcomer's whole session with a typed client and no more than a key, against `npm run dev`.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import { type Dev, startDev } from "../support/dev.ts";
import { connect } from "./typescript/client.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  await dev.ready;
});
afterAll(() => dev.interrupt());

test("leads from a key to every process, and costs a 304 the second time", async () => {
  const api = connect(`http://localhost:${dev.port}`, SEED_TOKENS.full);

  const validation = await api.GET("/api-keys/validate");
  expect(validation.data).toMatchObject({ name: "Full access", status: "active" });
  const me = await api.GET("/api-keys/me");
  expect(me.data?.company_id).toBe(validation.data?.company_id);
  const sizes = await api.GET("/resources/process-resource-types");
  const sizeIds = sizes.data?.map(({ id }) => id);

  const page = await api.GET("/applications", { params: { query: { limit: 100 } } });
  const applications = page.data?.data ?? [];
  expect(applications).toHaveLength(5);

  const read: string[] = [];
  for (const item of applications) {
    const path = { id: item.id };
    const application = await api.GET("/applications/{id}", { params: { path } });
    expect(application.data).toMatchObject({ ...item, company_id: me.data?.company_id });
    const etag = String(application.response.headers.get("etag"));
    const again = await api.GET("/applications/{id}", { params: { path, header: { "If-None-Match": etag } } });
    expect(again.response.status).toBe(304);

    const processes = await api.GET("/applications/{id}/processes", { params: { path } });
    expect(processes.data?.total).toBe(processes.data?.data.length);
    for (const listed of processes.data?.data ?? []) {
      const path = { id: item.id, process_id: listed.id };
      const process = await api.GET("/applications/{id}/processes/{process_id}", { params: { path } });
      expect(process.data).toStrictEqual(listed);
      if (process.data?.resource_type_id) expect(sizeIds).toContain(process.data.resource_type_id);
      const etag = String(process.response.headers.get("etag"));
      const params = { path, header: { "If-None-Match": etag } };
      const again = await api.GET("/applications/{id}/processes/{process_id}", { params });
      expect(again.response.status).toBe(304);
      read.push(listed.id);
    }
  }
  const seeded = SEED_PROCESSES.filter(({ token }) => token === SEED_TOKENS.full).map(({ processId }) => processId);
  expect(read.sort()).toStrictEqual([...seeded].sort());

  const refused = await connect(`http://localhost:${dev.port}`, SEED_TOKENS.disabled).GET("/api-keys/validate");
  expect(refused.error).toMatchObject({ status: 401 });
});
