import { randomBytes } from "node:crypto";
import { type NeonDbError, type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import { expect, inject } from "vitest";
import { startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";

export interface TestDatabase {
  sql: NeonQueryFunction<false, false>;
  /** A schema of this file's own, dropped when it closes. Over HTTP there is no session to keep temporary tables in. */
  schema: string;
  close(): Promise<void>;
}

/**
 * The test run's Postgres behind a local endpoint, or the Neon database that the environment variable NEON_DATABASE_URL
 * names: the same sentences must hold for both.
 */
export async function openDatabase(): Promise<TestDatabase> {
  const schema = `driver_test_${randomBytes(4).toString("hex")}`;
  const neonUrl = process.env.NEON_DATABASE_URL;
  const endpoint =
    neonUrl === undefined ? await startNeonEndpoint({ connectionString: inject("connectionString") }) : undefined;
  if (endpoint) neonConfig.fetchEndpoint = (host, port) => `http://${host}:${port}/sql`;
  const sql = neon(endpoint?.connectionString ?? neonUrl ?? "");
  await sql.query(`CREATE SCHEMA ${schema}`);
  return {
    sql,
    schema,
    close: async () => {
      await sql.query(`DROP SCHEMA ${schema} CASCADE`);
      await endpoint?.close();
    },
  };
}

export async function errorOf(query: Promise<unknown>): Promise<NeonDbError> {
  const outcome = await query.then(
    () => undefined,
    (error: NeonDbError) => error,
  );
  expect(outcome, "the query was expected to fail").toBeDefined();
  return outcome as NeonDbError;
}
