// The contract's payload (src/contract/process.schema.json). Tests hold the two against each other.
import { z } from "@hono/zod-openapi";
import { EXAMPLE_IDS } from "../document/examples.ts";
import { integer, orNull, text, timestamp, uuid } from "../schemas.ts";

const instanceCount = (description: string, example: number) => integer(0, 50).openapi({ description, example });
const optional = <T extends z.ZodType>(schema: T, description: string) =>
  schema.nullable().optional().openapi({ description });

const manualScaling = z
  .strictObject({
    type: z.literal("manual"),
    config: z.strictObject({ instanceCount: instanceCount("How many instances run", 1) }),
  })
  .openapi("ManualScaling", {
    description: "A fixed number of instances",
    example: { type: "manual", config: { instanceCount: 1 } },
  });

const horizontalScaling = z
  .strictObject({
    type: z.literal("horizontal"),
    config: z.strictObject({
      minInstanceCount: instanceCount("The fewest instances that run; at most `maxInstanceCount`", 2),
      maxInstanceCount: instanceCount("The most instances that run", 10),
      targetCpuPercent: optional(integer(1, 100), "CPU utilisation to hold, in percent of the limit"),
      targetMemoryPercent: optional(integer(1, 100), "Memory utilisation to hold, in percent of the limit"),
      scaleUpIntervalSeconds: optional(integer(1, 60_000), "Seconds between two steps up"),
      scaleUpIncrement: optional(integer(1, 5), "Instances added by one step up"),
      scaleDownIntervalSeconds: optional(integer(1, 60_000), "Seconds between two steps down"),
      scaleDownIncrement: optional(integer(1, 5), "Instances removed by one step down"),
    }),
  })
  .openapi("HorizontalScaling", {
    description: "As many instances as the load asks for, within bounds",
    example: {
      type: "horizontal",
      config: { minInstanceCount: 2, maxInstanceCount: 10, targetCpuPercent: 70, scaleUpIncrement: 2 },
    },
  });

const scalingStrategy = z.discriminatedUnion("type", [manualScaling, horizontalScaling]).openapi("ScalingStrategy", {
  description: "How the number of instances is decided; `type` says which shape `config` has",
});

const port = () => integer(1, 65_535);

const probe = z
  .strictObject({
    exec: z
      .strictObject({
        command: z.array(z.string()).openapi({ description: "The command and its arguments; no shell reads them" }),
      })
      .nullable()
      .optional()
      .openapi({ description: "Healthy if this command exits with 0" }),
    httpGet: z
      .strictObject({
        path: optional(z.string(), "Path of the request"),
        port: optional(port(), "Port to send it to"),
        host: optional(z.string(), "Host to send it to; without one, the instance itself"),
        scheme: optional(z.enum(["HTTP", "HTTPS"]), "How to connect"),
        httpHeaders: optional(
          z.array(z.strictObject({ name: z.string(), value: z.string() })),
          "Headers to send besides",
        ),
      })
      .nullable()
      .optional()
      .openapi({ description: "Healthy if this request is answered with a status from 200 to 399" }),
    tcpSocket: z
      .strictObject({
        host: optional(z.string(), "Host to connect to; without one, the instance itself"),
        port: port().openapi({ description: "Port to connect to" }),
      })
      .nullable()
      .optional()
      .openapi({ description: "Healthy if a connection to this port opens" }),
    initialDelaySeconds: optional(integer(0), "Seconds from the container's start to the first probe"),
    periodSeconds: optional(integer(1), "Seconds between two probes"),
    timeoutSeconds: optional(integer(1), "Seconds after which a probe has failed"),
    successThreshold: optional(integer(1), "Successes in a row that make it healthy"),
    failureThreshold: optional(integer(1), "Failures in a row that make it unhealthy"),
  })
  .openapi("Probe", {
    description:
      "A Kubernetes probe: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Probe",
    example: { httpGet: { path: "/health", port: 8080, scheme: "HTTP" } },
  });

export const processSchema = z
  .strictObject({
    id: uuid(EXAMPLE_IDS.web).openapi({ description: "Identifier of the process" }),
    app_id: uuid(EXAMPLE_IDS.application)
      .nullable()
      .openapi({ description: "Identifier of the application that the process belongs to" }),
    key: text(1, 64).openapi({
      description: "Name of the process within its application, from the entry of the Procfile",
      example: "web",
    }),
    type: z.enum(["web", "worker", "cron", "job"]).nullable().openapi({
      description:
        "`web` answers HTTP requests, `worker` runs all the time, `cron` runs on a schedule, `job` runs once, to its end",
      example: "web",
    }),
    display_name: text(1, 255).nullable().openapi({ description: "Name for people", example: "Web Process" }),
    entrypoint: text(0, 1024).openapi({ description: "Command that starts the process", example: "npm start" }),
    port: port().nullable().openapi({ description: "Port that the process listens on", example: 8080 }),
    is_ingress_enabled: z.boolean().openapi({
      description: "Whether traffic from outside is routed to it; true for web processes only",
      example: true,
    }),
    ingress_protocol: z
      .enum(["http", "grpc"])
      .nullable()
      .openapi({ description: "Protocol of the traffic from outside; web processes only", example: "http" }),
    scaling_strategy: orNull(scalingStrategy).openapi({ description: "How the number of instances is decided" }),
    resource_type_id: uuid(EXAMPLE_IDS.small)
      .nullable()
      .openapi({ description: "Identifier of the machine size; see the list of process resource types" }),
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
    job_start_policy: z
      .enum(["beforeDeployment", "afterSuccessDeployment", "afterFailedDeployment"])
      .nullable()
      .openapi({
        description: "When the job runs, relative to a deployment; job processes only",
        example: "afterSuccessDeployment",
      }),
    liveness_probe: orNull(probe).openapi({ description: "When to restart it; web processes only" }),
    readiness_probe: orNull(probe).openapi({ description: "When to send it traffic; web processes only" }),
    internal_hostname: z.string().nullable().openapi({
      description: "DNS name inside the cluster; null while the application has no namespace",
      example: "my-app-web.my-app-abc123.svc.cluster.local",
    }),
    created_at: timestamp().openapi({ description: "When the process was created" }),
    updated_at: timestamp().openapi({ description: "When the process was last changed" }),
  })
  .openapi("Process", {
    description:
      "A process. Every field is always there; one that does not apply to its `type`, or is not set, is null.",
  });

export type Process = z.infer<typeof processSchema>;
