import { createDocument } from "../../src/openapi/document.ts";
import { NEVER_CACHED, type Read } from "../../src/worker/api/operation.ts";
import { OPERATIONS } from "../../src/worker/resources/index.ts";

export const document = createDocument();

export interface Operation {
  /** `operationId` of the document. */
  id: string;
  method: string;
  /** As the document has it. */
  documentPath: string;
  /** From the root, with the names of parameters in braces. */
  template: string;
  /** Names of the parameters in the path. */
  parameters: string[];
  /** Whether the document asks for a key. */
  isPrivate: boolean;
  /** Whether the document knows of keys that lack a permission. */
  needsPermission: boolean;
  /** Whether it changes anything. */
  isWrite: boolean;
  /** Whether it shows one page of a list. */
  isPage: boolean;
  /** Whether the edge may keep a response. */
  isCached: boolean;
  /** The values of the parameters that the document shows as examples, which the seed has. */
  examples: Record<string, string>;
  /** The path with each parameter filled in; with any UUID if there are no values. */
  path(values?: Record<string, string>): string;
  /** A request: a write with the first example of its body. */
  request(token?: string): { method: string; headers: Record<string, string>; body?: string };
}

interface RequestBody {
  content: { "application/json": { examples: Record<string, { value: unknown }> } };
}

interface Parameter {
  name: string;
  in: string;
  schema: { example: string };
}

const ANY_UUID = "fb5e5168-4281-4bec-94c5-0d1584e9e657";
const METHODS = ["get", "post", "patch", "delete"] as const;

/** Every operation of the OpenAPI document. */
export const operations: Operation[] = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  METHODS.flatMap((method) => {
    const operation = item[method];
    if (operation === undefined) return [];
    const body = operation.requestBody as RequestBody | undefined;
    const [example] = Object.values(body?.content["application/json"].examples ?? {});
    const template = `${document.servers?.[0]?.url}${path}`;
    return {
      id: String(operation.operationId),
      method: method.toUpperCase(),
      documentPath: path,
      template,
      parameters: [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name)),
      isPrivate: (operation.security ?? document.security ?? []).length > 0,
      needsPermission: "403" in (operation.responses ?? {}),
      isWrite: method !== "get",
      isPage: ((operation.parameters ?? []) as Parameter[]).some(({ name }) => name === "offset"),
      isCached: (OPERATIONS[String(operation.operationId)] as Read).tags !== NEVER_CACHED,
      examples: Object.fromEntries(
        ((operation.parameters ?? []) as Parameter[])
          .filter((parameter) => parameter.in === "path")
          .map(({ name, schema }) => [name, schema.example]),
      ),
      path: (values) => template.replaceAll(/\{(\w+)\}/g, (_, name: string) => idOf(name, values)),
      request: (token) => ({
        method: method.toUpperCase(),
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(example && { "content-type": "application/json" }),
        },
        ...(example && { body: JSON.stringify(example.value) }),
      }),
    };
  }),
);

function idOf(name: string, values?: Record<string, string>): string {
  const id = values === undefined ? ANY_UUID : values[name];
  if (id === undefined) throw new Error(`Give the fixture.ts of a table the parameter "${name}", and an example`);
  return id;
}

/** Every operation that asks for a key. */
export const privateOperations = operations.filter(({ isPrivate }) => isPrivate);

export const privateReads = privateOperations.filter(({ isWrite }) => !isWrite);

/** Those whose responses the edge may keep. */
export const cachedReads = privateReads.filter(({ isCached }) => isCached);
