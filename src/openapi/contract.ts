// An operation as its clients see it: an entry of the document, and what the Worker must know of it.
import { createRoute, type RouteConfig, type z } from "@hono/zod-openapi";
import type { Permission } from "../worker/resources/api-key/access.ts";
import type { Examples } from "./components/examples.ts";
import {
  FORBIDDEN,
  INVALID_BODY,
  INVALID_PATCH,
  NOT_FOUND,
  READ_FAILURES,
  WRITE_FAILURES,
} from "./components/failures.ts";
import { headerParameters, headersOf } from "./components/headers.ts";
import { dryRun } from "./components/parameters.ts";

/** The types are for what carries it out (src/worker/api/operation.ts). */
export interface Contract<Kind extends "read" | "write", Ids, Query, Body, Payload> {
  kind: Kind;
  /** What the key must be permitted; null if every live key will do. */
  permission: Permission | null;
  /** What may be absent, for a 404: `Process`; null if nothing may be. */
  resource: string | null;
  route: RouteConfig;
  types?: { ids: Ids; query: Query; body: Body; payload: Payload };
}

interface About<Ids extends z.ZodObject, Payload extends z.ZodType> {
  /** Below `/v3`. */
  path: string;
  tags: [string];
  summary: string;
  /** The permission for an application is added. */
  description: string;
  permission: Permission | null;
  resource: string | null;
  /** Parameters of the path. */
  ids?: Ids;
  response: {
    description: string;
    schema: Payload;
    examples: Examples<z.output<Payload>>;
    /** Whether it comes with `Last-Modified`. */
    isDated?: boolean;
  };
}

/** On every response that is no failure. */
const VALIDATED = ["ETag", "Cache-Control", "Vary", "Cache-Status", "Age"] as const;
const COUNTED = ["x-request-id", "Server-Timing", "x-ratelimit-limit", "RateLimit-Policy"] as const;
const WRITTEN = ["Cache-Control", "Cache-Status", "Idempotent-Replayed"] as const;
const DATED = ["Last-Modified"] as const;

/** Below `components.responses`. */
export const NOT_MODIFIED = {
  description: "Not modified: the response that you have is current.",
  headers: headersOf(...VALIDATED, ...COUNTED),
};

/** @returns what all operations have in common */
function entryOf({ path, tags, summary, description, permission, resource, response }: About<z.ZodObject, z.ZodType>) {
  const isOfApplication = path.startsWith("/applications/{id}");
  const needs = isOfApplication ? ` Needs the permission \`${permission}\` for the application.` : "";
  const { schema, examples } = response;
  return {
    entry: { path, tags, summary, description: description + needs },
    ok: { description: response.description, content: { "application/json": { schema, examples } } },
    failures: { ...(permission !== null && FORBIDDEN), ...(resource !== null && NOT_FOUND) },
  };
}

/** A GET. @param about its `query`, beside what all have */
export function read<Ids extends z.ZodObject, Payload extends z.ZodType, Query extends z.ZodObject>(
  about: About<Ids, Payload> & { query?: Query },
): Contract<"read", z.output<Ids>, z.output<Query>, never, z.output<Payload>> {
  const { entry, ok, failures } = entryOf(about);
  const { permission, resource, ids, query, response } = about;
  const dated = response.isDated ? DATED : [];
  const route = createRoute({
    method: "get",
    ...entry,
    parameters: headerParameters(
      "If-None-Match",
      ...(response.isDated ? (["If-Modified-Since"] as const) : []),
      "Cache-Control",
    ),
    request: { ...(ids && { params: ids }), ...(query && { query }) },
    responses: {
      200: { ...ok, headers: headersOf(...VALIDATED, ...dated, ...COUNTED) },
      304: { $ref: "#/components/responses/NotModified" },
      ...READ_FAILURES,
      ...failures,
    },
  });
  return { kind: "read", permission, resource, route };
}

/** An operation that writes. @param about its method, and its `body` if it takes one, beside what all have */
export function write<Ids extends z.ZodObject, Payload extends z.ZodType, Body extends z.ZodObject>(
  about: About<Ids, Payload> & {
    method: "post" | "patch" | "delete";
    body?: { schema: Body; examples: Examples };
  },
): Contract<"write", z.output<Ids>, z.output<typeof dryRun>, z.input<Body>, z.output<Payload>> {
  const { entry, ok, failures } = entryOf(about);
  const { method, permission, resource, ids, body, response } = about;
  const validators = response.isDated ? (["ETag", ...DATED] as const) : [];
  const route = createRoute({
    method,
    ...entry,
    // What is at the path of a POST is no one thing.
    parameters: headerParameters(...(method === "post" ? [] : (["If-Match"] as const)), "Idempotency-Key"),
    request: {
      ...(ids && { params: ids }),
      query: dryRun,
      ...(body && { body: { required: true, content: { "application/json": body } } }),
    },
    responses: {
      200: { ...ok, headers: headersOf(...validators, ...WRITTEN, ...COUNTED) },
      ...WRITE_FAILURES,
      ...failures,
      ...(body && (method === "post" ? INVALID_BODY : INVALID_PATCH)),
    },
  });
  return { kind: "write", permission, resource, route };
}
