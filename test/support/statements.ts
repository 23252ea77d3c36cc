import { randomUUID } from "node:crypto";
import { getTableName } from "drizzle-orm";
import type { Read, Write } from "../../src/worker/api/operation.ts";
import type { Database } from "../../src/worker/db/client.ts";
import { forgetFuture, pollChanges, releaseLease } from "../../src/worker/feed/query.ts";
import { sweep } from "../../src/worker/feed/sweeps.ts";
import { queryForKey } from "../../src/worker/resources/api-key/access.ts";
import { recordUses } from "../../src/worker/resources/api-key/usage.ts";
import { OPERATIONS } from "../../src/worker/resources/index.ts";
import { type WriteRequest, write } from "../../src/worker/statements/write.ts";
import { operations } from "./operations.ts";
import { TABLES } from "./tables.ts";

/** Who asks, and for what: the values of placeholders. */
export interface Asked {
  keyHash: string;
  id: string;
  process_id: string;
  limit: number;
  offset: number;
}

/** Of placeholders, by their names. */
type Values = Partial<Asked & WriteRequest> & { keyHash: string; columns?: string; slug?: string };

const EXPIRY = { drained: "1:1:", auditDays: 365 };
const REQUEST = {
  operation: "POST /",
  idempotencyKey: "a",
  content: "{}",
  conditions: {},
  dryRun: false,
  dailyBytes: 1_000_000,
};

/** Sends the statement of an operation that reads. */
export function sendRead(db: Database, id: string, values: Values) {
  const { statement, values: others } = OPERATIONS[id] as Read;
  return queryForKey(db, statement(), { trace: {}, ...values, ...others?.(values) });
}

/** Sends the statements of an operation that writes: with the document's example, where `values` say nothing else. */
export function sendWrite(db: Database, id: string, values: Values) {
  const { statements, values: others } = OPERATIONS[id] as Write;
  const { body = "null" } = operations.find((one) => one.id === id)?.request() ?? {};
  return write(db, statements(), { trace: {}, id: "", ...REQUEST, ...others?.(JSON.parse(body)), ...values });
}

/** A function for each statement that the Worker sends, by the name of the operation or of the part of the feed. */
export function statementsOf(asked: Asked): Record<string, (db: Database) => Promise<unknown>> {
  const ofOperations = operations.map(({ id, isWrite }) => {
    return [id, (db: Database) => (isWrite ? sendWrite : sendRead)(db, id, asked)] as const;
  });
  return {
    ...Object.fromEntries(ofOperations),
    recordUses: (db) => recordUses(db, [asked.keyHash], {}),
    pollChanges: (db) => pollChanges(db, randomUUID(), null, true),
    deleteChanges: (db) => sweep(db, "changes", EXPIRY),
    deleteRuns: (db) => sweep(db, "process_runs", EXPIRY),
    deleteResponses: (db) => sweep(db, "idempotent_answers", EXPIRY),
    deleteAudit: (db) => sweep(db, "audit_log", EXPIRY),
    deleteKeyEvents: (db) => sweep(db, "api_key_events", EXPIRY),
    releaseLease: (db) => releaseLease(db, randomUUID(), null),
    forgetFuture: (db) => forgetFuture(db),
  };
}

/** The names of the tables that statements of an operation read or write. */
export function tablesOf(id: string): string[] {
  const operation = OPERATIONS[id] as Read | Write;
  const statements = "statement" in operation ? [operation.statement()] : operation.statements();
  return Object.values(TABLES)
    .map(getTableName)
    .filter((name) => statements.some(({ text }) => text.includes(`"${name}"`)));
}
