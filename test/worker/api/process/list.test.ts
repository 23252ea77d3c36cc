import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { useApi } from "../../../support/api.ts";
import { isProcess } from "../../../support/contract.ts";
import { bearer, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();
let companyId: string;
let token: string;
beforeAll(async () => {
  companyId = await records.company();
  token = (await records.key(companyId)).token;
});

interface Page {
  data: { id: string; created_at: string }[];
  total: number;
  offset: number;
  limit: number;
}

async function list(applicationId: string, query = ""): Promise<Page> {
  const response = await api.fetch(`/v3/applications/${applicationId}/processes${query}`, bearer(token));
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

describe("GET /v3/applications/{id}/processes", () => {
  test("answers with the very processes that are got one by one", async () => {
    const { id } = await records.application(companyId);
    const size = await records.resourceType();
    for (const type of ["web", "worker", "cron", "job", null] as const) {
      await records.process(id, { type, resourceTypeId: size.id });
    }
    const { data, ...page } = await list(id);
    expect(page).toStrictEqual({ total: 5, offset: 0, limit: 25 });
    for (const process of data) {
      isProcess(process);
      expect(isProcess.errors).toBeNull();
      const alone = await api.fetch(`/v3/applications/${id}/processes/${process.id}`, bearer(token));
      expect(await alone.json()).toStrictEqual(process);
    }
  });

  test("orders by display order, then time of creation, then id", async () => {
    const { id } = await records.application(companyId);
    const at = (year: number) => new Date(Date.UTC(year, 0, 1));
    const ids = [randomUUID(), randomUUID(), randomUUID()].sort();
    for (const processId of [ids[2], ids[0], ids[1]]) {
      await records.process(id, { id: String(processId), createdAt: at(2021) });
    }
    const first = await records.process(id, { createdAt: at(2020) });
    const last = await records.process(id, { createdAt: at(2022) });
    const shown = await records.process(id, { createdAt: at(2023), displayOrder: -1 });
    const hidden = await records.process(id, { createdAt: at(2019), displayOrder: 1 });
    const expected = [shown.id, first.id, ...ids, last.id, hidden.id];
    expect((await list(id)).data.map((process) => process.id)).toStrictEqual(expected);
  });

  test("knows the total of a page that is empty, and of an application without processes", async () => {
    const { id } = await records.application(companyId);
    expect(await list(id)).toStrictEqual({ data: [], total: 0, offset: 0, limit: 25 });
    await records.process(id);
    expect(await list(id, "?offset=1")).toStrictEqual({ data: [], total: 1, offset: 1, limit: 25 });
  });

  test("costs one query, whatever the page", async () => {
    const { id } = await records.application(companyId);
    await records.process(id);
    for (const query of ["", "?limit=1", "?offset=10000"]) {
      const before = api.queries();
      await list(id, query);
      expect(api.queries() - before).toBe(1);
    }
  });

  test("finds every row exactly once, whatever the size of the pages", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.date({ min: new Date(0), max: new Date(5), noInvalidDate: true }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 12 }),
        async (moments, limit) => {
          const { id } = await records.application(companyId);
          const written = await Promise.all(moments.map((createdAt) => records.process(id, { createdAt })));
          const seen: Page["data"] = [];
          for (let offset = 0; ; offset += limit) {
            const page = await list(id, `?limit=${limit}&offset=${offset}`);
            expect(page).toMatchObject({ total: moments.length, offset, limit });
            expect(page.data.length).toBe(Math.max(0, Math.min(limit, moments.length - offset)));
            if (page.data.length === 0) break;
            seen.push(...page.data);
          }
          expect(seen.map((process) => process.id).sort()).toStrictEqual(written.map((process) => process.id).sort());
          expect(seen.map((process) => process.created_at)).toStrictEqual(moments.map((m) => m.toISOString()).sort());
        },
      ),
      { numRuns: 6 },
    );
  });

  test.for([
    ["limit", "0"],
    ["limit", "101"],
    ["limit", "-1"],
    ["limit", "1.0"],
    ["limit", "1e1"],
    ["limit", ""],
    ["limit", " 1"],
    ["limit", "+1"],
    ["limit", "0x1"],
    ["limit", "ten"],
    ["limit", "9".repeat(20)],
    ["offset", "-1"],
    ["offset", "10001"],
    ["offset", "NaN"],
  ])("refuses %s=%s, naming it, without a query", async ([name, value]) => {
    const before = api.queries();
    const query = new URLSearchParams({ [String(name)]: String(value) });
    const response = await api.fetch(`/v3/applications/${randomUUID()}/processes?${query}`, bearer(token));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      message: `The query parameter "${name}" is invalid.`,
      data: { message: `Expected an integer from ${name === "limit" ? "1 to 100" : "0 to 10000"}.` },
    });
    expect(api.queries()).toBe(before);
  });

  test("refuses a parameter that is given twice", async () => {
    const response = await api.fetch(`/v3/applications/${randomUUID()}/processes?limit=1&limit=2`, bearer(token));
    expect(response.status).toBe(400);
  });

  test("takes the bounds, and ignores what it does not know", async () => {
    const { id } = await records.application(companyId);
    expect(await list(id, "?limit=100&offset=10000")).toMatchObject({ limit: 100, offset: 10_000 });
    expect(await list(id, "?limit=1&page=7&sort=name&LIMIT=5")).toMatchObject({ limit: 1, offset: 0 });
    expect(await list(id, "?limit=010")).toMatchObject({ limit: 10 });
  });
});
