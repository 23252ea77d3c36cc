import type { Failure, Mistake } from "../../shared/errors.ts";
import { isForOthers, MUST_BE_MANUAL } from "./fields.ts";

export type Refusal =
  | "unknown_resource_type"
  | "second_web_process"
  | "no_room_for_key"
  | "foreign_fields"
  | "manual_scaling_only"
  | "web_process";

const UNKNOWN_SIZE = "must be the id of a machine size, which GET /resources/process-resource-types lists";

/** What the database alone can know, as a failure. */
export function failureOf(refusal: Refusal, fields: readonly string[]): Failure {
  switch (refusal) {
    case "unknown_resource_type":
      return invalid({ field: "resource_type_id", what: UNKNOWN_SIZE });
    case "foreign_fields":
      return invalid(...fields.map((field) => ({ field, what: isForOthers(field) })));
    case "manual_scaling_only":
      return invalid(MUST_BE_MANUAL);
    case "web_process":
      return { reason: "web_process_kept" };
    case "second_web_process":
    case "no_room_for_key":
      return { reason: refusal };
  }
}

const invalid = (...mistakes: Mistake[]): Failure => ({ reason: "invalid_fields", mistakes });
