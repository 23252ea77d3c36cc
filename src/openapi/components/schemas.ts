// Building blocks of the schemas.
import { z } from "@hono/zod-openapi";
import { PAGE } from "../../worker/shared/limits.ts";
import { UUID_PATTERN } from "../../worker/shared/uuid.ts";
import { EXAMPLE_TIMESTAMP } from "./examples.ts";

export const uuid = (example: string) => z.uuid().openapi({ pattern: UUID_PATTERN, example });

/** RFC 3339 in UTC, as the contract writes it; what is sent has milliseconds. */
const TIMESTAMP_PATTERN =
  /^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z))$/;

export const timestamp = () =>
  z.string().regex(TIMESTAMP_PATTERN).openapi({ format: "date-time", example: EXAMPLE_TIMESTAMP });

/** A length in Unicode code points, as JSON Schema and Postgres count; `z.string().max()` counts UTF-16 units. */
export const text = (minLength: number, maxLength: number) =>
  z
    .string()
    .refine((value) => {
      const length = [...value].length;
      return length >= minLength && length <= maxLength;
    })
    .openapi({ ...(minLength > 0 && { minLength }), maxLength });

export const integer = (minimum: number, maximum: number = Number.MAX_SAFE_INTEGER) =>
  z.int().min(minimum).max(maximum);

/** `T` or null, without a null in the named schema of `T`. */
export const orNull = <T extends z.ZodType>(schema: T) => z.union([z.lazy(() => schema), z.null()]);

/** A page of items. @param noun what they are called, in the plural */
export const listOf = <T extends z.ZodType>(
  item: T,
  noun: string,
  { data, total, example }: { data: string; total: string; example: { total: number; limit: number } },
) =>
  z.strictObject({
    data: z.array(item).openapi({ description: data }),
    total: integer(0, PAGE.maxTotal).openapi({
      description: `${total}, counted up to the maximum`,
      example: example.total,
    }),
    offset: integer(0, PAGE.maxOffset).openapi({ description: `Number of ${noun} that were skipped`, example: 0 }),
    limit: integer(1, PAGE.maxLimit).openapi({
      description: `Maximum number of ${noun} in \`data\``,
      example: example.limit,
    }),
  });

/** Of a write that returns no resource. */
export const message = (example: string) =>
  z.strictObject({ message: z.string().openapi({ description: "What was done", example }) });
