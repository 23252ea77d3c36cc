/** The types of process that a field is for; the others of its fields are for all. */
export const ONLY_FOR = {
  is_ingress_enabled: ["web"],
  ingress_protocol: ["web"],
  liveness_probe: ["web"],
  readiness_probe: ["web"],
  schedule: ["cron"],
  time_zone: ["cron"],
  job_start_policy: ["job"],
} as const;

/** The types whose number of instances may follow the load. */
export const HORIZONTAL_TYPES = ["web", "worker"] as const;
