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

const ENUMS = {
  status: [
    "deploymentInProgress",
    "deploymentFailed",
    "deploymentSuccess",
    "deleting",
    "appDeletionFailed",
    "deploymentCancelled",
  ],
  type: ["app", "previewApp"],
  source: ["privateGit", "publicGit", "dockerImage", "app"],
  git_type: ["github", "bitbucket", "gitlab"],
  build_type: ["dockerfile", "pack", "nixpacks"],
};
const of = (values: string[]) => `string ${values.join("|")}`;

const ITEM = {
  id: "uuid",
  name: "string 1–64",
  display_name: "string 1–255",
  status: `${of(ENUMS.status)} or null`,
  type: of(ENUMS.type),
  source: of(ENUMS.source),
  is_suspended: "boolean",
  created_at: "date-time",
  updated_at: "date-time",
};

const DETAIL = {
  ...ITEM,
  company_id: "uuid or null",
  project_id: "uuid or null",
  namespace: "string or null",
  hibernate_after_seconds: "integer or null",
  git_type: `${of(ENUMS.git_type)} or null`,
  repo_url: "string or null",
  default_branch: "string or null",
  docker_image: "string or null",
  build_path: "string or null",
  pack_builder: "string or null",
  nixpacks_version: "string or null",
  dockerfile_path: "string or null",
  docker_context: "string or null",
  cluster_id: "uuid or null",
  docker_registry_credential_id: "uuid or null",
  created_by: "uuid or null",
  build_cache_enabled: "boolean",
  hibernation_enabled: "boolean",
  auto_deploy: "boolean",
  build_type: of(ENUMS.build_type),
  allow_deploy_paths: "array of string",
  ignore_deploy_paths: "array of string",
  buildpacks: "array of object",
};

const VALIDATION = {
  name: "string 1–255",
  expires_at: "date-time or null",
  company_id: "uuid",
  status: of(["active"]),
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

const membersOf = ({ properties = {} }: Schema) =>
  Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, wordsOf(resolve(schema))]));
const payloadOf = (path: string): Schema => resolve(responsesOf(path).get(200)?.body?.schema as Schema);
const itemOf = (schema: Schema | undefined): Schema => resolve(resolve(schema as Schema).items as Schema);

test.for<[string, Schema, Record<string, string>, number]>([
  ["an item of the list", itemOf(payloadOf("/applications").properties?.data), ITEM, 9],
  ["an application", payloadOf("/applications/{id}"), DETAIL, 32],
  ["a validation", payloadOf("/api-keys/validate"), VALIDATION, 4],
])("%s has the members of the table, and always all of them", ([_, schema, table, count]) => {
  expect(membersOf(schema)).toStrictEqual(table);
  expect(schema.required?.toSorted()).toStrictEqual(Object.keys(table).sort());
  expect(schema.required).toHaveLength(count);
});

test("a buildpack has an id, a source and an order", () => {
  const buildpack = itemOf(payloadOf("/applications/{id}").properties?.buildpacks);
  expect(membersOf(buildpack)).toStrictEqual({ id: "string", source: "string", order: "integer" });
  expect(buildpack.required?.toSorted()).toStrictEqual(["id", "order", "source"]);
});

test.for(["/applications", "/applications/{id}/processes"])("the pages of %s have the official bounds", (path) => {
  const { properties = {} } = payloadOf(path);
  const bounds = { hasBounds: true };
  expect(wordsOf(properties.total as Schema, bounds)).toBe("integer 0–10000");
  expect(wordsOf(properties.offset as Schema, bounds)).toBe("integer 0–10000");
  expect(wordsOf(properties.limit as Schema, bounds)).toBe("integer 1–100");
  const parameters = (document.paths?.[path]?.get?.parameters ?? []) as { name: string; schema: Schema }[];
  const asked = parameters.filter(({ name }) => ["limit", "offset"].includes(name));
  expect(asked.map(({ name, schema }) => [name, wordsOf(schema, bounds)])).toStrictEqual([
    ["limit", "integer 1–100"],
    ["offset", "integer 0–10000"],
  ]);
});

test("a machine size has one of the four categories", () => {
  const size = itemOf(payloadOf("/resources/process-resource-types"));
  expect(wordsOf(size.properties?.category as Schema)).toBe(
    of(["hobby", "standard", "cpuOptimized", "memoryOptimized"]),
  );
});

test("the caller's key is described as the official clients expect it", () => {
  const operation = document.paths?.["/api-keys/me"]?.get;
  expect(operation).toMatchObject({ operationId: "getCurrentApiKeyV3", tags: ["API Keys"] });
  const members = membersOf(payloadOf("/api-keys/me"));
  expect(members.company_id).toBe("uuid");
  expect(members.source).toBe(of(["DASHBOARD", "CLI", "EXTERNAL", "SUPPORT_MCP"]));
  expect(Object.keys(document.components?.securitySchemes ?? {})).toStrictEqual(["bearerAuth"]);
  expect(document.security).toStrictEqual([{ bearerAuth: [] }]);
  expect(document.servers).toStrictEqual([{ url: "/v3" }]);
});
