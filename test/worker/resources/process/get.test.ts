import { expect, test } from "vitest";
import { SEED_PROCESSES } from "../../../../drizzle/seed.ts";
import { useApi } from "../../../support/api.ts";
import { expectValid, isProcess } from "../../../support/contract.ts";
import { createOwnProcess } from "../../../support/own-process.ts";
import { bearer, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();

test.for(SEED_PROCESSES)("a $kind process is got, also by HEAD without its body", async (seeded) => {
  const { applicationId, processId, token } = seeded;
  const path = `/v3/applications/${applicationId}/processes/${processId}`;
  const get = await api.fetch(path, bearer(token));
  expect([get.status, get.headers.get("content-type")]).toStrictEqual([200, "application/json"]);
  const payload = await get.json();
  expectValid(isProcess, payload);
  expect(payload).toMatchObject({ id: processId, app_id: applicationId });
  const head = await api.fetch(path, { ...bearer(token), method: "HEAD" });
  expect([head.status, await head.text()]).toStrictEqual([200, ""]);
  for (const name of ["content-type", "etag", "last-modified", "cache-control"]) {
    expect([name, head.headers.get(name)]).toStrictEqual([name, get.headers.get(name)]);
  }
  // Absent or that of GET (RFC 9110, section 8.6).
  expect([null, get.headers.get("content-length")]).toContain(head.headers.get("content-length"));
});

test("an integer is written without a fraction, however Postgres keeps it", async () => {
  const { get, processId } = await createOwnProcess(api, records);
  const strategy = '{"type": "manual", "config": {"instanceCount": 1.0}}';
  await records.pool.query("update processes set scaling_strategy = $1::text::jsonb where id = $2", [
    strategy,
    processId,
  ]);
  expect(await (await get()).text()).toContain('"config":{"instanceCount":1}');
});
