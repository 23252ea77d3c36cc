// The operations of the OpenAPI document, and how a request finds its own.
import { operations } from "#openapi";

export interface Operation {
  /** `operationId` of the document. */
  id: string;
  method: string;
  /** As in the document and the logs, from the root: `/v3/applications/{id}`. */
  template: string;
  path: readonly Parameter[];
  query: readonly Parameter[];
  /** Names of the members of its body; absent if it takes none. */
  bodyFields?: readonly string[];
  /** Names of the members of its response that its body may not have; absent if it takes no body. */
  readOnlyFields?: readonly string[];
}

export interface Parameter {
  name: string;
  required: boolean;
  schema:
    | { type: "string"; format: "uuid" }
    | { type: "integer"; minimum: number; maximum: number; default?: number }
    | { type: "boolean"; default?: boolean };
}

/** A validator compiled from a JSON Schema. `errors` belong to the last call that returned false. */
export interface Validator {
  (value: unknown): boolean;
  errors?: ValidationError[] | null;
}

/** https://ajv.js.org/api.html#error-objects */
export interface ValidationError {
  keyword: string;
  /** A JSON pointer. */
  instancePath: string;
  params: Record<string, unknown>;
}

/** An operation, and the segments of a path that stand for its parameters, in their order. */
export interface Match {
  operation: Operation;
  segments: readonly string[];
}

const TEMPLATES = operations.map((operation) => ({ operation, parts: operation.template.split("/") }));

/**
 * Finds what can be done at a path: one match for each method that it takes.
 *
 * @param path decoded, segment by segment
 */
export function matchPath(path: readonly string[]): Match[] {
  const matches: Match[] = [];
  for (const { operation, parts } of TEMPLATES) {
    if (parts.length !== path.length) continue;
    const segments: string[] = [];
    const isMatch = parts.every((part, i) => {
      const segment = path[i];
      if (!part.startsWith("{")) return part === segment;
      if (segment) segments.push(segment);
      return segment;
    });
    if (isMatch) matches.push({ operation, segments });
  }
  return matches;
}
