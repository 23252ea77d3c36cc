// How Neon's proxy words what went wrong: always one JSON object with the same keys, whatever failed.
import pg from "pg";

/** The keys, in the proxy's order: https://www.postgresql.org/docs/current/protocol-error-fields.html */
const FIELDS = [
  ...(["message", "code", "detail", "hint", "position", "internalPosition", "internalQuery", "severity"] as const),
  ...(["where", "table", "column", "schema", "dataType", "constraint", "file", "line", "routine"] as const),
];

type Fields = { [Name in (typeof FIELDS)[number]]?: string | undefined };

/** Ends a request with an HTTP status and an error body. */
export class EndpointError extends Error {
  readonly status: number;
  /** JSON text. What is not known is null; a code and a severity that are not Postgres's are empty. */
  readonly body: string;

  constructor(status: number, fields: Fields & { message: string }) {
    super(fields.message);
    this.status = status;
    const empty = (name: string) => (name === "code" || name === "severity" ? "" : null);
    this.body = JSON.stringify(Object.fromEntries(FIELDS.map((name) => [name, fields[name] ?? empty(name)])));
  }
}

/** A failed statement is 400, whether Postgres refused it or the connection broke under it. */
export function statementError(error: unknown): EndpointError {
  if (error instanceof EndpointError) return error;
  if (error instanceof pg.DatabaseError) return new EndpointError(400, error);
  return new EndpointError(400, { message: `error communicating with the server: ${error}` });
}

/** Wrong credentials and an unknown database are the caller's mistake (400), all else is the service's (500). */
export function connectError(error: unknown, user: string): EndpointError {
  if (!(error instanceof pg.DatabaseError))
    return new EndpointError(500, { message: "Couldn't connect to compute node" });
  // invalid_password; Postgres says it for unknown roles, too.
  if (error.code === "28P01") {
    return new EndpointError(400, { message: `password authentication failed for user '${user}'` });
  }
  return new EndpointError(error.code === "3D000" ? 400 : 500, error);
}
