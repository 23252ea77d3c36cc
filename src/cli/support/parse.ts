// Arguments of command lines. Each parser throws what commander turns into "… is invalid." and the rule.
import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { isUuid } from "../../worker/shared/uuid.ts";

const DURATION = /^(?:0|\d{1,6}[mhdw])$/;
const MS_OF: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const MOMENT = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/** A UUID in any case. @returns it in lower case */
export function parseId(text: string): string {
  if (isUuid(text)) return text.toLowerCase();
  throw new InvalidArgumentError("Expected an id, a UUID.");
}

/** For an option that may be given more than once. */
export const parseIds = (text: string, previous: string[] = []): string[] => [...previous, parseId(text)];

/** `90m`, `24h`, `7d`, `2w`, or `0`. @returns milliseconds */
export function parseDuration(text: string): number {
  if (DURATION.test(text)) return Number.parseInt(text, 10) * (MS_OF[text.slice(-1)] ?? 0);
  throw new InvalidArgumentError("Expected 0 or a duration such as 90m, 24h, 7d or 2w.");
}

/** A duration, in milliseconds, or a moment: a day begins in UTC, a time has its zone. */
export function parseEnding(text: string): Date | number {
  if (DURATION.test(text)) return parseDuration(text);
  if (MOMENT.safeParse(text).success) return new Date(text);
  throw new InvalidArgumentError("Expected 90d, 2027-01-31 or 2027-01-31T12:00:00Z.");
}

export function parseWholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number.");
}

export function parseCount(text: string): number {
  const count = parseWholeNumber(text);
  if (count > 0) return count;
  throw new InvalidArgumentError("Expected at least 1.");
}
