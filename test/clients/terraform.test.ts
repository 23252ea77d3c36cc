// What the official Terraform provider does, step by step, with its requests: no step may end in drift, which Terraform
// would report as an error or plan to undo.
import { beforeAll, expect, test } from "vitest";
import { KEY_LIMIT, WRITE_LIMIT } from "../../src/worker/shared/limits.ts";
import { useApi } from "../support/api.ts";
import { useRecords } from "../support/records.ts";

type Attributes = Record<string, unknown>;

/** A resource as its user has configured it, and as the state has it. */
interface Resource {
  config: Attributes;
  state: Attributes;
}

const api = useApi();
const records = useRecords();
let token: string;
let base: string;
let resource_type_id: string;
beforeAll(async () => {
  const companyId = await records.company();
  ({ token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] }));
  base = `/v3/applications/${(await records.application(companyId)).id}/processes`;
  resource_type_id = (await records.resourceType()).id;
});

const calls = { reads: 0, writes: 0 };

async function call(method: string, path: string, body?: Attributes): Promise<{ status: number; body: Attributes }> {
  calls[method === "GET" ? "reads" : "writes"]++;
  const headers = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) };
  const response = await api.fetch(base + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  return { status: response.status, body: (await response.json()) as Attributes };
}

async function create(config: Attributes): Promise<Resource> {
  const { status, body } = await call("POST", "", config);
  // What is configured must be in the response as it is configured; what is not configured may be anything.
  expect({ status, body }).toMatchObject({ status: 200, body: config });
  return { config, state: body };
}

/** Refreshes the state, as each plan does. */
async function refresh({ state }: Resource): Promise<void> {
  expect(await call("GET", `/${state.id}`)).toStrictEqual({ status: 200, body: state });
}

/** Computed attributes without a value are unknown in the plan of an update, and are sent as Go's zero values. */
const ZEROS = { entrypoint: "", port: 0, time_zone: "", is_ingress_enabled: false, ingress_protocol: "" };

async function update(resource: Resource, change: Attributes): Promise<void> {
  const { id, key } = resource.state;
  const config = { ...resource.config, ...change };
  const zeros = Object.entries(ZEROS).filter(([name]) => config[name] === undefined);
  const { status, body } = await call("PATCH", `/${id}`, { ...change, ...Object.fromEntries(zeros) });
  expect({ status, body }).toMatchObject({ status: 200, body: { ...config, id, key } });
  Object.assign(resource, { config, state: body });
}

async function destroy({ state }: Resource): Promise<void> {
  expect(await call("DELETE", `/${state.id}`)).toMatchObject({ status: 200 });
  expect(await call("GET", `/${state.id}`)).toMatchObject({ status: 404 });
}

const scaling = (instanceCount: number) => ({ type: "manual", config: { instanceCount } });
const WORKER = { display_name: "worker", type: "worker", entrypoint: " npm run worker " };
const CRON = { display_name: "cleanup", type: "cron", schedule: "0 */6 * * *" };
const JOB = { display_name: "migrate", type: "job", job_start_policy: "beforeDeployment" };
const WEB = { display_name: "web", type: "web", entrypoint: "npm start", port: 3000 };
const CONFIGS: Attributes[] = [WEB, WORKER, WORKER, WORKER, WORKER, CRON, CRON, CRON, JOB, JOB];

test("ten are created at once, planned, five changed and all destroyed, without drift and within the limits", async () => {
  const configs = CONFIGS.map((config) => ({ ...config, resource_type_id, scaling_strategy: scaling(1) }));
  const resources = await Promise.all(configs.map(create));
  // After the apply, and again for the next plan, which is answered from the cache.
  for (const _ of [1, 2]) await Promise.all(resources.map(refresh));

  const changed = resources.filter((_, n) => n % 2 === 0);
  expect(changed.map(({ config }) => config.type)).toStrictEqual(["web", "worker", "worker", "cron", "job"]);
  await Promise.all(changed.map((one) => update(one, { display_name: "Renamed", scaling_strategy: scaling(2) })));
  for (const _ of [1, 2]) await Promise.all(resources.map(refresh));

  const [web, ...others] = resources as [Resource, ...Resource[]];
  await Promise.all(others.map(destroy));
  // A web process is deleted with its application.
  expect(await call("DELETE", `/${web.state.id}`)).toMatchObject({ status: 400 });
  // However fast it is: a client that must wait may give up after 30 seconds.
  expect(calls.writes).toBeLessThanOrEqual(WRITE_LIMIT.requests);
  expect(calls.reads).toBeLessThanOrEqual(KEY_LIMIT.requests);
});
