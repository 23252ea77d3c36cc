import type { Database } from "../../src/worker/db/client.ts";

/** The statement as it is sent. */
export type Sent = { text: string; params: unknown[] };

/**
 * The one statement that a function sends, without sending it.
 *
 * @throws Error if it sends none, or more
 */
export async function captureStatement(ask: (db: Database) => Promise<unknown>): Promise<Sent> {
  const sent: Sent[] = [];
  await ask({
    query: async ({ text, bind }, values) => {
      sent.push({ text, params: bind(values) });
      return [];
    },
    transact: () => Promise.reject(new Error("it writes")),
  });
  const [statement, ...others] = sent;
  if (statement === undefined || others.length > 0) throw new Error(`${sent.length} statements in place of one`);
  return statement;
}
