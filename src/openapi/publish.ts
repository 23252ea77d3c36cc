// The document as it is published: what `createDocument` says, with what is the same everywhere said once. Agents read an operation
// with every reference expanded, and cut what they read at 24,000 characters. The page at /docs has what is left out here.
import type { createDocument } from "./document.ts";

type Document = ReturnType<typeof createDocument>;
type Json = Record<string, unknown>;

interface Operation {
  requestBody?: Content;
  responses: Record<string, Content & { $ref?: string }>;
}

interface Content {
  headers?: Json;
  content: { "application/json": { examples?: Json } };
}

/** What a program acts on, beside what the response to a read explains. */
const OF_WRITES = ["ETag", "Last-Modified", "Cache-Status", "Idempotent-Replayed"];
const OF_REFUSALS = ["Error-Reason", "Retry-After", "WWW-Authenticate", "Allow"];

/** What says what it is by its name, and stands in an operation up to four times. */
const KNOWN_BY_NAME = /^Error$|Probe|Scaling/;

export function publish(document: Document): Json {
  const copy = structuredClone(document) as unknown as {
    paths: Record<string, Record<string, Operation>>;
    components: Record<"schemas" | "headers" | "responses", Record<string, Json>>;
  };
  const { schemas, headers, responses } = copy.components;
  for (const [name, schema] of Object.entries(schemas)) {
    shorten(schema, { isDescribed: !KNOWN_BY_NAME.test(name) });
  }
  for (const header of Object.values(headers)) {
    shorten(header.schema, { isDescribed: true });
    header.description = String(header.description).replace(/(?<=[^.]\.) .*$/s, "");
  }
  copy.components.responses = {
    NotModified: responses.NotModified as Json,
    Refused: failed("The request was refused.", OF_REFUSALS),
    Failed: failed("A fault of the service.", []),
  };
  for (const item of Object.values(copy.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      mergeFailures(operation);
      const ok = operation.responses[200] as Content;
      leaveOne(operation.requestBody);
      leaveOne(ok);
      if (method === "get") continue;
      delete ok.content["application/json"].examples;
      ok.headers = Object.fromEntries(Object.entries(ok.headers ?? {}).filter(([name]) => OF_WRITES.includes(name)));
    }
  }
  // The page explains those that no response refers to any more.
  const said = JSON.stringify(copy);
  for (const name of Object.keys(headers)) if (!said.includes(`"#/components/headers/${name}"`)) delete headers[name];
  return copy as unknown as Json;
}

const failed = (description: string, headers: readonly string[]): Json => ({
  description: `${description} \`Error-Reason\` says why; \`/docs#errors\` explains each.`,
  ...(headers.length > 0 && {
    headers: Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
  }),
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
});

/** Replaces the responses of each failure by one for all 4XX and one for all 5XX. `x-statuses` lists them. */
function mergeFailures(operation: Operation & { "x-statuses"?: number[] }): void {
  const statuses = Object.keys(operation.responses).map(Number);
  for (const status of statuses) if (status >= 400) delete operation.responses[status];
  Object.assign(operation.responses, {
    "4XX": { $ref: "#/components/responses/Refused" },
    "5XX": { $ref: "#/components/responses/Failed" },
  });
  operation["x-statuses"] = statuses;
}

/** The page has all examples. */
function leaveOne(message: Content | undefined): void {
  const json = message?.content["application/json"];
  if (json?.examples !== undefined) json.examples = Object.fromEntries(Object.entries(json.examples).slice(0, 1));
}

/** Leaves out what a format or the other examples say as well. */
function shorten(schema: unknown, { isDescribed }: { isDescribed: boolean }): void {
  if (typeof schema !== "object" || schema === null) return;
  const { properties, ...others } = schema as Json & { properties?: Json };
  if (!Array.isArray(schema)) {
    const own = schema as Json;
    if (own.format !== undefined) delete own.pattern;
    if (own.maximum === Number.MAX_SAFE_INTEGER) delete own.maximum;
    delete own.example;
    if (!isDescribed && !String(own.description).includes("https:")) delete own.description;
  }
  for (const inner of [...Object.values(others), ...Object.values(properties ?? {})]) {
    shorten(inner, { isDescribed });
  }
}
