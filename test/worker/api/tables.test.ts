// The official contract's tables of what a session needs, against the document: types, nullability, enums, bounds and what
// is required.
import { expect, test } from "vitest";
import { resolve, responsesOf } from "../../support/document.ts";
import { document } from "../../support/operations.ts";

interface Schema {
  type?: string | string[];
  enum?: unknown[];
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
}

/** Members by what they are. */
const membersOf = (names: Record<string, string>) =>
  Object.fromEntries(Object.entries(names).flatMap(([what, all]) => all.split(" ").map((name) => [name, what])));

const ITEM = membersOf({
  uuid: "id",
  "string 1–64": "name",
  "string 1–255": "display_name",
  "string deploymentInProgress|deploymentFailed|deploymentSuccess|deleting|appDeletionFailed|deploymentCancelled or null":
    "status",
  "string app|previewApp": "type",
  "string privateGit|publicGit|dockerImage|app": "source",
  boolean: "is_suspended",
  "date-time": "created_at updated_at",
});
const TABLES = {
  item: ITEM,
  application: {
    ...ITEM,
    ...membersOf({
      "uuid or null": "company_id project_id cluster_id docker_registry_credential_id created_by",
      "string or null": [
        "namespace repo_url default_branch docker_image build_path pack_builder nixpacks_version",
        "dockerfile_path docker_context",
      ].join(" "),
      "integer or null": "hibernate_after_seconds",
      "string github|bitbucket|gitlab or null": "git_type",
      "string dockerfile|pack|nixpacks": "build_type",
      boolean: "build_cache_enabled hibernation_enabled auto_deploy",
      "array of string": "allow_deploy_paths ignore_deploy_paths",
      "array of object": "buildpacks",
    }),
  },
  buildpack: { id: "string", source: "string", order: "integer" },
  validation: membersOf({
    "string 1–255": "name",
    "date-time or null": "expires_at",
    uuid: "company_id",
    "string active": "status",
  }),
};

/** A schema in the words of the tables. Numbers say their bounds where a table does. */
function wordsOf(schema: Schema, { hasBounds = false } = {}): string {
  const types = [schema.type ?? "any"].flat();
  const type = types.find((one) => one !== "null") ?? "null";
  const nullable = types.includes("null") ? " or null" : "";
  if (type === "array") return `array of ${wordsOf(resolve(schema.items as Schema))}${nullable}`;
  if (schema.enum) return `${type} ${schema.enum.filter((value) => value !== null).join("|")}${nullable}`;
  const length = schema.maxLength === undefined ? "" : ` ${schema.minLength ?? 0}–${schema.maxLength}`;
  const bounds = hasBounds ? ` ${schema.minimum}–${schema.maximum}` : "";
  return `${schema.format ?? type}${length}${bounds}${nullable}`;
}

const payloadOf = (path: string): Schema => resolve(responsesOf(path).get(200)?.body?.schema as Schema);
const itemOf = (schema: Schema | undefined): Schema => resolve(resolve(schema as Schema).items as Schema);
const wordsIn = ({ properties = {} }: Schema) =>
  Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, wordsOf(resolve(schema))]));

test.for<[keyof typeof TABLES, Schema, number]>([
  ["item", itemOf(payloadOf("/applications").properties?.data), 9],
  ["application", payloadOf("/applications/{id}"), 32],
  ["buildpack", itemOf(payloadOf("/applications/{id}").properties?.buildpacks), 3],
  ["validation", payloadOf("/api-keys/validate"), 4],
])("each %s has the members of the table, and always all of them", ([name, schema, count]) => {
  expect(wordsIn(schema)).toStrictEqual(TABLES[name]);
  expect(schema.required?.toSorted()).toStrictEqual(Object.keys(TABLES[name]).sort());
  expect(schema.required).toHaveLength(count);
});

test.for(["/applications", "/applications/{id}/processes"])("the pages of %s have the official bounds", (path) => {
  const words = (one: Schema | undefined) => wordsOf(one as Schema, { hasBounds: true });
  const { total, offset, limit } = payloadOf(path).properties ?? {};
  expect([total, offset, limit].map(words)).toStrictEqual(["integer 0–10000", "integer 0–10000", "integer 1–100"]);
  const parameters = (document.paths?.[path]?.get?.parameters ?? []) as { name: string; schema: Schema }[];
  const asked = parameters.filter(({ name }) => ["limit", "offset"].includes(name));
  expect(asked.map(({ name, schema }) => `${name}: ${words(schema)}`)).toStrictEqual([
    "limit: integer 1–100",
    "offset: integer 0–10000",
  ]);
});

test("a machine size has one of the four categories", () => {
  const { category } = wordsIn(itemOf(payloadOf("/resources/process-resource-types")));
  expect(category).toBe("string hobby|standard|cpuOptimized|memoryOptimized");
});

test("the caller's key is described as the official clients expect it", () => {
  const operation = document.paths?.["/api-keys/me"]?.get;
  expect(operation).toMatchObject({ operationId: "getCurrentApiKeyV3", tags: ["API Keys"] });
  expect(wordsIn(payloadOf("/api-keys/me"))).toMatchObject({
    company_id: "uuid",
    source: "string DASHBOARD|CLI|EXTERNAL|SUPPORT_MCP",
  });
  expect(Object.keys(document.components?.securitySchemes ?? {})).toStrictEqual(["bearerAuth"]);
  expect(document.security).toStrictEqual([{ bearerAuth: [] }]);
  expect(document.servers).toStrictEqual([{ url: "/v3" }]);
});
