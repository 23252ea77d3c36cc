// Importers fill in every header of the document with its default, the same in each request: openapi-to-postmanv2 6.3.3 takes
// `schema.default` whether it resolves parameters from examples or from schemas (`_resolveSchema`, `resolveValueOfParameter` in
// libV2/CollectionGeneration/schemaUtils.js), and without one makes up a value.
import { beforeAll, expect, test } from "vitest";
import { useApi } from "../../support/api.ts";
import { resolve } from "../../support/document.ts";
import { document, operations } from "../../support/operations.ts";
import { useRecords } from "../../support/records.ts";

interface Parameter {
  name: string;
  in: string;
  schema: { default?: string };
}

const api = useApi();
const records = useRecords();
let token: string;
let companyId: string;
beforeAll(async () => {
  companyId = await records.company();
  token = (await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] })).token;
});

test.for(operations)("$id does twice with the defaults of its headers what it does without them", async (operation) => {
  const method = operation.method.toLowerCase() as "get" | "post" | "patch" | "delete";
  const parameters = (document.paths?.[operation.documentPath]?.[method]?.parameters ?? []).map(resolve) as Parameter[];
  const defaults = parameters.filter((one) => one.in === "header").map(({ name, schema }) => [name, schema.default]);
  expect(defaults.flat()).not.toContain(undefined);
  const ids = await records.pathIds(companyId);
  for (const headers of [{}, Object.fromEntries(defaults), Object.fromEntries(defaults)]) {
    const request = operation.request(token);
    // What is deleted is gone.
    const path = operation.path(operation.method === "DELETE" ? await records.pathIds(companyId) : ids);
    const response = await api.fetch(path, { ...request, headers: { ...request.headers, ...headers } });
    expect([response.status, response.headers.get("idempotent-replayed")]).toStrictEqual([200, null]);
  }
});

test.for(["PATCH", "DELETE"])("If-Match: * does not turn the 404 of a %s into 412", async (method) => {
  const { id } = await records.pathIds(companyId);
  const path = `/v3/applications/${id}/processes/${id}`;
  const headers = { authorization: `Bearer ${token}`, "if-match": "*", "content-type": "application/json" };
  const response = await api.fetch(path, { method, headers, ...(method === "PATCH" && { body: "{}" }) });
  expect(response.status).toBe(404);
});
