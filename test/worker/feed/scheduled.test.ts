// The feed in workerd, as the cron trigger runs it, and what its heartbeat is good for.
import { afterAll, beforeAll, expect, test } from "vitest";
import { FEED } from "../../../src/worker/shared/analytics.ts";
import { useApi } from "../../support/api.ts";
import { createOwnProcess } from "../../support/own-process.ts";
import { bearer, useRecords } from "../../support/records.ts";
import { countOf, insertAged, newOwners } from "./expiring.ts";

const api = useApi({ isOwn: true });
const records = useRecords();
// Those that other files have left would keep the feed busy.
beforeAll(() => records.pool.query("delete from changes"));
afterAll(() => records.pool.query("update feed set healthy_at = null"));

test.for([
  ["100 seconds", 3_600],
  ["121 seconds", 30],
  // A moment to come is none.
  ["-61 seconds", 30],
] as const)("a feed that was heard of %s ago lets a response be kept for %i seconds", async ([ago, seconds]) => {
  const { get } = await createOwnProcess(api, records);
  await records.pool.query("update feed set healthy_at = now() - $1::interval", [ago]);
  await get();
  expect((await get()).headers.get("cache-status")).toBe(`process-api; hit; ttl=${seconds}`);
  await records.pool.query("update feed set healthy_at = null");
  const silent = (await api.logs()).filter((line) => line.includes('"feed_silent"'));
  expect(silent).toHaveLength(seconds === 30 ? 1 : 0);
});

test("purges what plain SQL has changed, and responses are kept for long; deletes what is a year old; then says how long changes waited", async () => {
  const companyId = await records.company();
  const application = await records.application(companyId);
  const process = await records.process(application.id);
  const { token } = await records.key(companyId);
  const get = () => api.fetch(`/v3/applications/${application.id}/processes/${process.id}`, bearer(token));
  const cacheStatus = async () => (await get()).headers.get("cache-status");

  const owners = await newOwners(records);
  await insertAged(records.pool, "audit_log", owners, "365 days 1 second");
  await insertAged(records.pool, "audit_log", owners, "364 days");
  // Without a heartbeat, for 30 seconds.
  await get();
  expect(await cacheStatus()).toMatch(/; hit; ttl=30$/);
  await records.pool.query("update changes set changed_at = changed_at - interval '7 seconds'");
  const run = api.runFeed();
  await expect
    .poll(async () => (await records.pool.query("select from feed where healthy_at is not null")).rowCount)
    .toBe(1);
  await api.advance(60);
  await get();
  expect(await cacheStatus()).toMatch(/; hit; ttl=3\d{3}$/);

  await records.pool.query("update processes set display_name = 'Changed' where id = $1", [process.id]);
  const name = async () => ((await (await get()).json()) as { display_name: string }).display_name;
  await expect.poll(name).toBe("Changed");
  // A revoked key as well.
  await records.pool.query("update api_keys set is_enabled = false where company_id = $1", [companyId]);
  await expect.poll(async () => (await get()).status).toBe(401);

  await api.dataPoints();
  await run;
  expect(await countOf(records.pool, "audit_log", owners)).toBe(1);
  const [point, ...others] = await api.dataPoints();
  expect([point, others]).toMatchObject([
    { keyId: FEED, route: FEED, version: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    [],
  ]);
  expect(point?.oldestChangeSeconds).toBeGreaterThanOrEqual(7);
});
