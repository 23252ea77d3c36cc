import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { useApi } from "../../../support/api.ts";
import * as arbitrary from "../../../support/arbitraries.ts";
import { isProcess } from "../../../support/contract.ts";
import { bearer, useRecords } from "../../../support/records.ts";

type Value<T> = T extends fc.Arbitrary<infer V> ? V : never;

const api = useApi();
const records = useRecords();
let companyId: string;
let token: string;
beforeAll(async () => {
  companyId = await records.company();
  token = (await records.key(companyId)).token;
});

/** Takes its rows back, also from the cache: the same ones are written again while a counterexample is made smaller. */
async function readAfterWrite(
  process: Value<typeof arbitrary.process>,
  application: Value<typeof arbitrary.application>,
  size: Value<typeof arbitrary.resourceType> | null,
): Promise<Response> {
  try {
    await records.application(companyId, application);
    if (size !== null) await records.resourceType(size);
    await records.process(application.id, { ...process, resourceTypeId: size?.id ?? null });
    return await api.fetch(`/v3/applications/${application.id}/processes/${process.id}`, bearer(token));
  } finally {
    await records.pool.query("delete from applications where id = $1", [application.id]);
    await records.pool.query("delete from process_resource_types where id = $1", [size?.id]);
    await api.purge({ processes: [process.id] });
  }
}

test("every row that Postgres holds is read back equal, and valid by the contract", async () => {
  await fc.assert(
    fc.asyncProperty(
      arbitrary.process,
      arbitrary.application,
      fc.option(arbitrary.resourceType, { nil: null }),
      async (process, application, size) => {
        const response = await readAfterWrite(process, application, size);
        expect(response.status).toBe(200);
        const payload = await response.json();
        isProcess(payload);
        expect(isProcess.errors).toBeNull();
        const expected = {
          id: process.id,
          app_id: application.id,
          key: process.key,
          type: process.type,
          display_name: process.displayName,
          entrypoint: process.entrypoint,
          port: process.port,
          is_ingress_enabled: process.isIngressEnabled,
          ingress_protocol: process.ingressProtocol,
          scaling_strategy: process.scalingStrategy,
          resource_type_id: size?.id ?? null,
          resource_type_name: size?.name ?? null,
          cpu_limit: size?.cpuMillicores ?? null,
          memory_limit: size?.memoryMegabytes ?? null,
          schedule: process.schedule,
          time_zone: process.timeZone,
          job_start_policy: process.jobStartPolicy,
          liveness_probe: process.livenessProbe,
          readiness_probe: process.readinessProbe,
          internal_hostname:
            application.namespace && `${application.name}-${process.key}.${application.namespace}.svc.cluster.local`,
          created_at: process.createdAt.toISOString(),
          updated_at: process.updatedAt.toISOString(),
        };
        expect(payload).toStrictEqual(expected);
      },
    ),
    { numRuns: 50 },
  );
});
