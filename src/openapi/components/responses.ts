import type { z } from "@hono/zod-openapi";
import type { Examples } from "./examples.ts";
import { FORBIDDEN, NOT_FOUND, READ_FAILURES, WRITE_FAILURES } from "./failures.ts";
import { headersOf } from "./headers.ts";

/** On every answer that is no failure. */
const VALIDATED = ["ETag", "Cache-Control", "Vary", "Cache-Status", "Age"] as const;
const COUNTED = ["x-request-id", "Server-Timing", "x-ratelimit-limit", "RateLimit-Policy"] as const;

/** Below `components.responses`. */
export const NOT_MODIFIED = {
  description: "Not modified: the response that you have is current.",
  headers: headersOf(...VALIDATED, ...COUNTED),
};

interface Payload<T extends z.ZodType> {
  description: string;
  schema: T;
  examples: Examples<z.output<T>>;
  /** Whether it is answered with `Last-Modified`. */
  isDated?: boolean;
}

/** The responses of every operation that reads. */
export const getResponses = <T extends z.ZodType>({ description, schema, examples, isDated = false }: Payload<T>) => ({
  200: {
    description,
    headers: headersOf(...VALIDATED, ...(isDated ? (["Last-Modified"] as const) : []), ...COUNTED),
    content: { "application/json": { schema, examples } },
  },
  304: { $ref: "#/components/responses/NotModified" },
  ...READ_FAILURES,
});

/** Every answer to a write that is no failure. */
const WRITTEN = ["Cache-Control", "Cache-Status", "Idempotent-Replayed"] as const;

/** The responses of every operation that writes. */
export const writeResponses = <T extends z.ZodType>({
  description,
  schema,
  examples,
  isDated = false,
}: Payload<T>) => ({
  200: {
    description,
    headers: headersOf(...(isDated ? (["ETag", "Last-Modified"] as const) : []), ...WRITTEN, ...COUNTED),
    content: { "application/json": { schema, examples } },
  },
  ...WRITE_FAILURES,
  ...FORBIDDEN,
  ...NOT_FOUND,
});
