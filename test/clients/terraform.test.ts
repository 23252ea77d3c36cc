// What the official Terraform provider does, step by step, with its requests and in its way of retrying: no step may end in
// a drift, which Terraform would report as an error or plan to undo.
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startApi, type TestApi } from "../support/api.ts";
import { openRecords, type Records } from "../support/records.ts";

let api: TestApi;
let records: Records;
let token: string;
let base: string;
let sizeId: string;
beforeAll(async () => {
  // With its own limits, and those of the platform on purges, which other tests have spent or not.
  api = await startApi({ connectionString: inject("connectionString"), limits: {}, main: "src/local/worker.ts" });
  records = await openRecords(inject("connectionString"));
  const companyId = await records.company();
  ({ token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] }));
  base = `/v3/applications/${(await records.application(companyId)).id}/processes`;
  sizeId = (await records.resourceType()).id;
});
afterAll(async () => {
  await records.close();
  await api.close();
});

type Attributes = Record<string, unknown>;

const DEADLINE_MS = 30_000;

/** As its transport: three retries, of 429 for every method and of 5xx for GET, within 30 seconds. */
async function call(method: string, path: string, body?: Attributes): Promise<{ status: number; body: Attributes }> {
  const startedAt = Date.now();
  for (let attempt = 0; ; attempt++) {
    const response = await api.fetch(base + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: "application/json",
        ...(body && { "content-type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const isRepeatable = response.status === 429 || (response.status >= 500 && method === "GET");
    const answer = { status: response.status, body: (await response.json()) as Attributes };
    if (!isRepeatable || attempt === 3) return answer;
    const waitMs = Number(response.headers.get("retry-after")) * 1_000;
    if (Date.now() + waitMs > startedAt + DEADLINE_MS) throw new Error(`${method} was given up: ${response.status}`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** A resource as its user has configured it, and as the state has it. */
interface Resource {
  config: Attributes;
  state: Attributes;
}

const scaling = (instanceCount: number) => ({ type: "manual", config: { instanceCount } });
const CONFIGS: Attributes[] = [
  { display_name: "web", type: "web", entrypoint: "npm start", port: 3000 },
  ...Array.from({ length: 4 }, () => ({ display_name: "worker", type: "worker", entrypoint: " npm run worker " })),
  ...Array.from({ length: 3 }, () => ({ display_name: "cleanup", type: "cron", schedule: "0 */6 * * *" })),
  ...Array.from({ length: 2 }, () => ({ display_name: "migrate", type: "job", job_start_policy: "beforeDeployment" })),
];

/** What is configured must be answered as it is configured; what is not may be anything. */
function expectNoDrift({ config, state }: Resource): void {
  expect(state).toMatchObject(config);
}

async function create(config: Attributes): Promise<Resource> {
  const { status, body } = await call("POST", "", config);
  expect({ status, body }).toMatchObject({ status: 200 });
  return { config, state: body };
}

/** Refreshes the state, as each plan does. */
async function refresh(resource: Resource): Promise<void> {
  const { status, body } = await call("GET", `/${resource.state.id}`);
  expect({ status, body }).toStrictEqual({ status: 200, body: resource.state });
  expectNoDrift(resource);
}

/** Computed attributes without a value are unknown in the plan of an update, and are sent as Go's zero values. */
const ZEROS = { entrypoint: "", port: 0, time_zone: "", is_ingress_enabled: false, ingress_protocol: "" };

async function update(resource: Resource, change: Attributes): Promise<void> {
  const config = { ...resource.config, ...change };
  const left = Object.entries(ZEROS).filter(([name]) => config[name] === undefined);
  const { status, body } = await call("PATCH", `/${resource.state.id}`, { ...change, ...Object.fromEntries(left) });
  expect({ status, body }).toMatchObject({ status: 200, body: { id: resource.state.id, key: resource.state.key } });
  resource.config = config;
  resource.state = body;
  expectNoDrift(resource);
}

test("ten are created at once, planned, five changed and all destroyed, without drift", async () => {
  const configs = CONFIGS.map((config) => ({ ...config, resource_type_id: sizeId, scaling_strategy: scaling(1) }));
  const resources = await Promise.all(configs.map(create));
  for (const resource of resources) expectNoDrift(resource);
  // After the apply, and again for the next plan, which the cache answers.
  for (const _ of [1, 2]) await Promise.all(resources.map(refresh));

  const changed = resources.filter((_, n) => n % 2 === 0);
  expect(changed.map(({ config }) => config.type)).toStrictEqual(["web", "worker", "worker", "cron", "job"]);
  await Promise.all(changed.map((one) => update(one, { display_name: "Renamed", scaling_strategy: scaling(2) })));
  for (const _ of [1, 2]) await Promise.all(resources.map(refresh));

  const [web, ...others] = resources as [Resource, ...Resource[]];
  await Promise.all(
    others.map(async ({ state }) => expect(await call("DELETE", `/${state.id}`)).toMatchObject({ status: 200 })),
  );
  for (const { state } of others) expect(await call("GET", `/${state.id}`)).toMatchObject({ status: 404 });
  // It goes with its application.
  expect(await call("DELETE", `/${web.state.id}`)).toMatchObject({ status: 400 });
});
