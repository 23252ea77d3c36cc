import { describe, expect, test } from "vitest";
import { readDocument, type Schema } from "../../src/docs/reference/document.ts";
import { renderReference } from "../../src/docs/reference/page.ts";
import { document } from "../support/operations.ts";

const FILES = { style: "/docs/page.css", script: "/docs/page.js", icon: "/docs/favicon.svg" };

/** The page's HTML, for the document or for a change of it. */
function render(change: (document: ReturnType<typeof copy>) => void = () => {}): string {
  const changed = copy();
  change(changed);
  return renderReference(readDocument(changed), FILES);
}

const copy = () => JSON.parse(JSON.stringify(document));

const page = render();

/** What a reader sees of HTML. */
const textOf = (html: string): string =>
  html
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll("&quot;", '"')
    .replaceAll(/\s+/g, " ")
    .trim();

/** The text of a field, by its anchor, without what unfolds. */
function fieldOf(html: string, anchor: string): string {
  const start = html.indexOf(`id="${anchor}"`);
  expect([anchor, start]).not.toContain(-1);
  return textOf(html.slice(html.indexOf(">", start) + 1, html.indexOf("</p>", start)));
}

/** Without marks, entities and the places where a line may break. */
const lettersOf = (text: string): string => text.replaceAll(/&#?\w+;|[^a-zA-Z]/g, "");

describe("the reference", () => {
  test("describes every field of every answer, and says its type", () => {
    const described = Object.entries(document.components?.schemas ?? {}).flatMap(([name, schema]) =>
      page.includes(`id="${name}"`)
        ? Object.entries((schema as Schema).properties ?? {}).map(
            ([field, member]) => [`${name}.${field}`, member] as const,
          )
        : [],
    );
    expect(described.length).toBeGreaterThan(60);
    for (const [anchor, { description }] of described) {
      expect(lettersOf(fieldOf(page, anchor))).toContain(lettersOf(String(description)));
    }
  });

  test("speaks of types as people do", () => {
    expect(fieldOf(page, "Process.id")).toBe("id Identifier of the process UUID");
    expect(fieldOf(page, "Process.memory_limit")).toBe("memory_ limit Memory limit in megabytes integer or null");
    expect(fieldOf(page, "Process.port")).toBe("port Port that the process listens on integer or null, 1 to 65,535");
    expect(fieldOf(page, "Process.created_at")).toBe("created_ at When the process was created date and time");
    expect(fieldOf(page, "Process.ingress_protocol")).toMatch(/http , grpc or null$/);
    expect(fieldOf(page, "updateProcessV3.body.ingress_protocol")).toMatch(/http , grpc , ""$/);
    expect(fieldOf(page, "ProcessList.data")).toMatch(/array of Process$/);
    expect(fieldOf(page, "Process.scaling_strategy.horizontal.config.targetCpuPercent")).toMatch(
      /optional, integer or null, 1 to 100$/,
    );
  });

  test("keeps patterns of ids and dates, and the bound of safe integers, to itself", () => {
    expect(page).not.toContain("[0-9a-fA-F]");
    expect(page).not.toContain(String.raw`\d{4}`);
    expect(page).not.toMatch(/9007199254740991|9,007/);
  });

  test("links to nothing that it does not have, and gives no two things one anchor", () => {
    const anchors = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => String(id));
    const links = [...page.matchAll(/ href="#([^"]+)"/g)].map(([, id]) => String(id));
    expect(links.length).toBeGreaterThan(200);
    expect(links.filter((link) => !anchors.includes(link))).toStrictEqual([]);
    expect(anchors.filter((anchor, index) => anchors.indexOf(anchor) !== index)).toStrictEqual([]);
  });

  test("says what every status means, in the words of the API", () => {
    const errors = textOf(page.slice(page.indexOf('id="errors"')));
    expect(errors).toContain('An id that is not a UUID: The path parameter "id" is invalid. Expected a UUID.');
    for (const status of ["304", "400", "401", "403", "404", "405", "414", "429", "431", "500", "503"]) {
      expect(page).toContain(`id="status-${status}"`);
    }
  });

  test("takes HTML in a description for text", () => {
    const html = render((changed) => {
      changed.components.schemas.Process.properties.key.description = "At <this> place & <script>alert()</script>";
    });
    expect(html).toContain("At &lt;this&gt; place &amp; &lt;script&gt;alert()&lt;/script&gt;");
  });

  test("is not made of a document that it cannot show", () => {
    const withField = (schema: object) => () =>
      render((changed) => {
        changed.components.schemas.Process.properties.key = schema;
      });
    expect(withField({ not: { type: "string" } })).toThrow("has no type");
    expect(withField({ type: ["string", "integer"] })).toThrow("several types");
  });
});

