import fc from "fast-check";
import { expect, test } from "vitest";
import { useApi } from "../../../support/api.ts";
import { detailedApplication, inSnakeCase } from "../../../support/arbitraries.ts";
import { expectValid } from "../../../support/contract.ts";
import { responsesOf, validatorOf } from "../../../support/document.ts";
import { bearer, useCompany, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();
const own = useCompany(records);

const isApplication = validatorOf(responsesOf("/applications/{id}").get(200)?.body?.schema as object);

test("every application that Postgres holds is read back equal, and valid by the document", async () => {
  const property = fc.asyncProperty(detailedApplication, async (application) => {
    let response: Response;
    try {
      await records.application(own.companyId, application);
      response = await api.fetch(`/v3/applications/${application.id}`, bearer(own.token));
    } finally {
      await records.pool.query("delete from applications where id = $1", [application.id]);
      await api.purge({ applications: [application.id] });
    }
    expect(response.status).toBe(200);
    const payload = await response.json();
    expectValid(isApplication, payload);
    const { isBuildCacheEnabled, isHibernationEnabled, ...columns } = application;
    expect(payload).toStrictEqual({
      ...inSnakeCase(columns),
      company_id: own.companyId,
      build_cache_enabled: isBuildCacheEnabled,
      hibernation_enabled: isHibernationEnabled,
    });
    const end = Math.ceil(application.updatedAt.getTime() / 1_000) * 1_000;
    const isSettled = end + 60_000 < Date.now();
    expect(response.headers.get("last-modified")).toBe(new Date(isSettled ? end : end - 1_000).toUTCString());
  });
  await fc.assert(property, { numRuns: 40 });
});
