import { describe, expect, test } from "vitest";
import { readDocument, type Schema } from "../../src/docs/reference/document.ts";
import { renderReference } from "../../src/docs/reference/page.ts";
import { REASONS } from "../../src/openapi/components/reasons.ts";
import { document } from "../support/operations.ts";

const copy = () => JSON.parse(JSON.stringify(document));

/** The page's HTML, for the document or for a change of it. */
function render(change: (document: ReturnType<typeof copy>) => void = () => {}): string {
  const changed = copy();
  change(changed);
  return renderReference(readDocument(changed), { style: "/page.css", script: "/page.js", icon: "/favicon.svg" });
}

/** The page's HTML with another schema for the field `key` of a process. */
const renderKey = (key: object) =>
  render(({ components }) => Object.assign(components.schemas.Process.properties, { key }));

const page = render();

/** What a reader sees of HTML. */
const textOf = (html: string): string => {
  const text = html.replaceAll(/<[^>]*>/g, " ").replaceAll("&quot;", '"');
  return text.replaceAll(/\s+/g, " ").trim();
};

/** The text of a field, by its anchor, without what unfolds. */
function fieldOf(html: string, anchor: string): string {
  const start = html.indexOf(`id="${anchor}"`);
  expect([anchor, start]).not.toContain(-1);
  return textOf(html.slice(html.indexOf(">", start) + 1, html.indexOf("</p>", start)));
}

/** Without marks, entities and the places where a line may break. */
const lettersOf = (text = ""): string => text.replaceAll(/&#?\w+;|[^a-zA-Z]/g, "");

describe("the reference", () => {
  test("describes every field of every response", () => {
    let count = 0;
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
      if (!page.includes(`id="${name}"`)) continue;
      for (const [field, { description }] of Object.entries((schema as Schema).properties ?? {})) {
        expect(lettersOf(fieldOf(page, `${name}.${field}`))).toContain(lettersOf(String(description)));
        count++;
      }
    }
    expect(count).toBeGreaterThan(60);
  });

  test.for([
    ["Process.id", /^id Identifier of the process UUID$/],
    ["Process.memory_limit", /^memory_ limit Memory limit in megabytes integer or null$/],
    ["Process.port", /^port Port that the process listens on integer or null, 1 to 65,535$/],
    ["Process.created_at", /^created_ at When the process was created date and time$/],
    ["Process.ingress_protocol", /http , grpc or null$/],
    ["updateProcessV3.body.ingress_protocol", /http , grpc , ""$/],
    ["ProcessList.data", /array of Process$/],
    ["Process.scaling_strategy.horizontal.config.targetCpuPercent", /optional, integer or null, 1 to 100$/],
  ] as const)("says the type of %s as people do", ([anchor, said]) => {
    expect(fieldOf(page, anchor)).toMatch(said);
  });

  test("leaves out patterns of ids and dates, and the bound of safe integers", () => {
    expect(page).not.toMatch(/\[0-9a-fA-F\]|\\d\{4\}|9007199254740991|9,007/);
  });

  test("links only to what it has, and gives no two things one anchor", () => {
    const anchors = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => String(id));
    const links = [...page.matchAll(/ href="#([^"]+)"/g)].map(([, id]) => String(id));
    expect(links.length).toBeGreaterThan(200);
    expect(links.filter((link) => !anchors.includes(link))).toStrictEqual([]);
    expect(anchors.filter((anchor, index) => anchors.indexOf(anchor) !== index)).toStrictEqual([]);
  });

  test("says what every status means, in the words of the API", () => {
    const errors = textOf(page.slice(page.indexOf('id="errors"')));
    expect(errors).toContain('An id that is not a UUID: The path parameter "id" is invalid: expected a UUID.');
    const statuses = [...page.matchAll(/id="status-(\d+)"/g)].map(([, status]) => Number(status));
    expect(statuses).toEqual(expect.arrayContaining([304, 400, 401, 403, 404, 405, 414, 429, 431, 500, 503]));
  });

  test("explains every reason that an error can have, below its status, with an anchor", () => {
    const reasons = Object.entries(REASONS);
    expect(reasons.length).toBeGreaterThan(25);
    for (const [name, { status, description, advice }] of reasons) {
      expect(lettersOf(fieldOf(page, `error-${name}`))).toBe(lettersOf(`${name} ${description} ${advice}`));
      const at = page.indexOf(`id="error-${name}"`);
      expect(page.slice(0, at).match(/.*id="status-(\d+)"/s)?.[1]).toBe(String(status));
    }
  });

  test("takes HTML in a description for text", () => {
    const html = renderKey({ type: "string", description: "At <this> place & <script>alert()</script>" });
    expect(html).toContain("At &lt;this&gt; place &amp; &lt;script&gt;alert()&lt;/script&gt;");
  });

  test.for([
    ["has no type", { not: { type: "string" } }],
    ["several types", { type: ["string", "integer"] }],
  ] as const)("is not built when it cannot show a schema: %s", ([reason, schema]) => {
    expect(() => renderKey(schema)).toThrow(reason);
  });
});

describe("an operation that writes", () => {
  const form = (type: string, more: object = {}) => {
    const name = { type: "string", minLength: 1, maxLength: 255, description: "Human-readable name" };
    const properties = { type: { type: "string", enum: [type] }, display_name: name, ...more };
    return { type: "object", description: `A ${type} process`, properties, required: ["type", "display_name"] };
  };
  const time_zone = { type: "string", default: "UTC", description: "IANA time zone" };
  const html = render(({ components, paths }) => {
    const discriminator = { propertyName: "type" };
    components.schemas.CreateProcess = { oneOf: [form("worker"), form("cron", { time_zone })], discriminator };
    paths["/applications/{id}/processes"].post.requestBody.content["application/json"].examples = {
      worker: { summary: "A worker", value: { type: "worker", display_name: "Worker" } },
      cron: { summary: "A cron process", value: { type: "cron", display_name: "<Nightly>" } },
    };
  });
  const start = html.indexOf('id="createProcessV3"');
  const operation = html.slice(start, html.indexOf("</article>", start));

  test("shows each form of its body, the first one open", () => {
    const forms = [...operation.matchAll(/<details name="createProcessV3.body"([^>]*)>\s*<summary>(.*?)<\/summary>/g)];
    expect(forms.map(([, attributes, summary]) => [attributes?.trim(), textOf(String(summary))])).toStrictEqual([
      ["open", 'type: "worker" A worker process'],
      ["", 'type: "cron" A cron process'],
    ]);
    const field = (name: string) => fieldOf(operation, `createProcessV3.body.cron.${name}`);
    expect(field("display_name")).toBe("display_ name Human-readable name required string, 1 to 255 characters");
    expect(field("time_zone")).toBe('time_ zone IANA time zone string, default "UTC"');
    expect(operation).not.toContain('id="createProcessV3.body.cron.type"');
  });

  test("offers its examples to send", () => {
    const options = [...operation.matchAll(/<option value="[^"]*">([^<]*)/g)].map(([, summary]) => summary);
    expect(options).toStrictEqual(["A worker", "A cron process"]);
    const body = operation.slice(operation.indexOf("<textarea"), operation.indexOf("</textarea>"));
    expect(textOf(body)).toBe('{ "type": "worker", "display_name": "Worker" }');
    expect(operation).toContain("&lt;Nightly&gt;");
  });

  test("leaves the fields of its response to the operation that reads", () => {
    expect(textOf(operation)).toContain("Response The new process Fields of Process");
    expect(html.indexOf('id="Process"')).toBeGreaterThan(html.indexOf('id="getProcessV3"'));
  });
});
