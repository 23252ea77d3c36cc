import type { ProcessRow } from "./query.ts";
import type { Process } from "./schema.ts";

/** The contract's payload of a row, to be validated before it is sent. */
export function toPayload({ process, application, resourceType }: ProcessRow): Record<keyof Process, unknown> {
  return {
    id: process.id,
    app_id: process.applicationId,
    key: process.key,
    type: process.type,
    display_name: process.displayName,
    entrypoint: process.entrypoint,
    port: process.port,
    is_ingress_enabled: process.isIngressEnabled,
    ingress_protocol: process.ingressProtocol,
    scaling_strategy: process.scalingStrategy,
    resource_type_id: resourceType?.id ?? null,
    resource_type_name: resourceType?.name ?? null,
    cpu_limit: resourceType?.cpuMillicores ?? null,
    memory_limit: resourceType?.memoryMegabytes ?? null,
    schedule: process.schedule,
    time_zone: process.timeZone,
    job_start_policy: process.jobStartPolicy,
    liveness_probe: process.livenessProbe,
    readiness_probe: process.readinessProbe,
    internal_hostname: internalHostname(application, process.key),
    created_at: process.createdAt,
    updated_at: process.updatedAt,
  };
}

/** @see https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/ */
function internalHostname({ name, namespace }: ProcessRow["application"], processKey: string): string | null {
  return namespace === null ? null : `${name}-${processKey}.${namespace}.svc.cluster.local`;
}
