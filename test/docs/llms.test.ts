// llms.txt, by its convention (https://llmstxt.org) and by the document.
import { describe, expect, test } from "vitest";
import { writeLlms } from "../../src/docs/llms.ts";
import { readDocument } from "../../src/docs/reference/document.ts";
import { resolve, validatorOf } from "../support/document.ts";
import { callsIn } from "../support/llms.ts";
import { document, type Operation, operations } from "../support/operations.ts";

/** An agent reads it whole, before each task: so much for each operation. */
const MAX_BYTES = 1_130 * operations.length;

interface Documented {
  parameters?: ({ name: string; in: string } | { $ref: string })[];
  requestBody?: { content: { "application/json": { schema: object; examples: object } } };
}

const text = writeLlms(readDocument(document));
const [before = "", ...sections] = text.split(/^## /m);
const paths = document.paths as unknown as Record<string, Record<string, Documented>>;
const documented = ({ documentPath, method }: Operation) => paths[documentPath]?.[method.toLowerCase()] as Documented;

test("is a title, a summary, text without headings, and lists of links", () => {
  expect(before).toMatch(/^# Process API\n\n> .+\n\n/);
  expect(before.replaceAll(/```sh.*?```/gs, "")).not.toMatch(/^#+ (?!Process API)/m);
  for (const section of sections) {
    const [name, ...lines] = section.trim().split("\n");
    expect(name).toMatch(/^[A-Z]/);
    for (const line of lines.filter(Boolean)) expect(line).toMatch(/^- \[[^\]]+\]\([^)]+\): ./);
  }
  expect(new TextEncoder().encode(text).length).toBeLessThan(MAX_BYTES);
});

test("says how to send a key and a body, what an error looks like, and what the limits are", () => {
  for (const needed of [
    "Authorization: Bearer svl_…",
    '"data":{"code":',
    "- 412: ",
    "Retry-After",
    "/v3/openapi.full.json",
  ]) {
    expect(text).toContain(needed);
  }
});

test("says what a status means to reads and to writes, and how to clear a field", () => {
  expect(text).toContain("says what was expected. A write is also refused if its body is invalid");
  expect(text).toMatch(
    /^- 429: The rate limit [^.]+ is reached\. A write is also refused if [^.]+\. Nothing was written\.$/m,
  );
  expect(text).toContain("no cached response that it may serve. Nothing was written.");
  expect(text).toContain("null clears `port` and the probes");
});

describe.for(operations)("$id", (operation) => {
  const { parameters = [], requestBody } = documented(operation);

  test("has a line with its path, parameters and permission", () => {
    const line = text.split("\n").find((one) => one.includes(`](/docs#${operation.id}): `));
    expect(line).toContain(`\`${operation.method} ${operation.template}\``);
    for (const { name } of parameters.map((one) => resolve(one) as { name: string })) expect(line).toContain(name);
    if (operation.needsPermission) expect(line).toMatch(/permission `APP:(READ|UPDATE)`/);
  });

  test("has a call with its path, and each example of its body, which its schema allows", () => {
    const calls = callsIn(text).filter(({ method, path }) => {
      return method === operation.method && path === operation.path(operation.examples);
    });
    const content = requestBody?.content["application/json"];
    expect(calls).toHaveLength(content === undefined ? 1 : Object.keys(content.examples).length);
    for (const { curl, body } of calls) {
      expect(curl.includes("-H 'Content-Type: application/json'")).toBe(content !== undefined);
      if (content === undefined) expect(body).toBeUndefined();
      else expect(validatorOf(content.schema)(JSON.parse(String(body)))).toBe(true);
    }
  });
});
