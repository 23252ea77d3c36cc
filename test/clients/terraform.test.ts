// Terraform with the official provider, as far as processes go: a second telling of what they send, keep and complain of.
// The provider: internal/services/application/resource_process.go. Terraform: docs/resource-instance-change-lifecycle.md.
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { KEY_LIMIT, WRITE_LIMIT } from "../../src/worker/shared/limits.ts";
import { useApi } from "../support/api.ts";
import { useRecords } from "../support/records.ts";

type Attributes = Record<string, unknown>;
type World = Awaited<ReturnType<typeof newWorld>>;

const api = useApi();
const records = useRecords();

const TYPES = ["web", "worker", "cron", "job"];
const REQUIRED: Record<string, Attributes> = {
  cron: { schedule: "0 */6 * * *" },
  job: { job_start_policy: "beforeDeployment" },
};
const probe = (path: string) => ({ httpGet: { path, port: 3000 }, periodSeconds: 10 });
const FOR_ALL = { entrypoint: " npm start ", port: 3000 };
/** What a user may leave out; the provider then takes what the response says. */
const OPTIONAL: Record<string, Attributes> = {
  web: {
    ...FOR_ALL,
    is_ingress_enabled: true,
    ingress_protocol: "http",
    liveness_probe: probe("/live"),
    readiness_probe: probe("/ready"),
  },
  cron: { ...FOR_ALL, time_zone: "UTC" },
};
/** Other values for the same. */
const OTHERS: Attributes = {
  entrypoint: "npm run other",
  port: 3001,
  time_zone: "Europe/Berlin",
  ingress_protocol: "grpc",
  liveness_probe: probe("/other"),
};
/** These are not sent at the creation of a process. */
const LATER = ["is_ingress_enabled", "ingress_protocol"];
/** Where the user has left one of these out, a plan that changes anything does not know its value: Go's zero value is sent. */
const ZEROS: Attributes = { entrypoint: "", port: 0, time_zone: "", is_ingress_enabled: false, ingress_protocol: "" };

const scaling = (instanceCount: number) => ({ type: "manual", config: { instanceCount } });
const HORIZONTAL = { type: "horizontal", config: { minInstanceCount: 2, maxInstanceCount: 4, targetCpuPercent: 80 } };

const pick = (all: Attributes, isWanted: (name: string) => boolean): Attributes =>
  Object.fromEntries(Object.entries(all).filter(([name]) => isWanted(name)));
const without = (all: Attributes, names: readonly string[]) => pick(all, (name) => !names.includes(name));

/** An application, and the calls that were made to it with a key of its own. */
async function newWorld() {
  const companyId = await records.company();
  const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  const path = `/v3/applications/${(await records.application(companyId)).id}/processes`;
  const { id: resource_type_id } = await records.resourceType();
  const calls = { reads: 0, writes: 0 };
  async function call(method: string, rest: string, body?: Attributes): Promise<{ status: number; body: Attributes }> {
    calls[method === "GET" ? "reads" : "writes"]++;
    const headers = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) };
    const response = await api.fetch(path + rest, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    return { status: response.status, body: (await response.json()) as Attributes };
  }
  return { resource_type_id, calls, call };
}

class Resource {
  config: Attributes;
  #state: Attributes = {};
  readonly #world: World;

  constructor(world: World, type: string, optional: Attributes = {}) {
    this.#world = world;
    const { resource_type_id } = world;
    const required = { display_name: `A ${type}`, type, resource_type_id, scaling_strategy: scaling(1) };
    this.config = { ...required, ...REQUIRED[type], ...optional };
  }

