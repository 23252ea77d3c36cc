// Building blocks of request parameters.
import { z } from "@hono/zod-openapi";
import { PAGE } from "../../worker/shared/limits.ts";
import { EXAMPLE_IDS } from "./examples.ts";
import { uuid } from "./schemas.ts";

const applicationId = uuid(EXAMPLE_IDS.application).openapi({ description: "Identifier of the application" });
export const ofApplication = z.object({ id: applicationId });
/** Of an operation that takes the process `example` of the seed. */
export const ofProcess = (example: string) =>
  z.object({ id: applicationId, process_id: uuid(example).openapi({ description: "Identifier of the process" }) });

const wholeNumber = (minimum: number, maximum: number, fallback: number, description: string) =>
  z.int().min(minimum).max(maximum).default(fallback).openapi({ description, example: fallback });

/** Which part of a list. */
export const pagination = z.object({
  limit: wholeNumber(1, PAGE.maxLimit, PAGE.defaultLimit, "Maximum number of items"),
  offset: wholeNumber(0, PAGE.maxOffset, 0, "Number of items to skip"),
});

/** Of every write. */
export const dryRun = z.object({
  dry_run: z.boolean().default(false).openapi({
    description: "`true`: everything is checked and answered as if it were written, and nothing is.",
    example: false,
  }),
});
