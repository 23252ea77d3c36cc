// Promises that the platform does not keep: the Worker fails closed, and says so in the log.
import { afterAll, expect, test } from "vitest";
import { useApi } from "../support/api.ts";
import { createOwnProcess } from "../support/own-process.ts";
import { randomToken, useRecords } from "../support/records.ts";

const api = useApi({ isOwn: true });
const records = useRecords();
afterAll(() => records.pool.query("update feed set healthy_at = null"));

/** At most one a minute. */
const logged = async (event: string) =>
  (await api.logs()).filter((line) => line.includes(`{"level":"error","event":"${event}"`)).length;

test("a heartbeat is worth nothing where there is no cache to purge, unless nothing is stored at all", async () => {
  const { key, path, processId, get } = await createOwnProcess(api, records);
  const cacheStatus = async () => (await get()).headers.get("cache-status");
  const purge = async () => (await api.purge({ processes: [processId] })).status;
  await records.pool.query("update feed set healthy_at = now()");

  await api.set({ CACHE_FAULT: "no ctx.cache" });
  await get();
  expect([await cacheStatus(), await purge()]).toStrictEqual(["process-api; hit; ttl=30", 503]);
  expect(await logged("no_cache")).toBe(1);
  await api.set({ CACHE_FAULT: "no ctx.cache", EDGE_FRESH_SECONDS: "0" });
  await get();
  expect([await cacheStatus(), await purge()]).toStrictEqual(["process-api; fwd=bypass; detail=BYPASS", 200]);

  await api.set({ CACHE_FAULT: "no ctx.cache" });
  const headers = { authorization: `Bearer ${key.token}`, "content-type": "application/json" };
  const written = await api.fetch(path, { method: "PATCH", headers, body: '{"display_name":"New"}' });
  expect(written.headers.get("cache-status")).toContain("detail=purge-pending");
});

test("a response goes to nobody but the key that it was made for where the cache takes no account of keys", async () => {
  await api.set({ CACHE_FAULT: "keys without props" });
  const { companyId, ids, list, path, get } = await createOwnProcess(api, records);
  const statusOf = async (what: string, token: string) => (await get({}, { what, token })).status;
  const stranger = await records.key(await records.company());
  const absent = `${list}/${ids.id}`;
  for (const what of [path, path, list, absent]) await get({}, { what });
  expect((await get()).headers.get("cache-status")).toMatch(/^process-api; hit/);
  for (const what of [path, list, absent]) {
    expect([await statusOf(what, stranger.token), await statusOf(what, randomToken())]).toStrictEqual([404, 401]);
  }
  const colleague = await get({}, { token: (await records.key(companyId)).token });
  expect(colleague.headers.get("cache-status")).toBe("process-api; fwd=bypass; detail=foreign-response");
  expect(await logged("foreign_response")).toBe(1);
});
