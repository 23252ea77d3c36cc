// The OpenAPI document by itself: test/worker/api/answers.test.ts compares it with what is sent.
import { describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../drizzle/seed.ts";
import { ADDRESS_LIMIT, KEY_LIMIT, WRITE_LIMIT } from "../../../src/worker/shared/limits.ts";
import { useApi } from "../../support/api.ts";
import { expectValid } from "../../support/contract.ts";
import { responsesOf, validatorOf } from "../../support/document.ts";
import { document, type Operation, operations, privateReads } from "../../support/operations.ts";
import { bearer } from "../../support/records.ts";

type Examples = Record<string, { value: unknown }>;
interface Found {
  where: string;
  value: unknown;
  schema: object;
}

/** Every example, beside the schema that it is one of. */
function examplesIn(node: unknown, where = "#"): Found[] {
  if (typeof node !== "object" || node === null) return [];
  if ("examples" in node && "schema" in node) {
    const { examples, schema } = node as { examples: Examples; schema: object };
    return Object.entries(examples).map(([name, { value }]) => ({ where: `${where}/${name}`, value, schema }));
  }
  const { example: value, ...schema } = node as { example?: unknown };
  const found: Found[] = value === undefined ? [] : [{ where, value, schema }];
  return found.concat(...Object.entries(node).map(([name, child]) => examplesIn(child, `${where}/${name}`)));
}

const examples = examplesIn(document);
const examplesOf = (path: string, status = 200): Examples => responsesOf(path).get(status)?.body?.examples ?? {};

const PROCESS = "/applications/{id}/processes/{process_id}";
const kinds = SEED_PROCESSES.slice(0, 5);

interface Shown {
  id?: string;
  app_id?: string;
  limit?: number;
}

/** Where the seed has what an example of an operation shows: the last id of the path is its own. */
function pathTo({ parameters, examples, path }: Operation, value: unknown): string {
  const { id, app_id, limit } = Object(value) as Shown;
  const [last] = parameters.slice(-1);
  const isPage = limit !== undefined;
  const ids = { ...examples, ...(app_id && { id: app_id }), ...(!isPage && last && id && { [last]: id }) };
  return path(ids) + (isPage ? `?limit=${limit}` : "");
}

const api = useApi();

describe("an example", () => {
  // A run is kept for 30 days, so no seed has those of an example.
  const seeded = privateReads.filter(({ id }) => id !== "listProcessRunsV3");
  test.for(seeded)("of $id is what the seed's key gets", async (operation) => {
    const { id, documentPath } = operation;
    const shown = Object.values(examplesOf(documentPath)).map(({ value }) => value);
    const seen = shown.map(async (value) =>
      (await api.fetch(pathTo(operation, value), bearer(SEED_TOKENS.full))).json(),
    );
    const payloads = (await Promise.all(seen)) as unknown[];
    // Other tests add machine sizes, and use the key.
    if (id === "listProcessResourceTypesV3") {
      expect(payloads).toStrictEqual([expect.arrayContaining(shown[0] as unknown[])]);
    } else if (id === "getCurrentApiKeyV3") {
      expect([{ ...(payloads[0] as object), last_used_at: null }]).toStrictEqual(shown);
    } else expect(payloads).toStrictEqual(shown);
  });

  test.for(operations)("of the ids of $id is of something in the seed that the operation takes", async (operation) => {
    const { isWrite, path, examples, request } = operation;
    const { status } = await api.fetch(path(examples) + (isWrite ? "?dry_run=true" : ""), request(SEED_TOKENS.full));
    expect(status).toBe(200);
  });

  test("of a process that has runs is a cron process", () => {
    const example = operations.find(({ id }) => id === "listProcessRunsV3")?.examples;
    expect(example?.process_id).toBe(SEED_PROCESSES.find(({ kind }) => kind === "cron")?.processId);
  });

  test.for(examples)("is valid by its schema: $where", ({ value, schema }) => expectValid(validatorOf(schema), value));

  test("is there of each type of process and source of an application, and of each failure", () => {
    expect(Object.keys(examplesOf(PROCESS))).toStrictEqual(kinds.map(({ kind }) => kind));
    const sources = ["privateGit", "publicGit", "dockerImage", "preview", "sparse"];
    expect(Object.keys(examplesOf("/applications/{id}"))).toStrictEqual(sources);
    for (const status of responsesOf(PROCESS).keys()) {
      if (status >= 400) expect([status, Object.keys(examplesOf(PROCESS, status)).length]).not.toContain(0);
    }
    expect(examples.length).toBeGreaterThan(50);
  });
});

describe("the document", () => {
  test("names its operations, and what clients want a type of, as clients have them", () => {
    const ids = [
      "listApplicationsV3 getApplicationV3 listProcessesV3 createProcessV3 getProcessV3 updateProcessV3 deleteProcessV3",
      "triggerProcessCronV3 listProcessRunsV3 listProcessResourceTypesV3 getCurrentApiKeyV3 validateApiKeyV3",
    ];
    expect(operations.map(({ id }) => id)).toEqual(expect.arrayContaining(ids.join(" ").split(" ")));
    const { schemas = {} } = document.components ?? {};
    const names = [
      "ApiKey ApiKeyValidation Application ApplicationItem ApplicationList CreateProcess Error HorizontalScaling",
      "ManualScaling Probe ProbeInput Process ProcessDeleted ProcessList ProcessResourceType ProcessRun ProcessRunList",
      "ProcessTriggered ScalingStrategy UpdateProcess",
    ];
    expect(Object.keys(schemas)).toEqual(expect.arrayContaining(names.join(" ").split(" ")));
    expect(schemas.ScalingStrategy).toMatchObject({ discriminator: { propertyName: "type" } });
  });

  test("puts what must be given before what may be", () => {
    for (const { get, post, patch, delete: remove } of Object.values(document.paths ?? {})) {
      for (const operation of [get, post, patch, remove]) {
        const required = operation?.parameters?.map((one) => "required" in one && one.required === true);
        expect(required).toStrictEqual(required?.toSorted((a, b) => Number(b) - Number(a)));
      }
    }
  });

  test("tells the rate limits that are counted", () => {
    const { description } = document.info;
    expect(description).toContain(`A key has ${KEY_LIMIT.requests} reads in ${KEY_LIMIT.periodSeconds} seconds`);
    expect(description).toContain(`${WRITE_LIMIT.requests} writes in ${WRITE_LIMIT.periodSeconds}`);
    expect(description).toContain(`an address ${ADDRESS_LIMIT.requests} requests in\n${ADDRESS_LIMIT.periodSeconds}`);
  });
});
