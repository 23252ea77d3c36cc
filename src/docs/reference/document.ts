// The OpenAPI document as the reference reads it: every reference replaced by what it refers to.
import type { JSONSchema } from "zod/v4/core";

type Plain = "title" | "description" | "format" | "pattern" | "const" | "default";
type Bound = "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems";

/** A JSON Schema, as far as the document uses it. Its title is its name, if it is a component. */
export interface Schema extends Pick<JSONSchema.BaseSchema, Plain | Bound> {
  type?: string | string[];
  enum?: unknown[];
  example?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  discriminator?: { propertyName: string };
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
  schema: Schema;
}

export interface MediaType {
  schema: Schema;
  examples?: Record<string, { summary: string; value: unknown }>;
}

export interface Response {
  description: string;
  headers?: Record<string, { description: string; schema: Schema }>;
  content?: { "application/json": MediaType };
}

export interface Operation {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  parameters?: Parameter[];
  requestBody?: { content: { "application/json": MediaType } };
  responses: Record<string, Response>;
}

export interface Document {
  info: { title: string; version: string; summary: string; description: string };
  servers: [{ url: string }];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
  /** By the value of `Error-Reason`. */
  "x-error-reasons": Record<string, { status: number; description: string; advice: string }>;
}

/** Reads an OpenAPI document. Components become one object each, wherever they are referred to. */
export function readDocument(document: object): Document {
  const root = JSON.parse(JSON.stringify(document));
  for (const [name, schema] of Object.entries<Schema>(root.components.schemas)) schema.title ??= name;
  const known = new Map<object, object>();
  function resolve(node: unknown): unknown {
    if (typeof node !== "object" || node === null) return node;
    const { $ref, ...beside } = node as { $ref?: string };
    if ($ref !== undefined) {
      const target = resolve(
        $ref
          .slice(2)
          .split("/")
          .reduce((at, name) => at[name], root),
      );
      // What stands beside a reference says more about this use of it.
      return Object.keys(beside).length === 0 ? target : { ...(target as object), ...beside };
    }
    const copy = known.get(node) ?? (Array.isArray(node) ? [] : {});
    if (known.has(node)) return copy;
    known.set(node, copy);
    for (const [name, value] of Object.entries(node)) {
      const inner = resolve(value);
      // A schema and what more is said about this use of it.
      Object.assign(copy, ...(name === "allOf" ? (inner as object[]) : [{ [name]: inner }]));
    }
    return copy;
  }
  return resolve(root) as Document;
}
