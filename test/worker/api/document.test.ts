// The OpenAPI document by itself: test/worker/api/answers.test.ts compares it with what is sent.
import { describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../drizzle/seed.ts";
import { ADDRESS_LIMIT, KEY_LIMIT, WRITE_LIMIT } from "../../../src/worker/shared/limits.ts";
import { useApi } from "../../support/api.ts";
import { responsesOf, validatorOf } from "../../support/document.ts";
import { document, operations } from "../../support/operations.ts";
import { bearer } from "../../support/records.ts";

interface Found {
  where: string;
  value: unknown;
  schema: object;
}

/** Every example, beside the schema that it is one of. */
function examplesIn(node: unknown, where = "#"): Found[] {
  if (typeof node !== "object" || node === null) return [];
  const found: Found[] = [];
  if ("example" in node) {
    const { example: value, ...schema } = node;
    found.push({ where, value, schema });
  }
  if ("examples" in node && "schema" in node) {
    const { examples, schema } = node as { examples: Record<string, { value: unknown }>; schema: object };
    for (const [name, { value }] of Object.entries(examples)) found.push({ where: `${where}/${name}`, value, schema });
    return found;
  }
  return found.concat(...Object.entries(node).map(([name, child]) => examplesIn(child, `${where}/${name}`)));
}

const examples = examplesIn(document);

const api = useApi();

describe("an example", () => {
  test.for(examples)("is valid by its schema: $where", ({ value, schema }) => {
    const isValid = validatorOf(schema);
    isValid(value);
    expect(isValid.errors).toBeNull();
  });

  test("is there of each type of process, and of each failure", () => {
    const process = responsesOf("/applications/{id}/processes/{process_id}");
    expect(Object.keys(process.get(200)?.body?.examples ?? {})).toStrictEqual([
      "web",
      "worker",
      "cron",
      "job",
      "sparse",
    ]);
    for (const [status, { body }] of process) {
      if (status >= 400) expect([status, Object.keys(body?.examples ?? {})]).not.toStrictEqual([status, []]);
    }
    expect(examples.length).toBeGreaterThan(50);
  });

  test("of a payload is what the seed is answered with", async () => {
    const get = async (path: string) => (await api.fetch(`/v3${path}`, bearer(SEED_TOKENS.full))).json();
    const exampleOf = (path: string, name: string) => responsesOf(path).get(200)?.body?.examples[name]?.value;
    for (const { kind, applicationId, processId } of SEED_PROCESSES.slice(0, 5)) {
      const payload = await get(`/applications/${applicationId}/processes/${processId}`);
      expect(payload).toStrictEqual(exampleOf("/applications/{id}/processes/{process_id}", kind));
    }
    const applications = responsesOf("/applications/{id}").get(200)?.body?.examples ?? {};
    expect(Object.keys(applications)).toStrictEqual(["privateGit", "publicGit", "dockerImage", "preview", "sparse"]);
    for (const [name, { value }] of Object.entries(applications)) {
      expect([name, await get(`/applications/${(value as { id: string }).id}`)]).toStrictEqual([name, value]);
    }
    expect(await get("/applications?limit=2")).toStrictEqual(exampleOf("/applications", "page"));
    expect(await get("/api-keys/validate")).toStrictEqual(exampleOf("/api-keys/validate", "active"));
    const page = await get(`/applications/${SEED_PROCESSES[0].applicationId}/processes?limit=2`);
    expect(page).toStrictEqual(exampleOf("/applications/{id}/processes", "page"));
    // Other tests add machine sizes.
    const sizes = exampleOf("/resources/process-resource-types", "all") as unknown[];
    expect(await get("/resources/process-resource-types")).toStrictEqual(expect.arrayContaining(sizes));
    // It is used by other tests.
    const key = (await get("/api-keys/me")) as object;
    expect({ ...key, last_used_at: null }).toStrictEqual(exampleOf("/api-keys/me", "key"));
  });
});

describe("the document", () => {
  test("names its operations as clients have them", () => {
    expect(operations.map(({ id }) => id)).toStrictEqual([
      "listApplicationsV3",
      "getApplicationV3",
      "listProcessesV3",
      "createProcessV3",
      "getProcessV3",
      "updateProcessV3",
      "deleteProcessV3",
      "triggerProcessCronV3",
      "listProcessRunsV3",
      "listProcessResourceTypesV3",
      "getCurrentApiKeyV3",
      "validateApiKeyV3",
    ]);
  });

  test("names what clients want a type of", () => {
    expect(Object.keys(document.components?.schemas ?? {}).sort()).toStrictEqual([
      "ApiKey",
      "ApiKeyValidation",
      "Application",
      "ApplicationItem",
      "ApplicationList",
      "CreateProcess",
      "Error",
      "HorizontalScaling",
      "ManualScaling",
      "Probe",
      "Process",
      "ProcessDeleted",
      "ProcessList",
      "ProcessResourceType",
      "ProcessRun",
      "ProcessRunList",
      "ProcessTriggered",
      "ScalingStrategy",
      "UpdateProcess",
    ]);
    expect(document.components?.schemas?.ScalingStrategy).toMatchObject({ discriminator: { propertyName: "type" } });
  });

  test("puts what must be given before what may be", () => {
    for (const { get, post, patch, delete: remove } of Object.values(document.paths ?? {})) {
      for (const operation of [get, post, patch, remove]) {
        const required = operation?.parameters?.map((one) => "required" in one && one.required === true);
        expect(required).toStrictEqual(required?.toSorted((a, b) => Number(b) - Number(a)));
      }
    }
  });

  test("tells the budgets that are counted", () => {
    const { description } = document.info;
    expect(description).toContain(`A key has ${KEY_LIMIT.requests} reads in ${KEY_LIMIT.periodSeconds} seconds`);
    expect(description).toContain(`${WRITE_LIMIT.requests} writes in ${WRITE_LIMIT.periodSeconds}`);
    expect(description).toContain(`an address ${ADDRESS_LIMIT.requests} requests in\n${ADDRESS_LIMIT.periodSeconds}`);
  });
});
