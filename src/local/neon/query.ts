// The request: who asks, and one statement or a batch, which is one transaction.
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type pg from "pg";
import { EndpointError } from "./errors.ts";

interface Statement {
  query: string;
  /** Text-format values for $1, $2, …; null is SQL NULL. */
  params: (string | null)[];
}

/** As the driver writes them. The proxy also takes numbers and arrays for parameters. */
type Body = Statement | { queries: Statement[] };

const ISOLATION_LEVELS = ["ReadUncommitted", "ReadCommitted", "RepeatableRead", "Serializable"];

const refuse = (message: string): never => {
  throw new EndpointError(400, { message });
};

/** @throws EndpointError 400 for another path, method, format or kind of transaction than the driver asks for here */
export function assertDriver({ method, url, headers }: IncomingMessage): void {
  const isKnown = method === "POST" && url === "/sql";
  const isOther = headers["neon-batch-read-only"] === "true" || headers["neon-batch-deferrable"] === "true";
  if (!isKnown || isOther || headers["neon-array-mode"] !== "true" || headers["neon-raw-text-output"] !== "true") {
    refuse("query is not supported");
  }
}

/**
 * Reads the user, password and database of a request. Host and port of the header only led the driver here.
 *
 * @returns the upstream server's URL with them
 */
export function readCredentials(headers: IncomingHttpHeaders, upstream: URL): URL {
  const header = String(headers["neon-connection-string"]);
  const given = URL.canParse(header) ? new URL(header) : undefined;
  if (!given?.username || !given.password || given.pathname.length < 2) return refuse("invalid connection string");
  const { username, password, pathname } = given;
  return Object.assign(new URL(upstream), { username, password, pathname });
}

/** @returns SQL; empty: the database's default */
export function readIsolationLevel(headers: IncomingHttpHeaders): string {
  const level = headers["neon-batch-isolation-level"]?.toString();
  if (level === undefined) return "";
  if (!ISOLATION_LEVELS.includes(level)) refuse("invalid isolation level");
  return `ISOLATION LEVEL ${level.replaceAll(/\B[A-Z]/g, " $&")}`;
}

export function readBody(text: string): Body {
  const failure = "could not parse the HTTP request body: ";
  let json: Partial<Record<string, unknown>> | null = null;
  try {
    json = JSON.parse(text);
  } catch (error) {
    refuse(failure + (error as Error).message);
  }
  const statements = json?.queries ?? [json];
  if (Array.isArray(statements) && statements.every(isStatement)) return json as unknown as Body;
  return refuse(`${failure}data did not match any variant of untagged enum Payload`);
}

function isStatement(value: Partial<Statement> | null): boolean {
  const isText = (param: unknown) => param === null || typeof param === "string";
  return typeof value?.query === "string" && Array.isArray(value.params) && value.params.every(isText);
}

/**
 * Runs what a request asks for. After a failure a transaction is left open: who lent the connection rolls it back.
 *
 * @param isLeft whether the client has hung up
 * @returns JSON text: `{ fields, rows, command, rowCount, rowAsArray }`, or `{ results: [{ fields, rows, … }] }`
 */
export async function runQuery(client: pg.Client, body: Body, level: string, isLeft: () => boolean): Promise<string> {
  const run = (query: string, params: (string | null)[] = []) => {
    if (isLeft())
      throw new EndpointError(400, { message: "Query cancelled, connection was terminated", code: "08P01" });
    // The published types lack `queryMode`: without it, pg sends a statement without parameters as a simple Query, which
    // may hold several commands.
    const config = { text: query, values: params, rowMode: "array", queryMode: "extended" } as const;
    return client.query(config as pg.QueryArrayConfig);
  };
  const resultOf = async ({ query, params }: Statement) => {
    const { fields, rows, command, rowCount } = await run(query, params);
    return { fields, rows, command: command ?? "", rowCount: rowCount ?? null, rowAsArray: true };
  };
  if (!("queries" in body)) return JSON.stringify(await resultOf(body));
  await run(`START TRANSACTION ${level}`);
  const results: object[] = [];
  for (const statement of body.queries) results.push(await resultOf(statement));
  await run("COMMIT");
  return JSON.stringify({ results });
}
