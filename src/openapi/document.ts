// The OpenAPI document: every operation, and the components that operations refer to by name.
import { globSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import { RESOURCES } from "../worker/resources/index.ts";
import { ADDRESS_LIMIT, KEY_LIMIT, WRITE_LIMIT } from "../worker/shared/limits.ts";
import { errorSchema, FAILED_RESPONSES } from "./components/failures.ts";
import { HEADER_PARAMETERS, HEADERS } from "./components/headers.ts";
import { REASONS } from "./components/reasons.ts";
import { type Contract, NOT_MODIFIED } from "./contract.ts";

type AnyContract = Contract<"read" | "write", never, never, never, never>;

const FOLDER = "src/worker/resources";
const CONTRACTS_OF_ALL = join(import.meta.dirname, "../worker/resources/*/contract.ts");

/** The contracts of all resources by `operationId`, in the order of the document. */
export const CONTRACTS = new Map<string, AnyContract>();
for (const [name, operations] of Object.entries(RESOURCES)) {
  const contracts: Record<string, AnyContract> = await import(`../worker/resources/${name}/contract.ts`);
  for (const id of Object.keys(operations)) CONTRACTS.set(id, contracts[id] as AnyContract);
}
for (const file of globSync(CONTRACTS_OF_ALL)) {
  const name = basename(dirname(file));
  if (!Object.hasOwn(RESOURCES, name)) throw new Error(`${FOLDER}/index.ts does not have the resource ${name}`);
}

/** What an operation promises. */
export const contractOf = (id: string): AnyContract => CONTRACTS.get(id) as AnyContract;

const DESCRIPTION = `
Reads and writes the processes of your applications: runtime configuration, scaling strategy, resource limits and probe
settings. A data centre near you responds.

**Keys.** Every request carries an API key: \`Authorization: Bearer svl_…\`. \`GET /api-keys/me\` shows what it may do,
\`GET /applications\` which applications it may read.

**Methods.** Every GET also answers HEAD, with the same headers. OPTIONS names the methods of a path in \`Allow\`, and the media
type that it takes in \`Accept-Patch\` or \`Accept-Post\`. Browsers may call from any origin.

**Query parameters.** A read ignores those that it does not know. A write refuses them with 400, since a misspelt \`dry_run\`
would write.

**Conditional requests.** The response to a GET has an \`ETag\`, and so has the response to a write that returns what it has
written. Send the \`ETag\` back in \`If-None-Match\`: the response to a GET is 304 without a body as long as nothing has changed. Errors
have no \`ETag\`, nor have responses that only say what was done. Every method heeds \`If-Match\`, \`If-Unmodified-Since\` and
\`If-None-Match\` with what a GET of its path reads, in the order of RFC 9110, section 13.2.2; GET also heeds \`If-Modified-Since\`.
412 means that one does not hold.

**Freshness.** The edge responds from its cache. A change shows within seconds, and within a minute when much changes at once.
While purges of the cache fail, a response may be an hour old, and up to two hours while the database is also unreachable. \`Cache-Status\` and
\`Age\` show what the edge did. To read what the database says now, send \`Cache-Control: no-cache\`.

**Writes.** Send an \`Idempotency-Key\` with each: then you may send it again until you have a response, and it takes effect
once. With the \`ETag\` of what you have read in \`If-Match\` you change nothing that you have not seen. \`?dry_run=true\` checks
and responds, and writes nothing; ids, tags and times that it makes up are examples. If \`Cache-Status\` says \`detail=purged\`, reads
show the write at once, or 14 seconds later where a read was already under way; otherwise within seconds. \`Cache-Control: no-cache\` always shows it.

**Errors.** Every error has the shape \`Error\`: what went wrong, the status, what to do about it, and in \`data.code\` the id
of the request, which is also in the header \`x-request-id\`. These texts are for people. The header \`Error-Reason\` says the same
to programs; \`x-error-reasons\` in the OpenAPI document and \`/docs#errors\` explain each of its values.

**Limits.** A key has ${KEY_LIMIT.requests} reads in ${KEY_LIMIT.periodSeconds} seconds and ${WRITE_LIMIT.requests} writes in ${WRITE_LIMIT.periodSeconds}, and an address ${ADDRESS_LIMIT.requests} requests in
${ADDRESS_LIMIT.periodSeconds}, in each data centre; a dry run is a write. Beyond that the response is 429 with \`Retry-After\`, and nothing was written. The next try may
be refused as well, at the latest until \`x-ratelimit-reset\`. There is no \`x-ratelimit-remaining\`: data centres do not say it.
What a key writes in a day (UTC) is also bounded, in all data centres together: 429 with \`write_quota_reached\` and a \`Retry-After\`
until midnight, while reads, dry runs and repeated requests go on.
`.trim();

const INFO = {
  title: "Process API",
  version: "3.0.0",
  summary: "The processes of your applications",
  description: DESCRIPTION,
  contact: { name: "process-api" },
  license: { name: "Proprietary", identifier: "LicenseRef-Proprietary" },
};

const TAGS = [
  { name: "Applications", description: "Applications and their processes" },
  { name: "API Keys", description: "The keys that requests are made with" },
  { name: "Resources", description: "Machine sizes that processes can have" },
];

/** With its name where readers look for it. */
const named = (operationId: string, { method, path, ...route }: RouteConfig): RouteConfig => ({
  method,
  path,
  operationId,
  ...route,
});

/** Generates the whole document. */
export function createDocument() {
  const app = new OpenAPIHono();
  const registry = app.openAPIRegistry;
  registry.registerComponent("securitySchemes", "bearerAuth", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "svl_ and 64 hexadecimal digits",
    description: "Your API key, in the header `Authorization: Bearer svl_…`",
  });
  for (const [operationId, { route }] of CONTRACTS) registry.registerPath(named(operationId, route));
  registry.register("Error", errorSchema);
  registry.registerComponent("responses", "NotModified", NOT_MODIFIED);
  for (const [name, response] of Object.entries(FAILED_RESPONSES)) {
    registry.registerComponent("responses", name, response);
  }
  for (const [name, header] of Object.entries(HEADERS)) registry.registerComponent("headers", name, header);
  for (const [name, parameter] of Object.entries(HEADER_PARAMETERS)) {
    registry.registerComponent("parameters", name, parameter);
  }
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: INFO,
    servers: [{ url: "/v3" }],
    security: [{ bearerAuth: [] }],
    tags: TAGS,
    "x-error-reasons": REASONS,
  });
  for (const { get, post, patch, delete: remove } of Object.values(document.paths ?? {})) {
    // The generator puts path parameters behind optional ones.
    for (const operation of [get, post, patch, remove]) {
      operation?.parameters?.sort((a, b) => Number("$ref" in a) - Number("$ref" in b));
    }
  }
  for (const { properties = {} } of Object.values(document.components?.schemas ?? {}) as SchemaObject[]) {
    // It writes a described reference as an `allOf`, of which openapi-typescript leaves the discriminator out.
    for (const [name, { allOf }] of Object.entries(properties))
      if (allOf) properties[name] = Object.assign({}, ...allOf);
  }
  return document;
}

interface SchemaObject {
  properties?: Record<string, { allOf?: object[] }>;
}
