import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { validateResponse } from "#openapi";
import { processSchema } from "../../../../src/openapi/process/schema.ts";
import type { Validator } from "../../../../src/worker/shared/operations.ts";
import { anyUuid, mutated, process, text } from "../../../support/arbitraries.ts";
import { isProcess, processExample, processJsonSchema } from "../../../support/contract.ts";

/** The validator that the Worker runs, compiled from the OpenAPI document, which Zod's schema has become. */
const isDocumented = validateResponse.getProcessV3 as Validator;

const payload = fc.tuple(process, anyUuid, fc.option(anyUuid, { nil: null })).map(([row, applicationId, sizeId]) => ({
  id: row.id,
  app_id: applicationId,
  key: row.key,
  type: row.type,
  display_name: row.displayName,
  entrypoint: row.entrypoint,
  port: row.port,
  is_ingress_enabled: row.isIngressEnabled,
  ingress_protocol: row.ingressProtocol,
  scaling_strategy: row.scalingStrategy,
  resource_type_id: sizeId,
  resource_type_name: sizeId && "s1",
  cpu_limit: sizeId && 500,
  memory_limit: sizeId && 512,
  schedule: row.schedule,
  time_zone: row.timeZone,
  job_start_policy: row.jobStartPolicy,
  liveness_probe: row.livenessProbe,
  readiness_probe: row.readinessProbe,
  internal_hostname: null,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
}));

/** Texts whose length or form lies about the contract's bounds. */
const edgeCases = fc
  .tuple(
    payload,
    fc.constantFrom("key", "display_name", "entrypoint", "schedule", "time_zone", "created_at", "id", "app_id"),
    fc.oneof(
      text(63, 66),
      text(99, 102),
      text(254, 257),
      text(1_022, 1_026),
      fc.constantFrom(
        "",
        "2025-02-29T00:00:00.000Z",
        "2024-02-29T00:00:00Z",
        "2025-01-30T00:00:00.000+00:00",
        "2025-01-30 00:00:00Z",
        "FB5E5168-4281-4BEC-94C5-0D1584E9E657",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "fb5e5168-4281-9bec-94c5-0d1584e9e657",
        "fb5e5168-4281-4bec-74c5-0d1584e9e657",
      ),
    ),
  )
  .map(([valid, field, value]) => ({ ...valid, [field]: value }));

describe("the response schema and the contract", () => {
  test("accept the contract's example", () => {
    expect(isProcess(processExample)).toBe(true);
    expect(isDocumented(processExample)).toBe(true);
    expect(processSchema.safeParse(processExample).success).toBe(true);
  });

  test("name the same fields", () => {
    expect(Object.keys(processSchema.shape)).toStrictEqual(Object.keys(processJsonSchema.properties));
  });

  test("accept every valid payload", () => {
    fc.assert(
      fc.property(payload, (instance) => {
        expect([isProcess(instance), isDocumented(instance), processSchema.safeParse(instance).success]).toStrictEqual([
          true,
          true,
          true,
        ]);
      }),
      { numRuns: 100 },
    );
  });

  test("accept and reject the same of the payloads that are mutated", () => {
    const seen = { accepted: 0, rejected: 0 };
    fc.assert(
      fc.property(fc.oneof(mutated(payload), edgeCases), (instance) => {
        const byContract = isProcess(instance);
        expect(isDocumented(instance)).toBe(byContract);
        expect(processSchema.safeParse(instance).success).toBe(byContract);
        seen[byContract ? "accepted" : "rejected"]++;
      }),
      { numRuns: 1_000 },
    );
    // Else the mutations would prove nothing.
    expect(seen.accepted).toBeGreaterThan(20);
    expect(seen.rejected).toBeGreaterThan(100);
  });
});
