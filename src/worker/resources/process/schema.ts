// The contract's payload (src/contract/process.schema.json). Tests hold the two against each other.
import { z } from "@hono/zod-openapi";
import { EXAMPLE_IDS } from "../../../openapi/components/examples.ts";
import { integer, listOf, message, orNull, text, timestamp, uuid } from "../../../openapi/components/schemas.ts";
import { ingressProtocol, jobStartPolicy, processType } from "./table.ts";

const instanceCount = (description: string, example: number) => integer(0, 50).openapi({ description, example });
const optional = <T extends z.ZodType>(schema: T, description: string) =>
  schema.nullable().optional().openapi({ description });

const manualScaling = z
  .strictObject({
    type: z.literal("manual"),
    config: z.strictObject({ instanceCount: instanceCount("Number of instances", 1) }),
  })
  .openapi("ManualScaling", {
    description: "A fixed number of instances",
    example: { type: "manual", config: { instanceCount: 1 } },
  });

const horizontalScaling = z
  .strictObject({
    type: z.literal("horizontal"),
    config: z.strictObject({
      minInstanceCount: instanceCount("Minimum number of instances; at most `maxInstanceCount`", 2),
      maxInstanceCount: instanceCount("Maximum number of instances", 10),
      targetCpuPercent: optional(integer(1, 100), "Target CPU utilisation, in percent of the limit"),
      targetMemoryPercent: optional(integer(1, 100), "Target memory utilisation, in percent of the limit"),
      scaleUpIntervalSeconds: optional(integer(1, 60_000), "Seconds between two scale-ups"),
      scaleUpIncrement: optional(integer(1, 5), "Instances added by one scale-up"),
      scaleDownIntervalSeconds: optional(integer(1, 60_000), "Seconds between two scale-downs"),
      scaleDownIncrement: optional(integer(1, 5), "Instances removed by one scale-down"),
    }),
  })
  .openapi("HorizontalScaling", {
    description: "Number of instances that follows the load, within bounds",
    example: {
      type: "horizontal",
      config: { minInstanceCount: 2, maxInstanceCount: 10, targetCpuPercent: 70, scaleUpIncrement: 2 },
    },
  });

export const scalingStrategy = z
  .discriminatedUnion("type", [manualScaling, horizontalScaling])
  .openapi("ScalingStrategy", {
    description: "How the number of instances is decided; `type` decides the shape of `config`",
  });

export const port = () => integer(1, 65_535);

/** @param rules for the parts of a probe that Kubernetes asks more of than the contract does */
const probeOf = <Port extends z.ZodType>(rules: {
  command: z.ZodArray<z.ZodString>;
  headerName: z.ZodString;
  httpPort: Port;
  maximum: number;
}) =>
  z.strictObject({
    exec: z
      .strictObject({
        command: rules.command.openapi({ description: "Command and arguments; no shell runs them" }),
      })
      .nullable()
      .optional()
      .openapi({ description: "Healthy if this command exits with 0" }),
    httpGet: z
      .strictObject({
        path: optional(z.string(), "Path of the request"),
        port: rules.httpPort.openapi({ description: "Port to send the request to" }),
        host: optional(z.string(), "Host to send the request to; the instance itself if absent"),
        scheme: optional(z.enum(["HTTP", "HTTPS"]), "Scheme of the request"),
        httpHeaders: optional(
          z.array(z.strictObject({ name: rules.headerName, value: z.string() })),
          "Headers to send with the request",
        ),
      })
      .nullable()
      .optional()
      .openapi({ description: "Healthy if this request is answered with a status from 200 to 399" }),
    tcpSocket: z
      .strictObject({
        host: optional(z.string(), "Host to connect to; the instance itself if absent"),
        port: port().openapi({ description: "Port to connect to" }),
      })
      .nullable()
      .optional()
      .openapi({ description: "Healthy if a connection to this port opens" }),
    initialDelaySeconds: optional(
      integer(0, rules.maximum),
      "Seconds between the start of the container and the first probe",
    ),
    periodSeconds: optional(integer(1, rules.maximum), "Seconds between two probes"),
    timeoutSeconds: optional(integer(1, rules.maximum), "Seconds after which a probe times out"),
    successThreshold: optional(integer(1, rules.maximum), "Consecutive successes after which the instance is healthy"),
    failureThreshold: optional(integer(1, rules.maximum), "Consecutive failures after which the instance is unhealthy"),
  });

const PROBE = "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Probe";
const PROBE_EXAMPLE = { httpGet: { path: "/health", port: 8080, scheme: "HTTP" as const } };

