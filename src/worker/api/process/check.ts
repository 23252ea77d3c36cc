// What the document's schemas cannot say of a process that is sent.
import { isValidCron } from "cron-validator";
import type { CreateProcess, UpdateProcess } from "../../../openapi/process/body.ts";
import type { Mistake } from "../../shared/errors.ts";
import type { Loose } from "../body.ts";

/** @returns every mistake; what is not of its type at all is for the schemas to find */
export function checkProcess({
  schedule,
  time_zone,
  scaling_strategy,
}: Loose<CreateProcess & UpdateProcess>): Mistake[] {
  const mistakes: Mistake[] = [];
  if (typeof schedule === "string" && schedule !== "" && !isValidCron(schedule, CRON_OPTIONS)) {
    mistakes.push({ field: "schedule", what: "must be a cron expression of five fields, as in 0 3 * * MON-FRI" });
  }
  if (typeof time_zone === "string" && time_zone !== "" && !isTimeZone(time_zone)) {
    mistakes.push({ field: "time_zone", what: "must be the name of an IANA time zone, as in Europe/Berlin" });
  }
  const { minInstanceCount, maxInstanceCount } = configOf(scaling_strategy);
  if (Number(minInstanceCount) > Number(maxInstanceCount)) {
    mistakes.push({ field: "scaling_strategy.config.minInstanceCount", what: "must be at most maxInstanceCount" });
  }
  return mistakes;
}

/** As crontab(5) has it: names of months and days, and 7 for Sunday. */
const CRON_OPTIONS = { alias: true, allowSevenAsSunday: true };

/** Not the offsets that `Intl` takes, too: `+01:00`. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function configOf(scalingStrategy: unknown): { minInstanceCount?: unknown; maxInstanceCount?: unknown } {
  const { config } = (scalingStrategy ?? {}) as { config?: unknown };
  return config ?? {};
}
