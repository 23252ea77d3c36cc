// The environment, read once: a missing or malformed setting is one clear error at the Worker's door.
import { z } from "zod";
import type { CachePolicy } from "./cache.ts";

export interface Config {
  databaseUrl: string;
  /** The most that one query may take, retries included. */
  databaseDeadlineMs: number;
  /** Of operators who purge the edge; without it, nobody can. */
  purgeSecret: string | undefined;
  cache: CachePolicy;
}

/** Names the settings that are wrong, and what they should be; never their values. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Checked here because the Neon driver answers a malformed one with an error that contains it. */
const databaseUrl = z
  .string({ error: "is missing" })
  .refine(isDatabaseUrl, "is not a Postgres URL with a user, a host and a database");

const wholeNumber = (minimum: number, maximum: number, fallback: number) => {
  const expected = `is not a whole number from ${minimum} to ${maximum}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, expected)
    .transform(Number)
    .pipe(z.number().min(minimum, expected).max(maximum, expected))
    .default(fallback);
};

const MIN_SECRET_LENGTH = 32;

/** Sent as a Bearer token, hence of its characters only: token68 (RFC 9110, section 11.2). */
const secret = z
  .string()
  .min(MIN_SECRET_LENGTH, `has fewer than ${MIN_SECRET_LENGTH} characters`)
  .regex(/^[\w\-.~+/]+=*$/, "has characters other than letters, digits and -._~+/");

const DAY_SECONDS = 86_400;

const environment = z.object({
  DATABASE_URL: databaseUrl,
  DATABASE_DEADLINE_MS: wholeNumber(100, 25_000, 3_000),
  PURGE_SECRET: secret.optional(),
  EDGE_FRESH_SECONDS: wholeNumber(0, DAY_SECONDS, 30),
  EDGE_STALE_WHILE_REVALIDATE_SECONDS: wholeNumber(0, DAY_SECONDS, 30),
  EDGE_STALE_IF_ERROR_SECONDS: wholeNumber(0, 7 * DAY_SECONDS, 3_600),
  EDGE_NOT_FOUND_SECONDS: wholeNumber(0, 60, 5),
  EDGE_RESOURCE_TYPES_FRESH_SECONDS: wholeNumber(0, DAY_SECONDS, 300),
});

/**
 * Reads the bindings and secrets of the Worker.
 *
 * @throws ConfigError
 */
export function readConfig(env: object): Config {
  const known = configs.get(env);
  if (known) return known;
  const result = environment.safeParse(env);
  if (!result.success) {
    throw new ConfigError(result.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; "));
  }
  const vars = result.data;
  const config: Config = {
    databaseUrl: vars.DATABASE_URL,
    databaseDeadlineMs: vars.DATABASE_DEADLINE_MS,
    purgeSecret: vars.PURGE_SECRET,
    cache: {
      freshSeconds: vars.EDGE_FRESH_SECONDS,
      staleWhileRevalidateSeconds: vars.EDGE_STALE_WHILE_REVALIDATE_SECONDS,
      staleIfErrorSeconds: vars.EDGE_STALE_IF_ERROR_SECONDS,
      notFoundSeconds: vars.EDGE_NOT_FOUND_SECONDS,
      resourceTypesFreshSeconds: vars.EDGE_RESOURCE_TYPES_FRESH_SECONDS,
    },
  };
  configs.set(env, config);
  return config;
}

/** The runtime hands every request of an isolate the same `env`. */
const configs = new WeakMap<object, Config>();

function isDatabaseUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, hostname, pathname } = new URL(value);
  return ["postgres:", "postgresql:"].includes(protocol) && username !== "" && hostname !== "" && pathname.length > 1;
}
