// What the official Terraform provider does, step by step, with its requests: no step may end in drift, which Terraform
// would report as an error or plan to undo.
import { expect, test } from "vitest";
import { KEY_LIMIT, WRITE_LIMIT } from "../../src/worker/shared/limits.ts";
import { useApi } from "../support/api.ts";
import { useRecords } from "../support/records.ts";

type Attributes = Record<string, unknown>;

const api = useApi();
const records = useRecords();

const WEB = { display_name: "web", type: "web", entrypoint: "npm start", port: 3000 };
const WORKER = { display_name: "worker", type: "worker", entrypoint: " npm run worker " };
const CRON = { display_name: "cleanup", type: "cron", schedule: "0 */6 * * *" };
const JOB = { display_name: "migrate", type: "job", job_start_policy: "beforeDeployment" };
const CONFIGS: Attributes[] = [WEB, WORKER, WORKER, WORKER, WORKER, CRON, CRON, CRON, JOB, JOB];
const scaling = (instanceCount: number) => ({ type: "manual", config: { instanceCount } });
/** Computed attributes without a value are unknown in the plan of an update, and are sent as Go's zero values. */
const ZEROS = { entrypoint: "", port: 0, time_zone: "", is_ingress_enabled: false, ingress_protocol: "" };

test("ten are created at once, planned, changed and destroyed, without drift and within the limits", async () => {
  const companyId = await records.company();
  const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  const base = `/v3/applications/${(await records.application(companyId)).id}/processes`;
  const { id: resource_type_id } = await records.resourceType();
  const calls = { reads: 0, writes: 0 };

  async function call(method: string, path: string, body?: Attributes): Promise<{ status: number; body: Attributes }> {
    calls[method === "GET" ? "reads" : "writes"]++;
    const headers = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) };
    const response = await api.fetch(base + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    return { status: response.status, body: (await response.json()) as Attributes };
  }
  /** What is configured must be in the response as it is configured; what is not configured may be anything. */
  async function apply(method: string, path: string, config: Attributes, sent = config) {
    const { status, body: state } = await call(method, path, sent);
    expect({ status, state }).toMatchObject({ status: 200, state: config });
    return { config, state };
  }

  const common = { resource_type_id, scaling_strategy: scaling(1) };
  const resources = await Promise.all(CONFIGS.map((config) => apply("POST", "", { ...config, ...common })));
  /** After the apply, and again for the next plan, which is answered from the cache. */
  async function refresh(): Promise<void> {
    for (const { state } of [...resources, ...resources]) {
      expect(await call("GET", `/${state.id}`)).toStrictEqual({ status: 200, body: state });
    }
  }
  await refresh();

  const change = { display_name: "Renamed", scaling_strategy: scaling(2) };
  const update = async ({ config, state: { id, key } }: (typeof resources)[number], n: number) => {
    const changed = { ...config, ...change };
    const zeros = Object.entries(ZEROS).filter(([name]) => !(name in changed));
    const sent = { ...change, ...Object.fromEntries(zeros) };
    resources[n] = await apply("PATCH", `/${id}`, { ...changed, id, key }, sent);
  };
  // One of each type.
  await Promise.all(resources.map((one, n) => [0, 1, 5, 8].includes(n) && update(one, n)));
  await refresh();

  const [web, ...others] = resources;
  await Promise.all(others.map(({ state }) => apply("DELETE", `/${state.id}`, {})));
  for (const { state } of others) expect(await call("GET", `/${state.id}`)).toMatchObject({ status: 404 });
  // A web process is deleted with its application.
  expect(await call("DELETE", `/${web?.state.id}`)).toMatchObject({ status: 400 });
  // However fast it is: a client that must wait may give up after 30 seconds.
  expect(calls.writes).toBeLessThanOrEqual(WRITE_LIMIT.requests);
  expect(calls.reads).toBeLessThanOrEqual(KEY_LIMIT.requests);
});
