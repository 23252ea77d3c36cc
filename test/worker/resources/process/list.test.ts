import { describe, expect, test } from "vitest";
import { useApi } from "../../../support/api.ts";
import { expectValid, isProcess } from "../../../support/contract.ts";
import { canonicalOf } from "../../../support/gateway.ts";
import { bearer, useCompany, useRecords } from "../../../support/records.ts";
import { expectPagesInOrder, type Place, readPage } from "../pages.ts";

const api = useApi();
const records = useRecords();
const own = useCompany(records);

async function newApplication() {
  const { id } = await records.application(own.companyId);
  const path = `/v3/applications/${id}/processes`;
  return { id, path, list: (query = "") => readPage(api, path + query, own.token) };
}

describe("GET /v3/applications/{id}/processes", () => {
  test("returns the very processes that are got one by one", async () => {
    const { id, path, list } = await newApplication();
    const { id: resourceTypeId } = await records.resourceType();
    for (const type of ["web", "worker", "cron", "job", null] as const)
      await records.process(id, { type, resourceTypeId });
    const { data, ...page } = await list();
    expect(page).toStrictEqual({ total: 5, offset: 0, limit: 25 });
    for (const process of data) {
      expectValid(isProcess, process);
      const alone = await api.fetch(`${path}/${process.id}`, bearer(own.token));
      expect(await alone.json()).toStrictEqual(process);
    }
  });

  test("counts no further than a page can reach", async () => {
    const { id, list } = await newApplication();
    const bulk = `insert into processes (application_id, key, entrypoint)
      select $1, 'bulk-' || n, '' from generate_series(1, 10001) n`;
    await records.pool.query(bulk, [id]);
    try {
      expect(await list("?limit=1")).toMatchObject({ total: 10_000, data: [{}] });
    } finally {
      await records.pool.query("delete from processes where application_id = $1", [id]);
    }
  });

  test("orders by display order, then time of creation, then id, whatever the size of the pages", async () => {
    await expectPagesInOrder(async (places) => {
      const { id, list } = await newApplication();
      const written = places.map(async (place) => ({ ...place, ...(await records.process(id, place)) }));
      const keyOf = (one: Place & { id: string }) => `${one.displayOrder + 1} ${one.createdAt.toISOString()} ${one.id}`;
      const keys = (await Promise.all(written)).map(keyOf).sort();
      return { expected: keys.map((key) => String(key.split(" ")[2])), read: list };
    });
  });

  test("knows the total of a page that is empty, and of an application without processes", async () => {
    const { id, list } = await newApplication();
    expect(await list()).toStrictEqual({ data: [], total: 0, offset: 0, limit: 25 });
    await records.process(id);
    expect(await list("?offset=1")).toStrictEqual({ data: [], total: 1, offset: 1, limit: 25 });
  });

  /** The query in canonical form, or what is said of the parameter that is refused. */
  const canonicalQuery = (query: string): Promise<string | undefined> =>
    canonicalOf(`/v3/applications/00000000-0000-4000-8000-000000000011/processes?${query}`).then(
      (url) => url?.split("?")[1],
      ({ message }) => message,
    );

  test.for([
    [
      "limit",
      "an integer from 1 to 100",
      ["0", "101", "-1", "1.0", "1e1", "", " 1", "+1", "0x1", "ten", "9".repeat(20)],
    ],
    ["offset", "an integer from 0 to 10000", ["-1", "10001", "NaN"]],
  ] as const)("refuses a %s that is not %s", async ([parameter, expected, values]) => {
    const message = `The query parameter "${parameter}" is invalid: expected ${expected}.`;
    for (const value of [...values, `1&${parameter}=2`]) {
      const query = `${parameter}=${value.replace("+", "%2B")}`;
      expect([query, await canonicalQuery(query)]).toStrictEqual([query, message]);
    }
  });

  test("refuses them without a query, and says so", async () => {
    const { path } = await newApplication();
    const before = api.queries();
    const response = await api.fetch(`${path}?limit=0`, bearer(own.token));
    expect([response.status, api.queries() - before]).toStrictEqual([400, 0]);
    expect(await response.json()).toMatchObject({
      message: 'The query parameter "limit" is invalid: expected an integer from 1 to 100.',
      data: { message: "Expected an integer from 1 to 100." },
    });
  });

  test.for([
    ["limit=100&offset=10000", "limit=100&offset=10000"],
    ["limit=1&page=7&sort=name&LIMIT=5", "limit=1"],
    ["limit=010", "limit=10"],
  ])("takes the bounds, and ignores what it does not know: %s", async ([query, canonical]) => {
    expect(await canonicalQuery(String(query))).toBe(canonical);
  });
});
