import type { Database } from "../../src/worker/db/client.ts";

/** The statement as it is sent. */
export type Sent = { text: string; params: unknown[] };

/** The statements that a function sends, without sending them. */
export async function captureStatements(ask: (db: Database) => Promise<unknown>): Promise<Sent[]> {
  const sent: Sent[] = [];
  await ask({
    query: async ({ text, bind }, values) => {
      sent.push({ text, params: bind(values) });
      return [];
    },
    transact: async (statements, values) => {
      sent.push(...statements.map(({ text, bind }) => ({ text, params: bind(values) })));
      return [];
    },
  });
  return sent;
}

/**
 * The one statement that a function sends, without sending it.
 *
 * @throws Error if it sends none, or more
 */
export async function captureStatement(ask: (db: Database) => Promise<unknown>): Promise<Sent> {
  const [statement, ...others] = await captureStatements(ask);
  if (statement === undefined || others.length > 0) throw new Error(`${others.length + 1} statements in place of one`);
  return statement;
}
