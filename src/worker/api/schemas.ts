// Building blocks of the schemas: each validates and documents the same rule.
import { z } from "@hono/zod-openapi";
import { EXAMPLE_TIMESTAMP } from "./document/examples.ts";

/** RFC 9562 versions 1 to 8, nil and max, as the contract writes it. */
const UUID_PATTERN =
  "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$";

export const uuid = (example: string) =>
  z.string().regex(new RegExp(UUID_PATTERN)).openapi({ format: "uuid", example });

/** RFC 3339 in UTC, as the contract writes it; what is sent has milliseconds. */
const TIMESTAMP_PATTERN =
  "^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))T(?:(?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d+)?)?(?:Z))$";

export const timestamp = () =>
  z.string().regex(new RegExp(TIMESTAMP_PATTERN)).openapi({ format: "date-time", example: EXAMPLE_TIMESTAMP });

/** A length in Unicode code points, as JSON Schema and Postgres count; `z.string().max()` counts UTF-16 units. */
export const text = (minLength: number, maxLength: number) =>
  z
    .string()
    .refine(
      (value) => isLengthBetween(value, minLength, maxLength),
      `a text of ${minLength} to ${maxLength} characters`,
    )
    .openapi({ ...(minLength > 0 && { minLength }), maxLength });

export const integer = (minimum: number, maximum: number = Number.MAX_SAFE_INTEGER) =>
  z.int().min(minimum).max(maximum);

/** `T` or null, without a null in the named schema of `T`. */
export const orNull = <T extends z.ZodType>(schema: T) => z.union([z.lazy(() => schema), z.null()]);

function isLengthBetween(value: string, low: number, high: number): boolean {
  // A code point is one or two UTF-16 units: count only where that can matter.
  const units = value.length;
  if (units <= high && (units >= 2 * low || low <= 1)) return units >= low;
  let points = 0;
  for (const _ of value) points++;
  return points >= low && points <= high;
}
