// A batch is one transaction: all of its statements take effect, or none.
import type { IncomingHttpHeaders } from "node:http";
import { EndpointError } from "./errors.ts";
import type { Statement } from "./payload.ts";
import type { Lease } from "./pool.ts";
import { runStatement } from "./statement.ts";

const ISOLATION_LEVELS = new Map([
  ["ReadUncommitted", "READ UNCOMMITTED"],
  ["ReadCommitted", "READ COMMITTED"],
  ["RepeatableRead", "REPEATABLE READ"],
  ["Serializable", "SERIALIZABLE"],
]);

export interface TransactionMode {
  /** As the header has it: `RepeatableRead`. Absent: the database's default. */
  isolationLevel: string | undefined;
  readOnly: boolean;
  deferrable: boolean;
}

/** @throws EndpointError 400 for an unknown isolation level, also when the request turns out not to be a batch. */
export function readTransactionMode(headers: IncomingHttpHeaders): TransactionMode {
  const isolationLevel = headers["neon-batch-isolation-level"]?.toString();
  if (isolationLevel !== undefined && !ISOLATION_LEVELS.has(isolationLevel)) {
    throw new EndpointError(400, { message: "invalid isolation level" });
  }
  return {
    isolationLevel,
    readOnly: headers["neon-batch-read-only"] === "true",
    deferrable: headers["neon-batch-deferrable"] === "true",
  };
}

/**
 * Runs the statements one after the other in a transaction. After a failure the transaction is left open: who lent the
 * connection rolls it back.
 *
 * @returns JSON text: `{ results: [{ fields, rows, … }] }`
 * @throws as {@link runStatement}, and what Postgres says to COMMIT, such as a violated deferred constraint
 */
export async function runBatch(lease: Lease, statements: readonly Statement[], mode: TransactionMode): Promise<string> {
  await lease.client.query(startTransaction(mode));
  const results: string[] = [];
  for (const statement of statements) results.push(await runStatement(lease, statement));
  await lease.client.query("COMMIT");
  return `{"results":[${results.join(",")}]}`;
}

/** https://www.postgresql.org/docs/current/sql-start-transaction.html */
function startTransaction({ isolationLevel, readOnly, deferrable }: TransactionMode): string {
  const modes: string[] = [];
  if (isolationLevel !== undefined) modes.push(`ISOLATION LEVEL ${ISOLATION_LEVELS.get(isolationLevel)}`);
  if (readOnly) modes.push("READ ONLY");
  if (deferrable) modes.push("DEFERRABLE");
  return `START TRANSACTION ${modes.join(", ")}`;
}
