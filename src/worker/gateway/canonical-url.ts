// One URL for each thing that can be asked for, so that all spellings of it share an entry of the cache.
import { HttpError, MAX_NAME_LENGTH } from "../shared/errors.ts";
import type { Operation, Parameter } from "../shared/operations.ts";

/**
 * Writes the path and the query of a request in canonical form: ids in lower case, known parameters in the order of the
 * document, without those that have their default. A read ignores query parameters that it does not know: official clients
 * send `limit` and `offset` to operations that have no pages. A write refuses them: a misspelt `dry_run` would write.
 *
 * @param path as the router has found the operation by it
 * @throws HttpError `invalid_parameter`, `unknown_parameter`, naming the first that is invalid
 */
export function canonicalUrl(operation: Operation, path: string, url: string): string {
  const segments = path.split("/");
  for (const parameter of operation.path) {
    segments[parameter.place] = String(parse("path", parameter, segments[parameter.place] as string));
  }
  const canonical = segments.join("/");
  if (operation.query.length === 0) return canonical;
  const { searchParams } = new URL(url);
  if (operation.method !== "GET") assertKnown(operation.query, searchParams);
  const query = canonicalQuery(operation.query, searchParams);
  return query === "" ? canonical : `${canonical}?${query}`;
}

function canonicalQuery(parameters: readonly Parameter[], query: URLSearchParams): string {
  const canonical = new URLSearchParams();
  for (const parameter of parameters) {
    const { name, required, schema } = parameter;
    const texts = query.getAll(name);
    if (texts.length === 0 && !required) continue;
    const value = texts.length === 1 ? parse("query", parameter, texts[0] as string) : undefined;
    if (value === undefined) throw invalid("query", parameter);
    if (!("default" in schema) || value !== schema.default) canonical.set(name, String(value));
  }
  return canonical.toString();
}

function assertKnown(parameters: readonly Parameter[], query: URLSearchParams): void {
  const known = parameters.map(({ name }) => name);
  const parameter = [...query.keys()].find((name) => !known.includes(name));
  if (parameter === undefined) return;
  const name = parameter.slice(0, MAX_NAME_LENGTH).toWellFormed();
  throw new HttpError({ reason: "unknown_parameter", parameter: name, known });
}

function parse(place: "path" | "query", parameter: Parameter, text: string): string | number | boolean {
  const { schema } = parameter;
  switch (schema.type) {
    case "string":
      if (patternOf(schema.pattern).test(text)) return text.toLowerCase();
      break;
    case "integer": {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= schema.minimum && value <= schema.maximum) return value;
      break;
    }
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
  }
  throw invalid(place, parameter);
}

const patterns = new Map<string, RegExp>();

/** Of an id, which may be in any case: every spelling names the same resource. */
function patternOf(source: string): RegExp {
  const known = patterns.get(source) ?? new RegExp(source, "i");
  patterns.set(source, known);
  return known;
}

function invalid(place: "path" | "query", { name, schema }: Parameter): HttpError {
  return new HttpError({ reason: "invalid_parameter", place, parameter: name, expected: wordsOf(schema) });
}

function wordsOf(schema: Parameter["schema"]): string {
  switch (schema.type) {
    case "string":
      return "a UUID";
    case "integer":
      return `an integer from ${schema.minimum} to ${schema.maximum}`;
    case "boolean":
      return "true or false";
  }
}
