// Building blocks of request parameters. The message of each rule completes the sentence "Expected …".
import { z } from "@hono/zod-openapi";
import { EXAMPLE_IDS } from "./document/examples.ts";

/** As in the contract, but without regard to case also for the last: every spelling names the same resource. */
const PATH_UUID_PATTERN =
  /^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|[fF]{8}-[fF]{4}-[fF]{4}-[fF]{4}-[fF]{12})$/;

/** A UUID in a path, in any case; read in lower case. */
const pathUuid = (description: string, example: string) =>
  z.string().regex(PATH_UUID_PATTERN, "a UUID").toLowerCase().openapi({ format: "uuid", description, example });

export const applicationId = pathUuid("Identifier of the application", EXAMPLE_IDS.application);
export const processId = pathUuid("Identifier of the process", EXAMPLE_IDS.web);

interface IntegerParameter {
  minimum: number;
  maximum: number;
  default: number;
  description: string;
}

/** A whole number in a query, written in decimal digits. */
export function queryInteger({ minimum, maximum, default: fallback, description }: IntegerParameter) {
  const expected = `a whole number from ${minimum} to ${maximum}`;
  return z
    .string({ error: expected })
    .regex(/^\d{1,15}$/, expected)
    .transform(Number)
    .pipe(z.number().min(minimum, expected).max(maximum, expected))
    .default(fallback)
    .openapi({ type: "integer", minimum, maximum, default: fallback, description, example: fallback });
}

/** Which part of a list. */
export const pagination = z.object({
  limit: queryInteger({ minimum: 1, maximum: 100, default: 25, description: "How many items at most" }),
  offset: queryInteger({ minimum: 0, maximum: 10_000, default: 0, description: "How many items to skip" }),
});
