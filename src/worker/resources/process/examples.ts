import { EXAMPLE_IDS, EXAMPLE_TIMESTAMP, type Examples } from "../../../openapi/components/examples.ts";
import type { CreateProcess, UpdateProcess } from "./body.ts";
import type { Process } from "./schema.ts";

/** One that says no more than it must: everything that may be null is. */
const sparse: Process = {
  id: EXAMPLE_IDS.sparse,
  app_id: EXAMPLE_IDS.bareApplication,
  key: "x",
  type: null,
  display_name: null,
  entrypoint: "",
  port: null,
  is_ingress_enabled: false,
  ingress_protocol: null,
  scaling_strategy: null,
  resource_type_id: null,
  resource_type_name: null,
  cpu_limit: null,
  memory_limit: null,
  schedule: null,
  time_zone: null,
  job_start_policy: null,
  liveness_probe: null,
  readiness_probe: null,
  internal_hostname: null,
  created_at: EXAMPLE_TIMESTAMP,
  updated_at: EXAMPLE_TIMESTAMP,
};

const small = { resource_type_id: EXAMPLE_IDS.small, resource_type_name: "s1", cpu_limit: 500, memory_limit: 512 };
const large = { resource_type_id: EXAMPLE_IDS.large, resource_type_name: "l2", cpu_limit: 4_000, memory_limit: 16_384 };

const of = (key: string) => ({
  app_id: EXAMPLE_IDS.application,
  key,
  internal_hostname: `my-app-${key}.my-app-abc123.svc.cluster.local`,
});

const PROBES = {
  liveness_probe: { httpGet: { path: "/health", port: 8080, scheme: "HTTP" }, periodSeconds: 10 },
  readiness_probe: { exec: { command: ["cat", "/tmp/ready"] }, initialDelaySeconds: 5 },
} satisfies Partial<CreateProcess>;

const web: Process = {
  ...sparse,
  ...of("web"),
  ...small,
  id: EXAMPLE_IDS.web,
  type: "web",
  display_name: "Web Process",
  entrypoint: "npm start",
  port: 8080,
  is_ingress_enabled: true,
  ingress_protocol: "http",
  scaling_strategy: { type: "manual", config: { instanceCount: 1 } },
  ...PROBES,
};

const worker: Process = {
  ...sparse,
  ...of("worker"),
  ...large,
  id: EXAMPLE_IDS.worker,
  type: "worker",
  display_name: "Queue Worker",
  entrypoint: "npm run worker",
  scaling_strategy: {
    type: "horizontal",
    config: {
      minInstanceCount: 2,
      maxInstanceCount: 10,
      targetCpuPercent: 70,
      targetMemoryPercent: null,
      scaleUpIntervalSeconds: 60,
      scaleUpIncrement: 2,
      scaleDownIntervalSeconds: 300,
      scaleDownIncrement: 1,
    },
  },
};

const cron: Process = {
  ...sparse,
  ...of("cleanup"),
  ...small,
  id: EXAMPLE_IDS.cron,
  type: "cron",
  display_name: "Nightly Cleanup",
  entrypoint: "npm run cleanup",
  scaling_strategy: { type: "manual", config: { instanceCount: 1 } },
  schedule: "0 3 * * *",
  time_zone: "America/New_York",
};

const job: Process = {
  ...sparse,
  ...of("migrate"),
  ...small,
  id: EXAMPLE_IDS.job,
  type: "job",
  display_name: "Migrations",
  entrypoint: "npm run migrate",
  job_start_policy: "beforeDeployment",
};

export const PROCESS_EXAMPLES = {
  web: { summary: "A web process, probed and with one instance", value: web },
  worker: { summary: "A worker that scales with its load", value: worker },
  cron: { summary: "A cron process", value: cron },
  job: { summary: "A job before each deployment", value: job },
  sparse: { summary: "A process that says no more than it must", value: sparse },
} satisfies Examples<Process>;

/** The first page of the application that has most of them. */
export const PROCESS_LIST_EXAMPLES = {
  page: {
    summary: "The first two of four: ?limit=2",
    value: { data: [web, worker], total: 4, offset: 0, limit: 2 },
  },
};

const { sparse: _sparse, ...created } = PROCESS_EXAMPLES;

/** Answers to writes: a created process says something of everything that it must have. */
export const WRITTEN_PROCESS_EXAMPLES = created;

const configured = ({ display_name, resource_type_id, entrypoint }: Process) => ({
  display_name: String(display_name),
  resource_type_id: String(resource_type_id),
  entrypoint,
});
const ONE_INSTANCE = { type: "manual" as const, config: { instanceCount: 1 } };

export const CREATE_PROCESS_EXAMPLES = {
  worker: {
    summary: "A worker that scales with its load",
    value: {
      ...configured(worker),
      type: "worker",
      scaling_strategy: {
        type: "horizontal",
        config: { minInstanceCount: 2, maxInstanceCount: 10, targetCpuPercent: 70 },
      },
    },
  },
  web: {
    summary: "A web process, probed and with one instance",
    value: {
      ...configured(web),
      type: "web",
      port: 8080,
      scaling_strategy: ONE_INSTANCE,
      ...PROBES,
    },
  },
  cron: {
    summary: "A cron process",
    value: {
      ...configured(cron),
      type: "cron",
      scaling_strategy: ONE_INSTANCE,
      schedule: "0 3 * * *",
      time_zone: "America/New_York",
    },
  },
  job: {
    summary: "A job before each deployment",
    value: {
      ...configured(job),
      type: "job",
      scaling_strategy: ONE_INSTANCE,
      job_start_policy: "beforeDeployment",
    },
  },
} satisfies Examples<CreateProcess>;

export const UPDATE_PROCESS_EXAMPLES = {
  scale: { summary: "Two instances", value: { scaling_strategy: { type: "manual", config: { instanceCount: 2 } } } },
  probe: { summary: "No liveness probe any more", value: { liveness_probe: null } },
  nothing: { summary: "Nothing", value: {} },
} satisfies Examples<UpdateProcess>;
