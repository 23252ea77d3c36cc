// What dist/openapi.js is made of (shared/openapi.d.ts).

export interface Operation {
  /** `operationId` of the document. */
  id: string;
  method: string;
  /** As in the document and the logs, from the root: `/v3/applications/{id}`. */
  template: string;
  /** What the key must be permitted; null if every live key will do. */
  permission: string | null;
  /** The name of what may be absent; null if nothing may be. */
  resource: string | null;
  path: readonly PathParameter[];
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
    | { type: "string"; format: "uuid"; pattern: string }
    | { type: "integer"; minimum: number; maximum: number; default?: number }
    | { type: "boolean"; default?: boolean };
}

export interface PathParameter extends Parameter {
  /** Which segment of the path it is; the first, before the leading slash, is 0 and empty. */
  place: number;
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