/** A probe that there is: the contract's. */
export const probe = probeOf({
  command: z.array(z.string()),
  headerName: z.string(),
  httpPort: port().nullable().optional(),
  maximum: Number.MAX_SAFE_INTEGER,
}).openapi("Probe", { description: `A Kubernetes probe: ${PROBE}`, example: PROBE_EXAMPLE });

/**
 * A probe that is sent: one that Kubernetes takes when it is deployed. What a schema cannot say of it is in
 * probe.ts. Kubernetes counts in int32 (staging/src/k8s.io/api/core/v1/types.go) and puts in a path and a
 * scheme where there are none (pkg/apis/core/v1/defaults.go).
 *
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go validateExecAction,
 *   validateHTTPGetAction
 */
export const probeInput = probeOf({
  command: z.array(z.string()).min(1),
  // IsHTTPHeaderName in staging/src/k8s.io/apimachinery/pkg/util/validation/validation.go
  headerName: z.string().regex(/^[-A-Za-z0-9]+$/),
  httpPort: port(),
  maximum: 2_147_483_647,
}).openapi("ProbeInput", {
  description: `A Kubernetes probe with exactly one of \`exec\`, \`httpGet\` and \`tcpSocket\`: ${PROBE}`,
  example: PROBE_EXAMPLE,
});

export const processSchema = z
  .strictObject({
    id: uuid(EXAMPLE_IDS.web).openapi({ description: "Identifier of the process" }),
    app_id: uuid(EXAMPLE_IDS.application)
      .nullable()
      .openapi({ description: "Identifier of the application that the process belongs to" }),
    key: text(1, 64).openapi({
      description:
        "Unique key of the process within its application: the name of its entry in the Procfile, or, if it was created through this API, `web` or what is made of its `display_name`",
      example: "web",
    }),
    type: z.enum(processType.enumValues).nullable().openapi({
      description:
        "`web`: HTTP server that handles incoming traffic. `worker`: runs continuously in the background. `cron`: runs on a schedule. `job`: runs once, to completion.",
      example: "web",
    }),
    display_name: text(1, 255).nullable().openapi({ description: "Human-readable name", example: "Web Process" }),
    entrypoint: text(0, 1024).openapi({ description: "Command that starts the process", example: "npm start" }),
    port: port().nullable().openapi({ description: "Port that the process listens on", example: 8080 }),
    is_ingress_enabled: z.boolean().openapi({
      description: "Whether external traffic is routed to the process; true for web processes only",
      example: true,
    }),
    ingress_protocol: z
      .enum(ingressProtocol.enumValues)
      .nullable()
      .openapi({ description: "Protocol of the external traffic; web processes only", example: "http" }),
    scaling_strategy: orNull(scalingStrategy).openapi({ description: "How the number of instances is decided" }),
    resource_type_id: uuid(EXAMPLE_IDS.small)
      .nullable()
      .openapi({ description: "Identifier of the machine size (process resource type)" }),
    resource_type_name: z.string().nullable().openapi({ description: "Name of the machine size", example: "s1" }),
    cpu_limit: integer(1).nullable().openapi({ description: "CPU limit in millicores", example: 500 }),
    memory_limit: integer(1).nullable().openapi({ description: "Memory limit in megabytes", example: 512 }),
    schedule: text(0, 100).nullable().openapi({
      description: "Cron expression of the schedule; cron processes only",
      example: "0 * * * *",
    }),
    time_zone: text(0, 100).nullable().openapi({
      description: "IANA time zone of the schedule; cron processes only",
      example: "America/New_York",
    }),
    job_start_policy: z.enum(jobStartPolicy.enumValues).nullable().openapi({
      description: "When the job runs relative to a deployment; job processes only",
      example: "afterSuccessDeployment",
    }),
    liveness_probe: orNull(probe).openapi({
      description: "Probe that decides when to restart an instance; web processes only",
    }),
    readiness_probe: orNull(probe).openapi({
      description: "Probe that decides when an instance receives traffic; web processes only",
    }),
    internal_hostname: z.string().nullable().openapi({
      description: "DNS name inside the cluster; null if the application has no namespace",
      example: "my-app-web.my-app-abc123.svc.cluster.local",
    }),
    created_at: timestamp().openapi({ description: "When the process was created" }),
    updated_at: timestamp().openapi({ description: "When the process was last changed" }),
  })
  .openapi("Process", {
    description:
      "A process. Every field is always present; a field that does not apply to the `type`, or is not set, is null.",
  });

export type Process = z.infer<typeof processSchema>;

export const processListSchema = listOf(processSchema, "processes", {
  data: "The processes, by display order and then the oldest first",
  total: "Number of processes in the application",
  example: { total: 4, limit: 2 },
}).openapi("ProcessList", { description: "A page of an application's processes" });

export const deletedSchema = message("Process deleted").openapi("ProcessDeleted", { description: "A process is gone" });
