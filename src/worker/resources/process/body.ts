// What a client sends to create or change a process.
import { z } from "@hono/zod-openapi";
import { EXAMPLE_IDS } from "../../../openapi/components/examples.ts";
import { integer, orNull, text, uuid } from "../../../openapi/components/schemas.ts";
import { port, probeInput, scalingStrategy } from "./schema.ts";
import { ingressProtocol, jobStartPolicy, processType } from "./table.ts";

const fields = {
  display_name: text(1, 255).openapi({ description: "Human-readable name", example: "Web Process" }),
  resource_type_id: uuid(EXAMPLE_IDS.small).openapi({
    description: "Identifier of the machine size, in any case: `GET /resources/process-resource-types` lists them",
  }),
  scaling_strategy: scalingStrategy.openapi({
    description: "How the number of instances is decided; `horizontal` for web processes and workers only",
  }),
  entrypoint: text(0, 1024).openapi({
    description: 'Command that starts the process; `""` if it is left out',
    example: "npm start",
  }),
  port: port().openapi({ description: "Port that the process listens on", example: 8080 }),
  schedule: text(1, 100).openapi({
    description:
      "Cron expression of five fields, separated by spaces or tabs: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or JAN-DEC) and day of the week (0-6 or SUN-SAT). A field may have lists (`1,5`), ranges (`1-5`, `MON-FRI`), steps (`*/2`, `1-5/2`; `1/2` goes to the last value), `*`, and `?` for `*`. It may not have `7` for Sunday, ranges that wrap around (`FRI-MON`), `L`, `W`, `#` or `H`; nor is there a field for seconds, or `@daily`. Cron processes only",
    example: "0 * * * *",
  }),
  time_zone: text(1, 100).openapi({
    description:
      "Time zone of the schedule: a name of the IANA database in its spelling, links included, `UTC` if it is left out; cron processes only",
    example: "America/New_York",
  }),
  job_start_policy: z.enum(jobStartPolicy.enumValues).openapi({
    description: "When the job runs relative to a deployment; job processes only",
    example: "afterSuccessDeployment",
  }),
  liveness_probe: orNull(probeInput).openapi({
    description:
      "Probe that decides when to restart an instance, with a `successThreshold` of 1; null: none; web processes only",
  }),
  readiness_probe: orNull(probeInput).openapi({
    description: "Probe that decides when an instance receives traffic; null: none; web processes only",
  }),
};

const { display_name, resource_type_id, scaling_strategy, ...optional } = fields;

export const createProcessBody = z
  .strictObject({
    display_name,
    type: z.enum(processType.enumValues).openapi({
      description:
        "`web`: HTTP server that handles incoming traffic. `worker`: runs continuously in the background. `cron`: runs on a schedule. `job`: runs once, to completion. It cannot be changed later.",
      example: "worker",
    }),
    resource_type_id,
    scaling_strategy,
    entrypoint: optional.entrypoint.nullish(),
    port: optional.port.nullish(),
    schedule: optional.schedule.nullish(),
    time_zone: optional.time_zone.nullish(),
    job_start_policy: optional.job_start_policy.nullish(),
    liveness_probe: optional.liveness_probe.optional(),
    readiness_probe: optional.readiness_probe.optional(),
  })
  .openapi("CreateProcess", {
    description:
      "A process to create. A cron process needs a `schedule`, a job a `job_start_policy`. A field that is for another type is refused. Null for an optional field means that it is left out.",
  });

export type CreateProcess = z.input<typeof createProcessBody>;

export const updateProcessBody = z
  .strictObject({
    display_name,
    resource_type_id,
    scaling_strategy,
    entrypoint: fields.entrypoint.openapi({
      description: 'Command that starts the process. `""` clears it; beside a placeholder it leaves it unchanged.',
    }),
    port: integer(0, 65_535).nullable().openapi({
      description: "Port that the process listens on. Null clears it. 0 is a placeholder: it leaves it unchanged.",
      example: 8080,
    }),
    is_ingress_enabled: z.boolean().openapi({
      description:
        "Whether external traffic is routed to the process; true for web processes only. false switches ingress off; beside a placeholder it leaves it unchanged. On other processes false changes nothing.",
      example: true,
    }),
    ingress_protocol: z.enum([...ingressProtocol.enumValues, ""]).openapi({
      description:
        'Protocol of the external traffic; web processes only. `""` is a placeholder: it leaves it unchanged.',
      example: "http",
    }),
    schedule: fields.schedule,
    time_zone: text(0, 100).openapi({
      description:
        'Time zone of the schedule: a name of the IANA database in its spelling, links included; cron processes only. `""` is a placeholder: it leaves it unchanged.',
      example: "America/New_York",
    }),
    job_start_policy: fields.job_start_policy,
    liveness_probe: fields.liveness_probe,
    readiness_probe: fields.readiness_probe,
  })
  .partial()
  .openapi("UpdateProcess", {
    description:
      'What is to change; everything else stays as it is. `type` and `key` never change. A field that is for another type is refused. Null clears `port`, `liveness_probe` and `readiness_probe`; no other field can be null. `port: 0`, `ingress_protocol: ""` and `time_zone: ""` are placeholders, which some clients (the Terraform provider is one) send for what their user has left out. They leave the field unchanged. In a body that holds one of them, `entrypoint: ""` and `is_ingress_enabled: false` leave their fields unchanged as well: to clear the entrypoint or to switch ingress off, send a body without placeholders, such as `{"is_ingress_enabled": false}`. The Terraform provider cannot do either: each of its bodies has one.',
  });

export type UpdateProcess = z.input<typeof updateProcessBody>;
