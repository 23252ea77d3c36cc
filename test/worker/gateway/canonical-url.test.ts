import { expect, test } from "vitest";
import { canonicalUrl } from "../../../src/worker/gateway/canonical-url.ts";
import type { Operation } from "../../../src/worker/shared/operations.ts";
import { UUID_PATTERN } from "../../../src/worker/shared/uuid.ts";

const operation: Operation = {
  id: "listThings",
  method: "GET",
  template: "/v3/things/{id}",
  permission: null,
  resource: "Thing",
  path: [{ name: "id", required: true, schema: { type: "string", format: "uuid", pattern: UUID_PATTERN }, place: 3 }],
  query: [
    { name: "from", required: true, schema: { type: "integer", minimum: 1, maximum: 9 } },
    { name: "limit", required: false, schema: { type: "integer", minimum: 1, maximum: 100, default: 25 } },
  ],
};
const ID = "fb5e5168-4281-4bec-94c5-0d1584e9e657";
const canonical = (id: string, query: string) =>
  canonicalUrl(operation, `/v3/things/${id}`, `https://host/v3/things/${id}${query}`);

test.for([
  ["?from=3", "?from=3"],
  ["?limit=25&from=03", "?from=3"],
  ["?limit=5&x=1&from=3", "?from=3&limit=5"],
] as const)("%s is %s in canonical form", ([query, expected]) => {
  expect(canonical(ID.toUpperCase(), query)).toBe(`/v3/things/${ID}${expected}`);
});

test.for([
  ["", "from"],
  ["?limit=5", "from"],
  ["?from=0", "from"],
  ["?from=10", "from"],
  ["?from=1&from=1", "from"],
  ["?from=1&limit=x", "limit"],
  ["?from=1&limit=", "limit"],
] as const)("%j is refused, naming %s", ([query, parameter]) => {
  const failure = { reason: "invalid_parameter", place: "query", parameter };
  expect(() => canonical(ID, query)).toThrow(expect.objectContaining({ failure: expect.objectContaining(failure) }));
});
