// The OpenAPI document as tests read it: references followed, schemas compiled.
import type { ValidateFunction } from "ajv";
import { compile } from "./contract.ts";
import { document, type Operation } from "./operations.ts";

type Json = Record<string, unknown>;

export interface DocumentedResponse {
  headers: Record<string, { required?: boolean; schema: object }>;
  /** The schema of the JSON body; absent if there is none. */
  body?: { schema: object; examples: Record<string, { value: unknown }> };
}

/** Resolves a pointer within the document. */
function follow(ref: string): Json {
  let found: unknown = document;
  for (const name of ref.slice("#/".length).split("/")) found = (found as Json)[name];
  return found as Json;
}

export const resolve = <T extends object>(value: T | { $ref: string }): T =>
  "$ref" in value ? (follow(value.$ref) as T) : value;

/** The names of the headers, in lower case, that the operation at `path` is documented to take. */
export function requestHeadersOf(path: string, method: Operation["method"]): string[] {
  const parameters = (operationAt(path, method).parameters ?? []) as { name: string; in: string }[];
  return parameters.map(resolve).flatMap((one) => (one.in === "header" ? one.name.toLowerCase() : []));
}

/** The responses of the operation at `path`, by status. */
export function responsesOf(path: string, method: Operation["method"] = "GET"): Map<number, DocumentedResponse> {
  const responses = operationAt(path, method).responses as Record<string, Json>;
  return new Map(
    Object.entries(responses).map(([status, response]) => [Number(status), toResponse(resolve(response))]),
  );
}

const operationAt = (path: string, method: Operation["method"]): Json =>
  document.paths?.[path]?.[method.toLowerCase() as "get" | "post" | "patch" | "delete"] as Json;

function toResponse(response: Json): DocumentedResponse {
  const headers = Object.entries((response.headers ?? {}) as Record<string, Json>).map(([name, header]) => [
    name.toLowerCase(),
    resolve(header),
  ]);
  const body = (response.content as Record<string, DocumentedResponse["body"]> | undefined)?.["application/json"];
  return { headers: Object.fromEntries(headers), ...(body && { body }) };
}

const validators = new WeakMap<object, ValidateFunction>();

/** The validator of a schema of the document, wherever in it that stands. */
export function validatorOf(schema: object): ValidateFunction {
  const validator = validators.get(schema) ?? compile({ ...schema, components: document.components });
  validators.set(schema, validator);
  return validator;
}
