// What the document's schemas cannot say of a process that is sent.
import type { Loose } from "../../api/operation.ts";
import type { Mistake } from "../../shared/errors.ts";
import type { CreateProcess, UpdateProcess } from "./body.ts";
import { HORIZONTAL_TYPES, isForOthers, isSent, MUST_BE_MANUAL, ONLY_FOR, REQUIRED_FOR, TYPES } from "./fields.ts";
import { checkProbe } from "./probe.ts";
import { mistakeIn } from "./schedule.ts";

/** @returns every mistake in a change; what is not of its JSON type at all is for the schemas to find */
export function checkChange(
  { schedule, time_zone, scaling_strategy, ...body }: Loose<Body>,
  isTimeZone: (name: string) => boolean,
): Mistake[] {
  const mistakes = [
    ...checkProbe("liveness_probe", body.liveness_probe),
    ...checkProbe("readiness_probe", body.readiness_probe),
  ];
  if (typeof schedule === "string" && schedule !== "") {
    const what = mistakeIn(schedule);
    if (what !== undefined) mistakes.push({ field: "schedule", what });
  }
  if (typeof time_zone === "string" && time_zone !== "" && !isTimeZone(time_zone)) {
    mistakes.push({
      field: "time_zone",
      what: "must be the name of an IANA time zone, in its spelling, as in Europe/Berlin",
    });
  }
  const { minInstanceCount, maxInstanceCount } = strategyOf(scaling_strategy).config ?? {};
  const areNumbers = typeof minInstanceCount === "number" && typeof maxInstanceCount === "number";
  if (areNumbers && minInstanceCount > maxInstanceCount) {
    mistakes.push({ field: "scaling_strategy.config.minInstanceCount", what: "must be at most maxInstanceCount" });
  }
  return mistakes;
}

/** @returns every mistake in a new process, whose type is known, too */
export function checkProcess(body: Loose<Body>, isTimeZone: (name: string) => boolean): Mistake[] {
  const mistakes = checkChange(body, isTimeZone);
  const type = TYPES.find((one) => one === body.type);
  if (type === undefined) return mistakes;
  for (const [field, types] of Object.entries<readonly string[]>(ONLY_FOR)) {
    if (isSent(body, field) && !types.includes(type)) mistakes.push({ field, what: isForOthers(field) });
  }
  const required = REQUIRED_FOR[type as keyof typeof REQUIRED_FOR];
  if (required !== undefined && !isSent(body, required)) mistakes.push({ field: required, what: "is missing" });
  const isHorizontal = strategyOf(body.scaling_strategy).type === "horizontal";
  if (isHorizontal && !HORIZONTAL_TYPES.some((one) => one === type)) mistakes.push(MUST_BE_MANUAL);
  return mistakes;
}

type Body = CreateProcess & UpdateProcess;

/** Whatever it is, its members can be asked for. */
const strategyOf = (
  value: unknown,
): { type?: unknown; config?: { minInstanceCount?: unknown; maxInstanceCount?: unknown } } => Object(value);
