// What the routes share in the OpenAPI document, and the document itself.
import { z } from "@hono/zod-openapi";
import type { Hono } from "hono";
import type { Route } from "../http/route.ts";
import { jsonResponse } from "./answer.ts";
import type { ApiApp, ApiEnv } from "./context.ts";

const errorSchema = z
  .strictObject({
    message: z.string().openapi({ description: "What went wrong", example: "Process not found." }),
    status: z.int().openapi({ description: "The HTTP status", example: 404 }),
    data: z
      .strictObject({
        code: z.string().openapi({ description: "The request id, also in the header `x-request-id`" }),
        message: z.string().openapi({ description: "What to do about it" }),
      })
      .openapi({ description: "Particulars" }),
  })
  .openapi("Error");

const failure = (description: string) => ({
  description,
  content: { "application/json": { schema: errorSchema } },
});

/** The responses of an operation that reads: the payload, and every failure. */
export const getResponses = <T extends z.ZodType>(schema: T, description: string) => ({
  200: { description, content: { "application/json": { schema } } },
  400: failure("A parameter is invalid; the message names it and says what was expected"),
  401: failure("No valid API key: missing, malformed, unknown, disabled or expired"),
  403: failure("The API key lacks the permission"),
  404: failure("It does not exist, or belongs to another company"),
  414: failure("The URL is too long"),
  429: failure("Too many requests"),
  431: failure("A header is too large"),
  500: failure("A fault of the service"),
  503: failure("The database cannot be reached; see `Retry-After`"),
});

const DOCUMENT_PATH = "/openapi.json";
const DOCUMENT_MAX_AGE_SECONDS = 300;

/** The whole document, generated from the operations of `app`. */
export function documentOf(app: ApiApp) {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Process API",
      version: "3.0.0",
      description:
        "Reads the processes of your applications: what they run, how they scale, which resources they may use and how their health is probed. Answers come from a data centre near you.",
    },
    servers: [{ url: "/v3" }],
    security: [{ apiKey: [] }],
    tags: [
      { name: "Applications", description: "Applications and their processes" },
      { name: "API keys", description: "The keys that requests are made with" },
      { name: "Resources", description: "What applications can be given" },
    ],
  });
}

/** Serves the document below `basePath`, and says where. */
export function registerDocument(root: Hono<ApiEnv>, basePath: string, app: ApiApp): Route {
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "svl_ and 64 hexadecimal digits",
    description: "Your API key, in the header `Authorization: Bearer svl_…`",
  });
  // Made on first demand: most isolates are never asked for it.
  let text: string | undefined;
  const path = basePath + DOCUMENT_PATH;
  root.get(path, async () => {
    text ??= JSON.stringify(documentOf(app));
    return jsonResponse(text, { "cache-control": `public, max-age=${DOCUMENT_MAX_AGE_SECONDS}` });
  });
  return { template: path, canonicalize: () => path };
}
