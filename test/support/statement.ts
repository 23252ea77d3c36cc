import { drizzle } from "drizzle-orm/neon-http";
import type { Database } from "../../src/worker/db/client.ts";

export interface Statement {
  text: string;
  params: unknown[];
}

/**
 * The one statement that a function sends, without sending it.
 *
 * @throws Error if it sends none, or more
 */
export async function captureStatement(ask: (db: Database) => Promise<unknown>): Promise<Statement> {
  const statements: Statement[] = [];
  const client = {
    query: async (text: string, params: unknown[]) => {
      statements.push({ text, params });
      return { rows: [] };
    },
  };
  // What becomes of no rows is not asked here.
  await ask(drizzle({ client: client as never })).catch(() => {});
  const [statement, ...others] = statements;
  if (statement === undefined || others.length > 0) throw new Error(`${statements.length} statements in place of one`);
  return statement;
}
