// The document at /v3/openapi.json, for agents. They read an operation with every reference expanded and indented, and what they
// read is cut at 24,000 characters. So it says less than openapi.full.json, and nothing else: what is left out allows more.
import { headersOf } from "./components/headers.ts";
import type { createDocument } from "./document.ts";

type Document = ReturnType<typeof createDocument>;
type Json = Record<string, unknown>;

interface Content {
  headers?: Json;
  content: { "application/json": { schema: Json; examples?: Json } };
}

interface Operation {
  requestBody?: Content;
  responses: Record<string, unknown>;
}

const LONGER =
  "**This document** is short. `/v3/openapi.full.json` has every bound, header, status and example: generate clients from that one.";
/** Schemas whose members say what they are by their names, and stand in an operation several times. */
const KNOWN_BY_NAME = /^Error$|Probe|Scaling/;
/** Keywords that a body is checked for, and that a response just keeps to. */
const OF_BODIES = ["required", "minLength", "maxLength", "minimum", "maximum", "additionalProperties"];
const AS_READ = "as in the response to `GET /applications/{id}/processes/{process_id}`";
/** Members of a process that take most of its lines. */
const LONG = ["scaling_strategy", "liveness_probe", "readiness_probe"];

const HEADERS = ["ETag", "Error-Reason", "Retry-After"];
const FAILED = {
  description: "An error. `Error-Reason` says why; `/docs#errors` explains each.",
  headers: headersOf("Error-Reason", "Retry-After"),
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
};

export function shorten(document: Document): Json {
  const copy = structuredClone(document) as unknown as {
    info: { description: string };
    paths: Record<string, Record<string, Operation>>;
    components: Record<"schemas" | "headers" | "parameters" | "responses", Record<string, Json>>;
  };
  const { schemas, headers, parameters } = copy.components;
  copy.info.description += `\n\n${LONGER}`;
  copy.components.responses = { Failed: FAILED };
  copy.components.headers = Object.fromEntries(HEADERS.map((name) => [name, headers[name] as Json]));
  for (const [name, schema] of Object.entries(schemas)) {
    if (name.startsWith("Probe")) forgetTypes(schema);
    shortenSchema(schema, [
      ...(KNOWN_BY_NAME.test(name) ? ["description"] : []),
      ...(/^Create|^Update|Input$|Scaling/.test(name) ? [] : OF_BODIES),
    ]);
  }
  for (const one of Object.values({ ...copy.components.headers, ...parameters })) {
    one.description = String(one.description).replace(/(?<=[^.]\.) .*$/s, "");
    shortenSchema(one.schema, ["enum"]);
  }
  const process = schemas.Process as { properties: Json };
  const asRead = LONG.map((name) => [name, { description: AS_READ }]);
  const list = schemas.ProcessList as { properties: { data: { items: Json } } };
  list.properties.data.items = { ...process, properties: { ...process.properties, ...Object.fromEntries(asRead) } };
  for (const item of Object.values(copy.paths)) {
    for (const operation of Object.values(item)) shortenOperation(operation);
  }
  return copy as unknown as Json;
}

function shortenOperation(operation: Operation): void {
  const { requestBody } = operation;
  const { headers = {}, ...ok } = operation.responses[200] as Content;
  const { schema } = ok.content["application/json"];
  const isWritten = requestBody !== undefined && schema.$ref === "#/components/schemas/Process";
  operation.responses = {
    200: {
      ...ok,
      ...("ETag" in headers && { headers: headersOf("ETag") }),
      content: { "application/json": { schema: isWritten ? { type: "object", description: AS_READ } : schema } },
    },
    default: { $ref: "#/components/responses/Failed" },
  };
  if (requestBody !== undefined) delete requestBody.content["application/json"].examples;
}

/** Kubernetes has the types of members that have none of their own. */
function forgetTypes(schema: Json): void {
  for (const member of Object.values((schema.properties ?? {}) as Record<string, Json>)) {
    if (member.properties !== undefined) forgetTypes(member);
    else if (member.items === undefined) for (const name of Object.keys(member)) delete member[name];
  }
}

/** Leaves these keywords out, and what a format or an example says as well. */
function shortenSchema(schema: unknown, left: readonly string[]): void {
  if (typeof schema !== "object" || schema === null) return;
  const { properties, ...others } = schema as Json & { properties?: Json };
  if (!Array.isArray(schema)) {
    const own = schema as Json;
    if (own.format !== undefined) delete own.pattern;
    for (const name of ["example", ...left]) delete own[name];
  }
  for (const inner of [...Object.values(others), ...Object.values(properties ?? {})]) shortenSchema(inner, left);
}
