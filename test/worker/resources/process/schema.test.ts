import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { validateResponse } from "#openapi";
import { processSchema } from "../../../../src/worker/resources/process/schema.ts";
import type { Validator } from "../../../../src/worker/shared/operations.ts";
import * as arbitrary from "../../../support/arbitraries.ts";
import { isProcess, processExample, processJsonSchema } from "../../../support/contract.ts";

/** The validator that the Worker runs, compiled from the OpenAPI document, which Zod's schema has become. */
const isDocumented = validateResponse.getProcessV3 as Validator;

const { text } = arbitrary;
const size = fc.option(arbitrary.resourceType, { nil: null });
const payload = fc
  .tuple(arbitrary.process, arbitrary.application, arbitrary.anyUuid, size)
  .map(([process, application, id, type]) => arbitrary.payloadOf(process, { ...application, id }, type));

/** Texts whose length or form lies about the contract's bounds. */
const edgeCases = fc
  .tuple(
    payload,
    fc.constantFrom("key", "display_name", "entrypoint", "schedule", "time_zone", "created_at", "id", "app_id"),
    fc.oneof(
      ...[text(63, 66), text(99, 102), text(254, 257), text(1_022, 1_026)],
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

/** @returns whether the contract accepts it, as all of ours must */
function expectAgreement(instance: unknown): boolean {
  const byContract = isProcess(instance);
  expect([isDocumented(instance), processSchema.safeParse(instance).success]).toStrictEqual([byContract, byContract]);
  return byContract;
}

describe("the response schema and the contract", () => {
  test("accept the contract's example, and name the same fields", () => {
    expect(expectAgreement(processExample)).toBe(true);
    expect(Object.keys(processSchema.shape)).toStrictEqual(Object.keys(processJsonSchema.properties));
  });

  test("accept every valid payload", () => {
    fc.assert(fc.property(payload, expectAgreement), { numRuns: 100 });
  });

  test("accept and reject the same of the payloads that are mutated", () => {
    const seen = { accepted: 0, rejected: 0 };
    const property = fc.property(fc.oneof(arbitrary.mutated(payload), edgeCases), (instance) => {
      seen[expectAgreement(instance) ? "accepted" : "rejected"]++;
    });
    fc.assert(property, { numRuns: 1_000 });
    // Else the mutations would prove nothing.
    expect(seen.accepted).toBeGreaterThan(20);
    expect(seen.rejected).toBeGreaterThan(100);
  });
});
