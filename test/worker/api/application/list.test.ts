import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { useApi } from "../../../support/api.ts";
import { responsesOf, validatorOf } from "../../../support/document.ts";
import { bearer, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();

interface Page {
  data: { id: string; created_at: string }[];
  total: number;
  offset: number;
  limit: number;
}

async function list(token: string, query = ""): Promise<Page> {
  const response = await api.fetch(`/v3/applications${query}`, bearer(token));
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}
const idsOf = ({ data }: Page) => data.map(({ id }) => id);

describe("GET /v3/applications", () => {
  test("shows of each application what it is got alone with, in one query", async () => {
    const companyId = await records.company();
    const { id } = await records.application(companyId, { source: "publicGit", status: "deleting" });
    const { token } = await records.key(companyId);
    const before = api.queries();
    const page = await list(token);
    expect(api.queries() - before).toBe(1);
    const alone = await (await api.fetch(`/v3/applications/${id}`, bearer(token))).json();
    expect(page).toMatchObject({ total: 1, offset: 0, limit: 25 });
    expect(Object.keys(page.data[0] ?? {})).toHaveLength(9);
    expect(alone).toMatchObject(page.data[0] as object);
    expect(alone).toMatchObject({ source: "publicGit", status: "deleting" });
  });

  test("has the newest first, whatever the size of the pages, and nothing of another company", async () => {
    await records.application(await records.company());
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.date({ min: new Date(0), max: new Date(5), noInvalidDate: true }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 12 }),
        async (moments, limit) => {
          const companyId = await records.company();
          const { token } = await records.key(companyId);
          const written: { id: string; created_at: string }[] = [];
          for (const createdAt of moments) {
            const { id } = await records.application(companyId, { createdAt });
            written.push({ id, created_at: createdAt.toISOString() });
          }
          const key = ({ id, created_at }: Page["data"][number]) => `${created_at} ${id}`;
          const seen: string[] = [];
          for (let offset = 0; ; offset += limit) {
            const page = await list(token, `?limit=${limit}&offset=${offset}`);
            expect(page).toMatchObject({ total: moments.length, offset, limit });
            if (page.data.length === 0) break;
            seen.push(...page.data.map(key));
          }
          expect(seen).toStrictEqual(written.map(key).sort().reverse());
        },
      ),
      { numRuns: 4 },
    );
  });

  test("shows a key that is granted single applications those alone", async () => {
    const companyId = await records.company();
    const [one, two] = [await records.application(companyId), await records.application(companyId)];
    await records.application(companyId);
    const key = await records.key(companyId, { resourceId: one.id });
    expect(await list(key.token)).toMatchObject({ data: [{ id: one.id }], total: 1 });
    const grant =
      "insert into api_key_capabilities (api_key_id, company_id, permission, resource_id) values ($1, $2, $3, $4)";
    // Another permission lets nothing be read.
    await records.pool.query(grant, [key.id, companyId, "APP:UPDATE", null]);
    await api.purge({ keys: [key.id] });
    expect(await list(key.token)).toMatchObject({ data: [{ id: one.id }], total: 1 });
    await records.pool.query(grant, [key.id, companyId, "APP:READ", two.id]);
    await api.purge({ keys: [key.id] });
    expect(idsOf(await list(key.token)).sort()).toStrictEqual([one.id, two.id].sort());
    await records.pool.query(grant, [key.id, companyId, "APP:READ", null]);
    await api.purge({ keys: [key.id] });
    expect(await list(key.token)).toMatchObject({ total: 3 });
  });

  test("is forbidden to a key that may read none, and empty for a company without any", async () => {
    const companyId = await records.company();
    const { token } = await records.key(companyId, { permissions: ["APP:UPDATE"] });
    expect((await api.fetch("/v3/applications", bearer(token))).status).toBe(403);
    const reader = await records.key(companyId);
    expect(await list(reader.token)).toStrictEqual({ data: [], total: 0, offset: 0, limit: 25 });
  });

  test("counts no further than a page can reach", async () => {
    const companyId = await records.company();
    const { token } = await records.key(companyId);
    await records.pool.query(
      "insert into applications (company_id, name, display_name) select $1, 'bulk-' || n, 'Bulk' from generate_series(1, 10001) n",
      [companyId],
    );
    try {
      const page = await list(token, "?limit=1&offset=10000");
      expect(page).toMatchObject({ total: 10_000, data: [{}] });
      const schema = responsesOf("/applications").get(200)?.body?.schema as object;
      expect(validatorOf(schema)({ ...page, total: 10_001 })).toBe(false);
    } finally {
      await records.pool.query("delete from applications where company_id = $1", [companyId]);
    }
  });

  test("is a 304 until an application of it changes", async () => {
    const companyId = await records.company();
    const { id } = await records.application(companyId);
    const { token } = await records.key(companyId);
    const get = (etag?: string) =>
      api.fetch("/v3/applications", {
        headers: { ...bearer(token).headers, ...(etag !== undefined && { "if-none-match": etag }) },
      });
    const etag = String((await get()).headers.get("etag"));
    expect((await get(etag)).status).toBe(304);
    await records.pool.query("update applications set display_name = 'Renamed' where id = $1", [id]);
    expect((await get(etag)).status).toBe(304);
    await api.purge({ applications: [id] });
    expect((await get(etag)).status).toBe(200);
  });
});
