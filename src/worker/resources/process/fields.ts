import type { CreateProcess } from "./body.ts";

export const TYPES = ["web", "worker", "cron", "job"] as const satisfies readonly CreateProcess["type"][];

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

/** What a process of a type must have, beside what all must. */
export const REQUIRED_FOR = { cron: "schedule", job: "job_start_policy" } as const;

/** Null for a member of a new process, or of a probe, means that it is left out. */
export const isSent = (body: object, name: string): boolean =>
  ((body as Record<string, unknown>)[name] ?? null) !== null;

/** An id in any case is the same, and so is a request with it: as Postgres writes it, in lower case. */
export const inLowerCase = <T extends { resource_type_id?: string | undefined }>(body: T): T =>
  body.resource_type_id === undefined ? body : { ...body, resource_type_id: body.resource_type_id.toLowerCase() };

/** As a mistake, in the words of a sentence about the field. */
export const isForOthers = (field: string): string =>
  `is for ${ONLY_FOR[field as keyof typeof ONLY_FOR].join(" and ")} processes only`;
export const MUST_BE_MANUAL = {
  field: "scaling_strategy.type",
  what: `must be "manual": ${HORIZONTAL_TYPES.join(" and ")} processes alone scale by themselves`,
};
