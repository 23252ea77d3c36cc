import { randomUUID } from "node:crypto";
import { getOwnApiKey, validateOwnApiKey } from "../../src/worker/api/api-key/query.ts";
import { getApplicationForKey, listApplicationsForKey } from "../../src/worker/api/application/query.ts";
import { getProcessForKey, listProcessesForKey, listRunsForKey } from "../../src/worker/api/process/query.ts";
import {
  createProcessForKey,
  deleteProcessForKey,
  triggerProcessForKey,
  updateProcessForKey,
} from "../../src/worker/api/process/write-query.ts";
import { listProcessResourceTypesForKey } from "../../src/worker/api/process-resource-type/query.ts";
import type { Database } from "../../src/worker/db/client.ts";
import { recordUses } from "../../src/worker/db/usage.ts";
import { forgetFuture, pollChanges, releaseLease } from "../../src/worker/feed/query.ts";
import { sweep } from "../../src/worker/feed/sweeps.ts";

/** Who asks, and for what. */
export interface Asked {
  keyHash: string;
  applicationId: string;
  processId: string;
  limit: number;
  offset: number;
}

const EXPIRY = { drained: "1:1:", auditDays: 365 };

/** A function for each statement that the Worker sends, by the name of the operation or of the part of the feed. */
export function statementsOf({ keyHash, limit, offset, ...ids }: Asked) {
  const key = { keyHash, trace: {} };
  const page = { limit, offset };
  const request = {
    operation: "POST /",
    idempotencyKey: "a",
    content: "{}",
    conditions: {},
    dryRun: false,
    dailyBytes: 1_000_000,
  };
  const write = { ...key, ...ids, ...request };
  const created = { type: "worker", entrypoint: "", is_ingress_enabled: false };
  return {
    getProcess: (db) => getProcessForKey(db, { ...key, ...ids }),
    listProcesses: (db) => listProcessesForKey(db, { ...key, ...ids, ...page }),
    listProcessRuns: (db) => listRunsForKey(db, { ...key, ...ids, ...page }),
    getApplication: (db) => getApplicationForKey(db, { ...key, ...ids }),
    listApplications: (db) => listApplicationsForKey(db, { ...key, ...page }),
    listProcessResourceTypes: (db) => listProcessResourceTypesForKey(db, key),
    getOwnApiKey: (db) => getOwnApiKey(db, key),
    validateOwnApiKey: (db) => validateOwnApiKey(db, key),
    recordUses: (db) => recordUses(db, [keyHash], {}),
    createProcess: (db) => createProcessForKey(db, { ...write, columns: created, slug: "many" }),
    updateProcess: (db) => updateProcessForKey(db, { ...write, columns: { port: 8080 } }),
    deleteProcess: (db) => deleteProcessForKey(db, write),
    triggerProcess: (db) => triggerProcessForKey(db, write),
    pollChanges: (db) => pollChanges(db, randomUUID(), null, true),
    deleteChanges: (db) => sweep(db, "changes", EXPIRY),
    deleteRuns: (db) => sweep(db, "process_runs", EXPIRY),
    deleteResponses: (db) => sweep(db, "idempotent_answers", EXPIRY),
    deleteAudit: (db) => sweep(db, "audit_log", EXPIRY),
    deleteKeyEvents: (db) => sweep(db, "api_key_events", EXPIRY),
    releaseLease: (db) => releaseLease(db, randomUUID(), null),
    forgetFuture: (db) => forgetFuture(db),
  } satisfies Record<string, (db: Database) => Promise<unknown>>;
}