  async #send(method: string, body?: Attributes): Promise<Attributes> {
    const { id } = this.#state;
    const response = await this.#world.call(method, id === undefined ? "" : `/${id}`, body);
    expect(response).toMatchObject({ status: 200 });
    return response.body;
  }

  /** What is configured and not so. */
  #plan(): Attributes {
    return pick(this.config, (name) => !isDeepStrictEqual(this.config[name], this.#state[name]));
  }

  /** Creates the process, or changes it. */
  async apply(): Promise<void> {
    const before = this.#state;
    if (before.id === undefined) {
      this.#state = await this.#send("POST", without(this.config, LATER));
    } else {
      const changes = this.#plan();
      this.#state = await this.#send("PATCH", { ...without(ZEROS, Object.keys(this.config)), ...changes });
      // Neither an outage nor anything else that the user has not asked for.
      expect(this.#state).toStrictEqual({ ...before, ...changes, updated_at: expect.any(String) });
    }
    // Else "Provider produced inconsistent result after apply".
    expect(this.#state).toStrictEqual({ ...this.#state, ...this.config });
    await this.expectNoDrift();
  }

  /** Reads the process again, as each plan does. */
  async expectNoDrift(): Promise<void> {
    expect(await this.#send("GET")).toStrictEqual(this.#state);
    expect(this.#plan()).toStrictEqual({});
  }

  async change(changes: Attributes): Promise<void> {
    this.config = { ...this.config, ...changes };
    await this.apply();
  }

  /** Takes over a process that is there. */
  async import(id: unknown): Promise<void> {
    this.#state = { id };
    this.#state = await this.#send("GET");
    await this.expectNoDrift();
  }

  async destroy(): Promise<void> {
    const path = `/${this.#state.id}`;
    // A web process is deleted with its application.
    const [deleted, read] = this.config.type === "web" ? [400, 200] : [200, 404];
    expect(await this.#world.call("DELETE", path)).toMatchObject({ status: deleted });
    expect(await this.#world.call("GET", path)).toMatchObject({ status: read });
  }
}

interface Scenario {
  type: string;
  /** What the user leaves out, from the beginning and again after having set it. */
  left: string[];
  to: object;
  isImported?: boolean;
}

test.for(
  TYPES.flatMap((type): Scenario[] => {
    const names = Object.keys(OPTIONAL[type] ?? FOR_ALL);
    const scaled = ["web", "worker"].includes(type) ? [HORIZONTAL] : [];
    return [
      ...[[], ...names.map((name) => [name]), names].map((left) => ({ type, left, to: scaling(2) })),
      ...scaled.map((to) => ({ type, left: names, to })),
      { type, left: names, to: scaling(0), isImported: true },
    ];
  }),
)(
  "a $type process without $left, scaled to $to.type, without drift or outage",
  async ({ type, left, to, isImported = false }) => {
    const all = OPTIONAL[type] ?? FOR_ALL;
    const world = await newWorld();
    const resource = new Resource(world, type, without(all, left));
    if (isImported) await resource.import((await world.call("POST", "", resource.config)).body.id);
    else await resource.apply();
    await resource.change({ display_name: "Renamed" });
    await resource.change({ ...all, ...pick(OTHERS, (name) => name in all) });
    resource.config = without(resource.config, left);
    await resource.change({ display_name: "Renamed again", scaling_strategy: to });
    await resource.destroy();
  },
);

test("ten at once are created, planned, changed and destroyed within the limits", async () => {
  const world = await newWorld();
  const types = ["web", "worker", "worker", "worker", "worker", "cron", "cron", "cron", "job", "job"];
  const resources = types.map((type) => new Resource(world, type));
  await Promise.all(resources.map((one) => one.apply()));
  await Promise.all(resources.map((one) => one.expectNoDrift()));
  await Promise.all(resources.slice(0, 4).map((one) => one.change({ display_name: "Renamed" })));
  await Promise.all(resources.map((one) => one.expectNoDrift()));
  await Promise.all(resources.map((one) => one.destroy()));
  // However fast it is: a client that must wait may give up after 30 seconds.
  expect(world.calls.writes).toBeLessThanOrEqual(WRITE_LIMIT.requests);
  expect(world.calls.reads).toBeLessThanOrEqual(KEY_LIMIT.requests);
});
