import { z } from "@hono/zod-openapi";
import { HttpError } from "../shared/errors.ts";
import type { Route } from "../shared/route.ts";
import type { ApiApp } from "./context.ts";

const NOTHING = z.object({});

/** What the gateway must know of every documented operation, read off the operations themselves. */
export function routesOf(app: ApiApp, basePath: string): Route[] {
  return app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== "route") return [];
    const { path, request } = definition.route;
    return toRoute(basePath + path, asObject(request?.params), asObject(request?.query));
  });
}

function toRoute(template: string, paramsSchema: z.ZodObject, querySchema: z.ZodObject): Route {
  // By turns what stands between parameters, and the name of one.
  const parts = template.split(/\{(\w+)\}/);
  return {
    template,
    canonicalize(params, url) {
      const values = parseParameters("path", paramsSchema, params);
      let path = "";
      for (const [i, part] of parts.entries()) path += i % 2 === 0 ? part : encodeURIComponent(String(values[part]));
      // Most requests have no query, and reading none is not free.
      const search = url.includes("?") ? canonicalQuery(querySchema, new URL(url).searchParams) : "";
      return search === "" ? path : `${path}?${search}`;
    },
  };
}

/** The known parameters in the order of the schema, without those that say the default. */
function canonicalQuery(schema: z.ZodObject, query: URLSearchParams): string {
  const known: Record<string, string | string[]> = {};
  for (const name of Object.keys(schema.shape)) {
    const values = query.getAll(name);
    if (values.length > 0) known[name] = values.length === 1 ? String(values[0]) : values;
  }
  const values = parseParameters("query", schema, known);
  const defaults = schema.parse({});
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== defaults[name]) search.set(name, String(value));
  }
  return search.toString();
}

/** @throws HttpError `invalid_parameter`, naming the first that is wrong */
function parseParameters(place: "path" | "query", schema: z.ZodObject, values: object): Record<string, unknown> {
  const result = schema.safeParse(values);
  if (!result.success) throw invalidParameter(place, result.error);
  return result.data;
}

export function invalidParameter(place: "path" | "query", error: z.core.$ZodError): HttpError {
  const [issue] = error.issues;
  return new HttpError({
    reason: "invalid_parameter",
    place,
    parameter: String(issue?.path[0]),
    expected: String(issue?.message),
  });
}

function asObject(schema: unknown): z.ZodObject {
  if (schema === undefined) return NOTHING;
  if (schema instanceof z.ZodObject) return schema;
  throw new TypeError("parameters are described by a z.object()");
}
