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

/**
 * @returns undefined: the database's default
 * @throws EndpointError 400 for an unknown isolation level, also when the request turns out not to be a batch.
 */
export function readIsolationLevel(headers: IncomingHttpHeaders): string | undefined {
  const header = headers["neon-batch-isolation-level"]?.toString();
  const level = ISOLATION_LEVELS.get(header ?? "");
  if (header !== undefined && level === undefined) throw new EndpointError(400, { message: "invalid isolation level" });
  return level;
}

/**
 * Runs the statements one after the other in a transaction. After a failure the transaction is left open: who lent the
 * connection rolls it back.
 *
 * @returns JSON text: `{ results: [{ fields, rows, … }] }`
 * @throws as {@link runStatement}, and what Postgres says to COMMIT, such as a violated deferred constraint
 */
export async function runBatch(
  lease: Lease,
  statements: readonly Statement[],
  isolationLevel: string | undefined,
): Promise<string> {
  await lease.client.query(`START TRANSACTION ${isolationLevel ? `ISOLATION LEVEL ${isolationLevel}` : ""}`);
  const results: string[] = [];
  for (const statement of statements) results.push(await runStatement(lease, statement));
  await lease.client.query("COMMIT");
  return `{"results":[${results.join(",")}]}`;
}
