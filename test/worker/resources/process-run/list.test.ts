// The runs of a process, as the control plane writes them.
import { expect, test } from "vitest";
import { operations } from "#openapi";
import type { Call } from "../../../../src/worker/api/call.ts";
import { respond } from "../../../../src/worker/api/respond.ts";
import { chainsOf } from "../../../../src/worker/feed/tags.ts";
import { readConfig } from "../../../../src/worker/shared/config.ts";
import { useApi } from "../../../support/api.ts";
import { useCompany, useRecords } from "../../../support/records.ts";
import { expectPagesInOrder, idsOf, type Place, readPage } from "../pages.ts";

const api = useApi();
const records = useRecords();
const own = useCompany(records);

async function newProcess(type = "cron") {
  const { id } = await records.application(own.companyId);
  const { id: processId } = await records.process(id, { type: type as "cron" });
  const path = `/v3/applications/${id}/processes/${processId}/runs`;
  /** Writes a run, its columns as SQL. @returns its id */
  const run = async (columns: Record<string, string>): Promise<string> => {
    const { rows } = await records.pool.query(
      `insert into process_runs (${["process_id", ...Object.keys(columns)]})
        values (${["$1", ...Object.values(columns)]}) returning id`,
      [processId],
    );
    return rows[0].id;
  };
  return { processId, run, path, list: (query = "") => readPage(api, path + query, own.token) };
}

test("shows what was written of a run", async () => {
  const { processId, run, list } = await newProcess();
  const at = (minutes: number) => `date_trunc('minute', now()) - interval '${minutes} minutes'`;
  const failed = {
    requested_at: at(9),
    started_at: at(8),
    finished_at: at(7),
    trigger: "'scheduled'",
    retry_count: "2",
    outcome: "'failed'",
    failure_reason: "'DeadlineExceeded'",
    exit_code: "137",
  };
  const id = await run(failed);
  const { rows } = await records.pool.query(`select ${at(9)} as due, ${at(8)} as started, ${at(7)} as finished`);
  const [due_at, started_at, finished_at] = Object.values(rows[0] as Date[]).map((date) => date.toISOString());
  const dates = { due_at, started_at, finished_at };
  const result = { outcome: "failed", failure_reason: "DeadlineExceeded", exit_code: 137, retry_count: 2 };
  const data = [{ id, process_id: processId, trigger: "scheduled", ...dates, ...result }];
  expect(await list()).toStrictEqual({ data, total: 1, offset: 0, limit: 25 });
});

test("knows what a version has written that knew neither of triggers nor of retries", async () => {
  const { run, list } = await newProcess();
  await run({ trigger: "null", retry_count: "null" });
  expect((await list()).data).toMatchObject([{ trigger: "manual", retry_count: 0, outcome: null }]);
});

test("orders by when they were due, then id, the newest first, whatever the size of the pages", async () => {
  const base = Date.now() - 3_600_000;
  await expectPagesInOrder(async (places) => {
    const { run, list } = await newProcess();
    const dueAt = ({ createdAt }: Place) => new Date(base + createdAt.getTime()).toISOString();
    const written = places.map(async (one) => `${dueAt(one)} ${await run({ requested_at: `'${dueAt(one)}'` })}`);
    const keys = (await Promise.all(written)).sort().reverse();
    return { expected: keys.map((key) => String(key.split(" ")[1])), read: list };
  });
});

test("leaves out what was due more than 30 days ago, and does not count it", async () => {
  const { run, list } = await newProcess();
  const kept = await run({ requested_at: "now() - interval '29 days 23 hours 59 minutes'" });
  await run({ requested_at: "now() - interval '30 days 1 second'" });
  const page = await list();
  expect([idsOf(page), page.total]).toStrictEqual([[kept], 1]);
});

// "Processes of other types have no runs."
test.for(["web", "worker", "job"])("a process of the type %s has none, whatever is written", async (type) => {
  const { run, list } = await newProcess(type);
  await run({});
  expect(await list()).toStrictEqual({ data: [], total: 0, offset: 0, limit: 25 });
});

test("carries every tag by which a change of it may be purged, short of everything", async () => {
  const [applicationId, resourceId] = [crypto.randomUUID(), crypto.randomUUID()];
  const body = JSON.stringify({ data: [], total: 0, offset: 0, limit: 25 });
  const row = {
    keyId: "k",
    companyId: "c",
    isPermitted: true,
    isFeedHealthy: true,
    secondsLeft: null,
    body,
    etag: "e",
  };
  const { headers } = await respond({
    operation: operations.find(({ id }) => id === "listProcessRunsV3"),
    config: readConfig({ DATABASE_URL: "postgres://user@host/database" }),
    isPurgeable: true,
    db: { query: async () => [{ ...row, lastModified: null }] },
    caller: { keyHash: "", trace: {} },
    note: () => {},
    path: { id: applicationId, process_id: resourceId },
    query: { limit: 25, offset: 0 },
  } as unknown as Call);
  const change = { kind: "run-list", resourceId, applicationId, companyId: "c", ownerId: "c", changedAt: 0 } as const;
  const [chain = []] = chainsOf(change);
  expect(String(headers.get("cache-tag")).split(",")).toStrictEqual(expect.arrayContaining(chain.slice(0, -1)));
  expect(chain.slice(0, -1)).toStrictEqual([`run-list:${resourceId}`, "run-list:every"]);
});
