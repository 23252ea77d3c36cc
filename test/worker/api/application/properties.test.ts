import fc from "fast-check";
import { expect, test } from "vitest";
import { useApi } from "../../../support/api.ts";
import { detailedApplication } from "../../../support/arbitraries.ts";
import { responsesOf, validatorOf } from "../../../support/document.ts";
import { bearer, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();

const isApplication = validatorOf(responsesOf("/applications/{id}").get(200)?.body?.schema as object);

test("every application that Postgres holds is read back equal, and valid by the document", async () => {
  const companyId = await records.company();
  const { token } = await records.key(companyId);
  await fc.assert(
    fc.asyncProperty(detailedApplication, async (application) => {
      let response: Response;
      try {
        await records.application(companyId, application);
        response = await api.fetch(`/v3/applications/${application.id}`, bearer(token));
      } finally {
        await records.pool.query("delete from applications where id = $1", [application.id]);
        await api.purge({ applications: [application.id] });
      }
      expect(response.status).toBe(200);
      const payload = await response.json();
      isApplication(payload);
      expect(isApplication.errors).toBeNull();
      const { isSuspended, isBuildCacheEnabled, isHibernationEnabled, createdAt, updatedAt, ...columns } = application;
      expect(payload).toStrictEqual({
        ...Object.fromEntries(Object.entries(columns).map(([name, value]) => [snakeCase(name), value])),
        company_id: companyId,
        is_suspended: isSuspended,
        build_cache_enabled: isBuildCacheEnabled,
        hibernation_enabled: isHibernationEnabled,
        created_at: createdAt.toISOString(),
        updated_at: updatedAt.toISOString(),
      });
      expect(response.headers.get("last-modified")).toBe(updatedAt.toUTCString());
    }),
    { numRuns: 40 },
  );
});

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
