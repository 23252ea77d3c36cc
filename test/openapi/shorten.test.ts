// The document as agents read it: one operation at a time, with every reference expanded.
import { describe, expect, test } from "vitest";
import { shorten } from "../../src/openapi/shorten.ts";
import { compile } from "../support/contract.ts";
import { document, operations } from "../support/operations.ts";

type Json = Record<string, unknown>;
interface Body {
  content: { "application/json": { schema: object; examples: Record<string, { value: unknown }> } };
}
interface Operation extends Json {
  requestBody?: Body;
  responses: Record<200, Body>;
}

const short = shorten(document) as unknown as typeof document;

/** As the API's MCP server does (`resolveRefs` in its src/sandbox/spec.ts): what stands beside a reference is lost. */
function expand(node: unknown): unknown {
  if (typeof node !== "object" || node === null) return node;
  if (Array.isArray(node)) return node.map(expand);
  if ("$ref" in node) {
    const path = String(node.$ref).slice("#/".length).split("/");
    return expand(path.reduce((at: unknown, name) => (at as Json)[name], short));
  }
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, expand(value)]));
}

const accepts = (schema: object) => compile({ ...schema, components: short.components });

describe.for(operations)("$id", ({ documentPath, method }) => {
  const [full, own] = [document, short].map(({ paths }) => {
    const operation = paths?.[documentPath]?.[method.toLowerCase() as "get"];
    return operation as unknown as Operation;
  }) as [Operation, Operation];

  // That server indents what it shows, and cuts it at 24,000 characters (`formatResult` in its src/sandbox/tools.ts).
  test("has at most 20,000 characters", () => {
    const { summary, description, tags, parameters, requestBody, responses } = own;
    const shown = JSON.stringify(expand({ summary, description, tags, parameters, requestBody, responses }), null, 2);
    expect(shown).not.toContain("$ref");
    expect(shown.length).toBeGreaterThan(3_000);
    expect(shown.length).toBeLessThanOrEqual(20_000);
  });

  test("takes and shows all that the full document does, and not anything", () => {
    const bodies = [full.responses[200], own.responses[200], full.requestBody, own.requestBody];
    for (let n = 0; n < bodies.length; n += 2) {
      const [there, here] = bodies.slice(n, n + 2).map((body) => body?.content["application/json"]);
      if (there === undefined) continue;
      const isValid = accepts(here?.schema ?? {});
      for (const { value } of Object.values(there.examples)) expect(isValid(value)).toBe(true);
      expect(isValid([[]])).toBe(false);
    }
  });
});