describe("an operation that writes", () => {
  const strategy = { $ref: "#/components/schemas/ScalingStrategy" };
  const form = (type: string, more: object = {}) => ({
    type: "object",
    description: `A ${type} process`,
    properties: {
      type: { type: "string", enum: [type] },
      display_name: { type: "string", minLength: 1, maxLength: 255, description: "Human-readable name" },
      scaling_strategy: strategy,
      ...more,
    },
    required: ["type", "display_name"],
  });
  const html = render((changed) => {
    changed.components.schemas.CreateProcess = {
      oneOf: [
        form("worker"),
        form("cron", { time_zone: { type: "string", default: "UTC", description: "IANA time zone" } }),
      ],
      discriminator: { propertyName: "type" },
    };
    const path = changed.paths["/applications/{id}/processes"];
    path.post = {
      ...path.get,
      operationId: "createProcess",
      summary: "Create a process",
      requestBody: {
        content: {
          "application/json": {
            schema: { $ref: "#/components/schemas/CreateProcess" },
            examples: {
              worker: { summary: "A worker", value: { type: "worker", display_name: "Worker" } },
              cron: { summary: "A cron process", value: { type: "cron", display_name: "<Nightly>" } },
            },
          },
        },
      },
      responses: changed.paths["/applications/{id}/processes/{process_id}"].get.responses,
    };
  });
  const operation = html.slice(html.indexOf('id="createProcess"'), html.indexOf('id="getProcessV3"'));

  test("shows each form of its body, the first one open", () => {
    const forms = [...operation.matchAll(/<details name="createProcess.body"([^>]*)>\s*<summary>(.*?)<\/summary>/g)];
    expect(forms.map(([, attributes, summary]) => [attributes?.trim(), textOf(String(summary))])).toStrictEqual([
      ["open", 'type: "worker" A worker process'],
      ["", 'type: "cron" A cron process'],
    ]);
    expect(fieldOf(operation, "createProcess.body.cron.display_name")).toBe(
      "display_ name Human-readable name required string, 1 to 255 characters",
    );
    expect(fieldOf(operation, "createProcess.body.cron.time_zone")).toBe(
      'time_ zone IANA time zone string, default "UTC"',
    );
    expect(operation).not.toContain('id="createProcess.body.cron.type"');
  });

  test("offers its examples to send", () => {
    expect([...operation.matchAll(/<option value="([^"]*)">([^<]*)/g)].map(([, , summary]) => summary)).toStrictEqual([
      "A worker",
      "A cron process",
    ]);
    expect(textOf(operation.slice(operation.indexOf("<textarea"), operation.indexOf("</textarea>")))).toBe(
      '{ "type": "worker", "display_name": "Worker" }',
    );
    expect(operation).toContain("&lt;Nightly&gt;");
  });

  test("leaves the fields of its answer to the operation that reads", () => {
    expect(textOf(operation)).toContain("Answer The process Fields of Process");
    expect(html.indexOf('id="Process"')).toBeGreaterThan(html.indexOf('id="getProcessV3"'));
  });
});
