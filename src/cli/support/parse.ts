// Arguments of command lines. Each parser throws what commander turns into "… is invalid." and the rule.
import { InvalidArgumentError } from "commander";
import { isUuid } from "../../worker/shared/uuid.ts";

const DURATION_PATTERN = /^(\d{1,6})([mhdw])$/;
const MS_OF: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const ISO_PATTERN = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** When something ends: at a moment, or so long from now. */
export type Ending = { at: Date } | { inMs: number };

/** A UUID in any case. @returns it in lower case */
export function parseId(text: string): string {
  if (isUuid(text)) return text.toLowerCase();
  throw new InvalidArgumentError("Expected an id, a UUID.");
}

/** For an option that may be given more than once. */
export const parseIds = (text: string, previous: string[] = []): string[] => [...previous, parseId(text)];

/** `90m`, `24h`, `7d`, `2w`, or `0`. @returns milliseconds */
export function parseDuration(text: string): number {
  const ms = readDuration(text);
  if (ms === undefined) throw new InvalidArgumentError("Expected 0 or a duration such as 90m, 24h, 7d or 2w.");
  return ms;
}

/** A duration, a day (its beginning in UTC), or a moment with its time zone. */
export function parseEnding(text: string): Ending {
  const inMs = readDuration(text);
  if (inMs !== undefined) return { inMs };
  const day = ISO_PATTERN.exec(text)?.[1];
  const at = new Date(text);
  if (day === undefined || !isDay(day) || Number.isNaN(at.getTime())) {
    throw new InvalidArgumentError("Expected 90d, 2027-01-31 or 2027-01-31T12:00:00Z.");
  }
  return { at };
}

export function parseWholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}

export function parseCount(text: string): number {
  const count = parseWholeNumber(text);
  if (count === 0) throw new InvalidArgumentError("Expected at least 1.");
  return count;
}

function readDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const [, count, unit = ""] = DURATION_PATTERN.exec(text) ?? [];
  const unitMs = MS_OF[unit];
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

/** `new Date` takes 30 February for 2 March. */
function isDay(day: string): boolean {
  const date = new Date(day);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}
