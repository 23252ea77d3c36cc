import { randomUUID } from "node:crypto";
import { processes } from "../../../../src/worker/resources/process/table.ts";
import type { Fixture } from "../../../support/fixtures.ts";
import { between, iso, length, manual, onlyFor, probes, rule, uuids } from "../../../support/rules.ts";

export const fixtures: Fixture[] = [
  {
    table: processes,
    row: ({ applicationId }) => ({ applicationId, key: randomUUID(), entrypoint: "" }),
    rules: {
      ...uuids("id"),
      ...length("key", 1, 64),
      ...length("display_name", 1, 255),
      ...length("entrypoint", 0, 1024),
      port_range: rule("port", [1, 65_535], [0, 65_536, -1]),
      ...length("schedule time_zone", 0, 100, { type: "cron" }),
      scaling_strategy_shape: rule("scaling_strategy", [manual(50), between(7, 7)], [manual(51), between(8, 7)]),
      ...probes("liveness_probe readiness_probe"),
      ...iso("created_at updated_at"),
      ingress_only_for_web: onlyFor("web", { isIngressEnabled: true }, { ingressProtocol: "grpc" }),
      probes_only_for_web: onlyFor("web", { livenessProbe: {} }, { readinessProbe: {} }),
      schedule_only_for_cron: onlyFor("cron", { schedule: "" }, { timeZone: "" }),
      job_start_policy_only_for_job: onlyFor("job", { jobStartPolicy: "beforeDeployment" }),
    },
    change: "entrypoint = 'npm run other'",
  },
];
