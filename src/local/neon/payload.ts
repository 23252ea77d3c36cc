// The request body: one statement or a batch, as the driver writes them.
import { EndpointError } from "./errors.ts";

export interface Statement {
  query: string;
  /** Text-format values for $1, $2, …; null is SQL NULL. */
  params: (string | null)[];
}

export type Payload = { kind: "single"; statement: Statement } | { kind: "batch"; statements: Statement[] };

/** The body as it was parsed, for `intercept`, and what the endpoint makes of it. */
export interface ParsedBody {
  json: unknown;
  payload: Payload;
}

/**
 * Parses the body of `POST /sql`: `{ query, params }` or `{ queries: [{ query, params }] }`. The proxy also takes numbers and
 * arrays for parameters, which the driver does not send.
 *
 * @throws EndpointError 400 when it is not JSON, or neither of the two.
 */
export function parseBody(text: string): ParsedBody {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw badBody((error as Error).message);
  }
  if (isStatement(json)) return { json, payload: { kind: "single", statement: json } };
  const statements = (json as { queries?: unknown } | null)?.queries;
  if (Array.isArray(statements) && statements.every(isStatement)) {
    return { json, payload: { kind: "batch", statements } };
  }
  throw badBody("data did not match any variant of untagged enum Payload");
}

function isStatement(value: unknown): value is Statement {
  const { query, params } = (value ?? {}) as Partial<Record<keyof Statement, unknown>>;
  return typeof query === "string" && Array.isArray(params) && params.every(isText);
}

const isText = (param: unknown): boolean => param === null || typeof param === "string";

function badBody(reason: string): EndpointError {
  return new EndpointError(400, { message: `could not parse the HTTP request body: ${reason}` });
}
