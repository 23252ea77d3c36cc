// Runs a statement the way the proxy does, and writes its result as the JSON of the response.
import type pg from "pg";
import { cancelledError } from "./errors.ts";
import type { Statement } from "./payload.ts";
import type { Lease } from "./pool.ts";

/**
 * Runs one statement through the extended protocol, unnamed, with text parameters and results. The protocol allows one
 * command per statement, and infers parameter types as for any prepared statement.
 *
 * @returns JSON text: `{ fields, rows, command, rowCount, rowAsArray }`, each value as the text that Postgres sent
 * @throws pg.DatabaseError from Postgres; EndpointError 400 when the lease was cancelled before
 */
export async function runStatement({ client, cancelled }: Lease, { query, params }: Statement): Promise<string> {
  if (cancelled) throw cancelledError();
  // The published types lack `queryMode`: without it, pg sends a statement without parameters as a simple Query, which
  // may hold several commands.
  const config: pg.QueryArrayConfig & { queryMode: "extended" } = {
    text: query,
    values: params,
    rowMode: "array",
    queryMode: "extended",
  };
  const { fields, rows, command, rowCount } = await client.query(config);
  return JSON.stringify({ fields, rows, command: command ?? "", rowCount: rowCount ?? null, rowAsArray: true });
}
