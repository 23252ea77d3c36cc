import { eq } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import type { Permission } from "../../../../src/worker/resources/api-key/access.ts";
import { apiKeyCapabilities } from "../../../../src/worker/resources/api-key/table.ts";
import { applications } from "../../../../src/worker/resources/application/table.ts";
import { useApi } from "../../../support/api.ts";
import { responsesOf, validatorOf } from "../../../support/document.ts";
import { bearer, useRecords } from "../../../support/records.ts";
import { expectPagesInOrder, idsOf, readPage } from "../pages.ts";

const api = useApi();
const records = useRecords();

/** A company without applications, and a key of it. */
async function newCompany(permissions?: Permission[]) {
  const companyId = await records.company();
  const key = await records.key(companyId, permissions && { permissions });
  return { companyId, key, list: (query = "") => readPage(api, `/v3/applications${query}`, key.token) };
}

describe("GET /v3/applications", () => {
  test("shows of each application what it is got alone with", async () => {
    const { companyId, key, list } = await newCompany();
    const { id } = await records.application(companyId, { source: "publicGit", status: "deleting" });
    const page = await list();
    expect(page).toMatchObject({ total: 1, offset: 0, limit: 25 });
    expect(Object.keys(page.data[0] ?? {})).toHaveLength(9);
    const alone = await (await api.fetch(`/v3/applications/${id}`, bearer(key.token))).json();
    expect(alone).toMatchObject({ ...page.data[0], source: "publicGit", status: "deleting" });
  });

  test("has the newest first, whatever the size of the pages, and nothing of another company", async () => {
    await records.application(await records.company());
    await expectPagesInOrder(async (places) => {
      const { companyId, list } = await newCompany();
      const written = places.map(async ({ createdAt }) => {
        const { id } = await records.application(companyId, { createdAt });
        return `${createdAt.toISOString()} ${id}`;
      });
      const keys = (await Promise.all(written)).sort().reverse();
      return { expected: keys.map((key) => String(key.split(" ")[1])), read: list };
    });
  });

  test("shows a key that is granted single applications only those", async () => {
    const { companyId } = await newCompany();
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.push((await records.application(companyId)).id);
    const [first, second] = ids as [string, string];
    const key = await records.key(companyId, { resourceId: first });
    const expectIds = async (expected: string[]) =>
      expect(idsOf(await readPage(api, "/v3/applications", key.token)).sort()).toStrictEqual(expected.sort());
    const grant = async (permission: Permission, resourceId: string | null) => {
      await records.db.insert(apiKeyCapabilities).values({ apiKeyId: key.id, companyId, permission, resourceId });
      await api.purge({ keys: [key.id] });
    };
    await expectIds([first]);
    // Another permission lets nothing be read.
    await grant("APP:UPDATE", null);
    await expectIds([first]);
    await grant("APP:READ", second);
    await expectIds([first, second]);
    await grant("APP:READ", null);
    await expectIds(ids);
  });

  test("is forbidden to a key that may read none, and empty for a company without any", async () => {
    const { token } = (await newCompany(["APP:UPDATE"])).key;
    expect((await api.fetch("/v3/applications", bearer(token))).status).toBe(403);
    expect(await (await newCompany()).list()).toStrictEqual({ data: [], total: 0, offset: 0, limit: 25 });
  });

  test("counts no further than a page can reach", async () => {
    const { companyId, list } = await newCompany();
    const bulk = `insert into applications (company_id, name, display_name)
      select $1, 'bulk-' || n, 'Bulk' from generate_series(1, 10001) n`;
    await records.pool.query(bulk, [companyId]);
    try {
      const page = await list("?limit=1&offset=10000");
      expect(page).toMatchObject({ total: 10_000, data: [{}] });
      const schema = responsesOf("/applications").get(200)?.body?.schema as object;
      expect(validatorOf(schema)({ ...page, total: 10_001 })).toBe(false);
    } finally {
      await records.pool.query("delete from applications where company_id = $1", [companyId]);
    }
  });

  test("is a 304 until an application of it changes", async () => {
    const { companyId, key } = await newCompany();
    const { id } = await records.application(companyId);
    const get = (headers = {}) =>
      api.fetch("/v3/applications", { headers: { ...bearer(key.token).headers, ...headers } });
    const condition = { "if-none-match": String((await get()).headers.get("etag")) };
    expect((await get(condition)).status).toBe(304);
    await records.db.update(applications).set({ displayName: "Renamed" }).where(eq(applications.id, id));
    expect((await get(condition)).status).toBe(304);
    await api.purge({ applications: [id] });
    expect((await get(condition)).status).toBe(200);
  });
});
