// The OpenAPI document: generated from the operations, and served beside them.
import type { Hono } from "hono";
import type { Route } from "../../shared/route.ts";
import { jsonResponse } from "../answer.ts";
import type { ApiApp, ApiEnv } from "../context.ts";
import { errorSchema, FAILED_RESPONSES } from "./failures.ts";
import { CONDITIONAL_PARAMETERS, HEADERS } from "./headers.ts";
import { NOT_MODIFIED } from "./responses.ts";

const DOCUMENT_PATH = "/openapi.json";
const DOCUMENT_MAX_AGE_SECONDS = 300;

const DESCRIPTION = `
Reads the processes of your applications: what they run, how they scale, which resources they may use and how their
health is probed. Answers come from a data centre near you.

**Keys.** Every request carries an API key: \`Authorization: Bearer svl_…\`. \`GET /api-keys/me\` says what it may do.

**Methods.** HEAD is answered wherever GET is, with the same headers. Browsers may call from any origin.

**Asking again.** Every body has an \`ETag\`. Sent back in \`If-None-Match\`, it costs a 304 without a body as long as
nothing has changed. The edge may answer by itself for a minute, and for longer where machine sizes are asked for or the
database is away; \`Cache-Status\` and \`Age\` say what it did.

**Errors.** All have one shape, \`Error\`: what went wrong, the status, what to do about it, and in \`data.code\` the id of
the request, which is also in the header \`x-request-id\`.

**Limits.** A key has 400 requests a minute and an address 1,000, in each data centre. Beyond, the answer is 429 with
\`Retry-After\`.
`.trim();

const INFO = {
  title: "Process API",
  version: "3.0.0",
  summary: "The full details of your processes",
  description: DESCRIPTION,
  contact: { name: "process-api" },
  license: { name: "Proprietary", identifier: "LicenseRef-Proprietary" },
};

/** The whole document, generated from the operations of `app`. */
export function documentOf(app: ApiApp) {
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: INFO,
    servers: [{ url: "/v3" }],
    security: [{ apiKey: [] }],
    tags: [
      { name: "Applications", description: "Applications and their processes" },
      { name: "API keys", description: "The keys that requests are made with" },
      { name: "Resources", description: "What applications can be given" },
    ],
  });
  for (const { get } of Object.values(document.paths ?? {})) {
    // The generator puts those of the path behind those that are optional.
    get?.parameters?.sort((a, b) => Number("$ref" in a) - Number("$ref" in b));
  }
  return document;
}

/** Serves the document below `basePath`, and says where. */
export function registerDocument(root: Hono<ApiEnv>, basePath: string, app: ApiApp): Route {
  registerComponents(app);
  // Made on first demand: most isolates are never asked for it.
  let text: string | undefined;
  const path = basePath + DOCUMENT_PATH;
  root.get(path, async () => {
    text ??= JSON.stringify(documentOf(app));
    return jsonResponse(text, { "cache-control": `public, max-age=${DOCUMENT_MAX_AGE_SECONDS}` });
  });
  return { template: path, canonicalize: () => path };
}

/** What operations refer to by name. */
function registerComponents({ openAPIRegistry: registry }: ApiApp): void {
  registry.registerComponent("securitySchemes", "apiKey", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "svl_ and 64 hexadecimal digits",
    description: "Your API key, in the header `Authorization: Bearer svl_…`",
  });
  registry.register("Error", errorSchema);
  registry.registerComponent("responses", "NotModified", NOT_MODIFIED);
  for (const [name, response] of Object.entries(FAILED_RESPONSES)) {
    registry.registerComponent("responses", name, response);
  }
  for (const [name, header] of Object.entries(HEADERS)) registry.registerComponent("headers", name, header);
  for (const [name, parameter] of Object.entries(CONDITIONAL_PARAMETERS)) {
    registry.registerComponent("parameters", name, parameter);
  }
}
