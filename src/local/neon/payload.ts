// The request body: one statement or a batch, and its parameters as Postgres text.
import { EndpointError } from "./errors.ts";

export interface Statement {
  query: string;
  /** Text-format values for $1, $2, …; null is SQL NULL. */
  params: (string | null)[];
  /** Rows as arrays rather than objects; absent: as the request's header says. */
  arrayMode: boolean | undefined;
}

type Payload = { kind: "single"; statement: Statement } | { kind: "batch"; statements: Statement[] };

/** The body as it was parsed, for `intercept`, and what the endpoint makes of it. */
export interface ParsedBody {
  json: unknown;
  payload: Payload;
}

// ES2025 (https://tc39.es/proposal-json-parse-with-source/): in Node 24, not yet in the ES2024 library types.
const json = JSON as typeof JSON & {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
};

const LARGEST_U64 = 2n ** 64n - 1n;
const SMALLEST_I64 = -(2n ** 63n);

/**
 * Parses the body of `POST /sql`: `{ query, params?, arrayMode? }` or `{ queries: [{ … }] }`.
 *
 * @throws EndpointError 400 when it is not JSON, or neither of the two.
 */
export function parseBody(text: string): ParsedBody {
  const parsed = parseJson(text);
  // The driver sends strings and nulls. Other parameters need their numbers as they were written: 1.0 is not 1 in a
  // text column, and an int8 does not fit a JavaScript number.
  const exact = hasOnlyTextParams(parsed) ? parsed : json.parse(text, keepNumber);
  const payload = toPayload(exact);
  if (payload === undefined) throw badBody("data did not match any variant of untagged enum Payload");
  return { json: parsed, payload };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badBody(error instanceof Error ? error.message : String(error));
  }
}

function badBody(reason: string): EndpointError {
  return new EndpointError(400, { message: `could not parse the HTTP request body: ${reason}` });
}

function toPayload(body: unknown): Payload | undefined {
  const statement = toStatement(body);
  if (statement) return { kind: "single", statement };
  if (!isRecord(body) || !Array.isArray(body.queries)) return undefined;
  const statements = body.queries.map(toStatement);
  return statements.includes(undefined) ? undefined : { kind: "batch", statements: statements as Statement[] };
}

function toStatement(value: unknown): Statement | undefined {
  if (!isRecord(value) || typeof value.query !== "string") return undefined;
  const { query, params = [], arrayMode = null } = value;
  if (!Array.isArray(params)) return undefined;
  if (arrayMode !== null && typeof arrayMode !== "boolean") return undefined;
  return { query, params: params.map(toPostgresText), arrayMode: arrayMode ?? undefined };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasOnlyTextParams(body: unknown): boolean {
  if (!isRecord(body)) return true;
  const statements: unknown[] = Array.isArray(body.queries) ? body.queries : [body];
  return statements.every(
    (statement) =>
      !isRecord(statement) ||
      !Array.isArray(statement.params) ||
      statement.params.every((param: unknown) => param === null || typeof param === "string"),
  );
}

function keepNumber(_key: string, value: unknown, { source }: { source?: string }): unknown {
  return typeof value === "number" && source !== undefined ? json.rawJSON(numberText(source)) : value;
}

/** The proxy keeps 64-bit integers and makes everything else a double, printed with its point or exponent. */
function numberText(source: string): string {
  if (/^-?\d+$/.test(source) && source !== "-0") {
    const integer = BigInt(source);
    if (integer >= SMALLEST_I64 && integer <= LARGEST_U64) return source;
  }
  const double = Number(source);
  const text = Object.is(double, -0) ? "-0" : String(double);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** A string goes as it is; a number, boolean or object as its JSON; an array as a Postgres array literal. */
function toPostgresText(value: unknown): string | null {
  if (value === null || typeof value === "string") return value;
  return Array.isArray(value) ? toArrayLiteral(value) : JSON.stringify(value);
}

/** Quotes elements as JSON, like the proxy: right for `"` and `\`, but Postgres reads the JSON escape `\n` as an n. */
function toArrayLiteral(array: unknown[]): string {
  const elements = array.map((element) => {
    if (element === null) return "NULL";
    if (Array.isArray(element)) return toArrayLiteral(element);
    const text = JSON.stringify(element);
    return typeof element === "object" && !json.isRawJSON(element) ? JSON.stringify(text) : text;
  });
  return `{${elements.join(",")}}`;
}
