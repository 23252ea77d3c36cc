// The document as programs read it: one operation at a time, with every reference expanded.
import { describe, expect, test } from "vitest";
import { publish } from "../../src/openapi/publish.ts";
import { document } from "../support/operations.ts";

type Json = Record<string, unknown>;
interface Operation extends Json {
  operationId: string;
  responses: Json;
  "x-statuses": number[];
}

const published = publish(document) as { paths: Record<string, Record<string, Operation>> };

/** As the API's MCP server does (`resolveRefs` in its src/sandbox/spec.ts): what stands beside a reference is lost. */
function expand(node: unknown): unknown {
  if (typeof node !== "object" || node === null) return node;
  if (Array.isArray(node)) return node.map(expand);
  if ("$ref" in node) {
    const path = String(node.$ref).slice("#/".length).split("/");
    return expand(path.reduce((at: unknown, name) => (at as Json)[name], published));
  }
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, expand(value)]));
}

const operations = Object.entries(published.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation, id: operation.operationId })),
);

// https://redocly.com/docs/cli/rules/oas/no-unused-components
test("has no header that no response refers to", () => {
  const { components } = published as unknown as { components: { headers: Json } };
  const names = Object.keys(components.headers);
  expect(names).toContain("Error-Reason");
  const refs = JSON.stringify(published);
  expect(names.filter((name) => !refs.includes(`"#/components/headers/${name}"`))).toStrictEqual([]);
});

describe.for(operations)("$id", ({ path, method, operation }) => {
  // That server shows a program 24,000 characters at most (`truncateResponse` in its src/sandbox/tools.ts).
  test("has at most 20,000 characters", () => {
    const { summary, description, tags, parameters, requestBody, responses } = operation;
    const shown = JSON.stringify(expand({ summary, description, tags, parameters, requestBody, responses }));
    expect(shown).not.toContain("$ref");
    expect(shown.length).toBeGreaterThan(3_000);
    expect(shown.length).toBeLessThanOrEqual(20_000);
  });

  test("names every status that responses are held to, and has a response for it", () => {
    const { responses = {} } = document.paths?.[path]?.[method as "get"] ?? {};
    expect(operation["x-statuses"]).toStrictEqual(Object.keys(responses).map(Number));
    for (const status of operation["x-statuses"]) {
      expect(operation.responses[status] ?? operation.responses[`${String(status)[0]}XX`]).toBeDefined();
    }
  });
});
