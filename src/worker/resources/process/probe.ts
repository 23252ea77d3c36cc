// What Kubernetes asks of a probe and the document's schemas cannot say: it would refuse the process at its deployment.
import type { Mistake } from "../../shared/errors.ts";
import { isSent } from "./fields.ts";

const HANDLERS = ["exec", "httpGet", "tcpSocket"] as const;

/**
 * @returns every mistake in a probe; what is none at all is for the schemas to find
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go validateHandler,
 *   validateLivenessProbe; a probe without `successThreshold` has 1 (pkg/apis/core/v1/defaults.go)
 */
export function checkProbe(field: "liveness_probe" | "readiness_probe", probe: unknown): Mistake[] {
  if (typeof probe !== "object" || probe === null) return [];
  const { successThreshold }: Record<string, unknown> = { ...probe };
  const mistakes: Mistake[] = [];
  if (HANDLERS.filter((name) => isSent(probe, name)).length !== 1) {
    mistakes.push({ field, what: "must have exactly one of exec, httpGet and tcpSocket" });
  }
  if (field === "liveness_probe" && typeof successThreshold === "number" && successThreshold !== 1) {
    mistakes.push({ field: `${field}.successThreshold`, what: "must be 1" });
  }
  return mistakes;
}
