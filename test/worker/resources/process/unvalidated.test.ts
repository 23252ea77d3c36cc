// What gets past the checks of a body all the same: whatever it is, Postgres refuses it or stores what a read can answer with.
import "../../../../src/local/loopback.ts";
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startNeonEndpoint } from "../../../../src/local/neon/endpoint.ts";
import { failureOf } from "../../../../src/worker/api/failure.ts";
import { type Database, openDatabase } from "../../../../src/worker/db/client.ts";
import { readConfig } from "../../../../src/worker/shared/config.ts";
import { outcomeOf } from "../../../../src/worker/shared/errors.ts";
import type { Trace } from "../../../../src/worker/shared/trace.ts";
import { mutated, probe, scalingStrategy, text } from "../../../support/arbitraries.ts";
import { isProcess } from "../../../support/contract.ts";
import { connectionString } from "../../../support/database.ts";
import { sha256, useRecords } from "../../../support/records.ts";
import { sendRead, sendWrite } from "../../../support/statements.ts";

let endpoint: Awaited<ReturnType<typeof startNeonEndpoint>>;
const records = useRecords();
let db: Database;
let key: { keyHash: string; trace: Trace };
let applicationId: string;
let sizeId: string;
beforeAll(async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  endpoint = await startNeonEndpoint({ connectionString });
  db = openDatabase(readConfig({ DATABASE_URL: endpoint.connectionString, DATABASE_DEADLINE_MS: "25000" }));
  const companyId = await records.company();
  const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  key = { keyHash: sha256(token), trace: {} };
  applicationId = (await records.application(companyId)).id;
  sizeId = (await records.resourceType()).id;
});
afterAll(() => endpoint.close());

const anything = fc.oneof(
  fc.anything({ withNullPrototype: false, maxDepth: 2 }),
  fc.constantFrom<unknown>("\0", "\ud800", "", "web", 1e308, -1, 65_536, 2 ** 53, null, [], {}, true, "2025-02-30"),
  text(0, 1_100),
);
const FIELDS = [
  "display_name",
  "type",
  "resource_type_id",
  "entrypoint",
  "port",
  "is_ingress_enabled",
  "ingress_protocol",
  "scaling_strategy",
  "schedule",
  "time_zone",
  "job_start_policy",
  "liveness_probe",
  "readiness_probe",
];
const columns = fc.tuple(
  fc.record(
    {
      display_name: text(1, 255),
      type: fc.constantFrom("web", "worker", "cron", "job"),
      resource_type_id: fc.constant("size"),
      entrypoint: text(0, 1_024),
      is_ingress_enabled: fc.boolean(),
      port: fc.integer({ min: 1, max: 65_535 }),
      scaling_strategy: mutated(scalingStrategy),
      liveness_probe: mutated(probe),
    },
    { requiredKeys: ["type", "entrypoint", "is_ingress_enabled"] },
  ),
  fc.oneof(fc.constant({}), fc.dictionary(fc.constantFrom(...FIELDS), anything, { maxKeys: 2 })),
);

const seen = { stored: 0, refused: 0 };

/** The outcome of a write: stored, or refused with 400. */
async function outcomeOfWrite(write: Promise<{ refusal: string | null; body: string } | undefined>): Promise<string> {
  try {
    const row = await write;
    if (row?.refusal !== null) return "refused";
    const { id } = JSON.parse(row.body);
    const found = await sendRead(db, "getProcessV3", { ...key, id: applicationId, process_id: id });
    isProcess(JSON.parse(String(found?.body)));
    expect(isProcess.errors).toBeNull();
    expect(found?.body).toBe(row.body);
    return "stored";
  } catch (error) {
    if (error instanceof Error && error.name === "AssertionError") throw error;
    expect({ error, status: outcomeOf(failureOf(error, "POST", {})).status }).toMatchObject({ status: 400 });
    return "refused";
  }
}

test("a body that nobody has checked is stored as the contract has it, or is a 400", async () => {
  const { id: processId } = await records.process(applicationId, { type: "web" });
  await fc.assert(
    fc.asyncProperty(columns, fc.boolean(), async ([valid, junk], isNew) => {
      const request = {
        ...key,
        id: applicationId,
        idempotencyKey: null,
        dailyBytes: 999_999_999,
      };
      const sent = { ...valid, ...("resource_type_id" in valid && { resource_type_id: sizeId }), ...junk };
      const outcome = await outcomeOfWrite(
        isNew
          ? sendWrite(db, "createProcessV3", {
              ...request,
              columns: JSON.stringify(sent),
              slug: `p-${randomUUID().slice(0, 8)}`,
            })
          : // No change takes a type.
            sendWrite(db, "updateProcessV3", {
              ...request,
              columns: JSON.stringify({ ...sent, type: "web" }),
              process_id: processId,
            }),
      );
      seen[outcome as keyof typeof seen]++;
    }),
    { numRuns: 150 },
  );
  expect(seen.stored).toBeGreaterThan(2);
  expect(seen.refused).toBeGreaterThan(20);
});
