// The module that src/openapi/compile.ts makes of the OpenAPI document (dist/openapi.js).
declare module "#openapi" {
  /** Every operation, in the order of the document. */
  export const operations: readonly import("./operations.ts").Operation[];
  /** The values of members that decide the shape of their object, by the member's name. */
  export const alternatives: Readonly<Record<string, readonly string[]>>;
  /** The names of its headers, in lower case. */
  export const headers: { readonly request: readonly string[]; readonly response: readonly string[] };
  /** The names of the IANA time zone database, separated by spaces. */
  export const timeZones: string;
  /** Validators of the bodies that operations take, by `operationId`. They find all mistakes, not the first alone. */
  export const validateRequest: Readonly<Record<string, import("./operations.ts").Validator>>;
  /** Validators of what operations answer with 200, by `operationId`. */
  export const validateResponse: Readonly<Record<string, import("./operations.ts").Validator>>;
}
