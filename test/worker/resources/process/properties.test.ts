import fc from "fast-check";
import { expect, test } from "vitest";
import { useApi } from "../../../support/api.ts";
import * as arbitrary from "../../../support/arbitraries.ts";
import { expectValid, isProcess } from "../../../support/contract.ts";
import { bearer, useCompany, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();
const own = useCompany(records);

/** Takes its rows back, also from the cache: the same ones are written again while a counterexample is made smaller. */
async function readAfterWrite(
  process: arbitrary.Process,
  application: arbitrary.Application,
  size: arbitrary.ResourceType | null,
): Promise<Response> {
  try {
    await records.application(own.companyId, application);
    if (size !== null) await records.resourceType(size);
    await records.process(application.id, { ...process, resourceTypeId: size?.id ?? null });
    return await api.fetch(`/v3/applications/${application.id}/processes/${process.id}`, bearer(own.token));
  } finally {
    await records.pool.query("delete from applications where id = $1", [application.id]);
    await records.pool.query("delete from process_resource_types where id = $1", [size?.id]);
    await api.purge({ processes: [process.id] });
  }
}

test("every row that Postgres holds is read back equal, and valid by the contract", async () => {
  const size = fc.option(arbitrary.resourceType, { nil: null });
  const property = fc.asyncProperty(arbitrary.process, arbitrary.application, size, async (...rows) => {
    const response = await readAfterWrite(...rows);
    expect(response.status).toBe(200);
    const payload = await response.json();
    expectValid(isProcess, payload);
    expect(payload).toStrictEqual(arbitrary.payloadOf(...rows));
  });
  await fc.assert(property, { numRuns: 50 });
});
