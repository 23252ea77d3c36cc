// The environment, read once: a missing or malformed setting is one clear error at the Worker's door.
import type { CachePolicy } from "./cache.ts";

export interface Config {
  databaseUrl: string;
  /** The most that one query may take, retries included. */
  databaseDeadlineMs: number;
  /** How many bytes a key may write in a day (UTC). */
  keyDailyWriteBytes: number;
  /** The secrets of operators who purge the edge: today's, and while it is rotated the one before. None: nobody can. */
  purgeSecrets: readonly string[];
  /** How long it is kept who has written what, and who has changed which key. */
  auditDays: number;
  cache: CachePolicy;
}

/** Names the settings that are wrong, and what they should be; never their values. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

interface Bounds {
  minimum: number;
  maximum: number;
  default: number;
}

const DAY_SECONDS = 86_400;

/** Settings that are whole numbers. */
export const SETTINGS = {
  DATABASE_DEADLINE_MS: { minimum: 100, maximum: 25_000, default: 3_000 },
  // 5.8 kB for each of the 43,200 writes that a key may send to a data centre in a day.
  KEY_DAILY_WRITE_BYTES: { minimum: 1_000_000, maximum: 999_999_999, default: 250_000_000 },
  /** At the least as long as the database insists on (drizzle/0016_delete_expired.sql). */
  AUDIT_DAYS: { minimum: 30, maximum: 3_650, default: 365 },
  EDGE_FRESH_SECONDS: { minimum: 0, maximum: DAY_SECONDS, default: 3_600 },
  EDGE_FRESH_WITHOUT_FEED_SECONDS: { minimum: 0, maximum: DAY_SECONDS, default: 30 },
  EDGE_STALE_WHILE_REVALIDATE_SECONDS: { minimum: 0, maximum: DAY_SECONDS, default: 30 },
  EDGE_STALE_IF_ERROR_SECONDS: { minimum: 0, maximum: 7 * DAY_SECONDS, default: 3_600 },
  EDGE_NOT_FOUND_SECONDS: { minimum: 0, maximum: 60, default: 5 },
  EDGE_RESOURCE_TYPES_FRESH_SECONDS: { minimum: 0, maximum: DAY_SECONDS, default: 300 },
} satisfies Record<string, Bounds>;

/** From the end of a query to its answer's being stored at the edge. */
const STORING_MS = 5_000;

/** For how long after a commit a miss may still store what it has read before: an old answer, behind a purge. */
export const slowMissMs = ({ databaseDeadlineMs }: Pick<Config, "databaseDeadlineMs">): number =>
  databaseDeadlineMs + STORING_MS;

/** Within so long the feed has purged what has changed, while the platform lets it. */
export const FEED_BOUND_MS = 60_000;

const PURGE_SECRETS = ["PURGE_SECRET", "PURGE_SECRET_PREVIOUS"] as const;
const MIN_SECRET_LENGTH = 32;
/** Sent as a Bearer token, hence of its characters only: token68 (RFC 9110, section 11.2). */
const TOKEN68 = /^[\w\-.~+/]+=*$/;

/**
 * Reads the bindings and secrets of the Worker.
 *
 * @throws ConfigError naming every setting that is wrong
 */
export function readConfig(env: object): Config {
  const known = configs.get(env);
  if (known) return known;
  const vars = env as Record<string, unknown>;
  const mistakes: string[] = [];
  const numberOf = (name: keyof typeof SETTINGS): number => {
    const value = settingIn(vars, name);
    if (value === undefined) mistakes.push(mistakeIn(name));
    return value ?? 0;
  };
  const config: Config = {
    databaseUrl: String(vars.DATABASE_URL),
    databaseDeadlineMs: numberOf("DATABASE_DEADLINE_MS"),
    keyDailyWriteBytes: numberOf("KEY_DAILY_WRITE_BYTES"),
    purgeSecrets: PURGE_SECRETS.flatMap((name) => (vars[name] === undefined ? [] : [String(vars[name])])),
    auditDays: numberOf("AUDIT_DAYS"),
    cache: {
      freshSeconds: numberOf("EDGE_FRESH_SECONDS"),
      freshWithoutFeedSeconds: numberOf("EDGE_FRESH_WITHOUT_FEED_SECONDS"),
      staleWhileRevalidateSeconds: numberOf("EDGE_STALE_WHILE_REVALIDATE_SECONDS"),
      staleIfErrorSeconds: numberOf("EDGE_STALE_IF_ERROR_SECONDS"),
      notFoundSeconds: numberOf("EDGE_NOT_FOUND_SECONDS"),
      resourceTypesFreshSeconds: numberOf("EDGE_RESOURCE_TYPES_FRESH_SECONDS"),
    },
  };
  if (vars.DATABASE_URL === undefined) mistakes.push("DATABASE_URL is missing");
  // Checked here because the Neon driver answers a malformed one with an error that contains it.
  else if (!isDatabaseUrl(config.databaseUrl)) {
    mistakes.push("DATABASE_URL is not a Postgres URL with a user, a host and a database");
  }
  for (const name of PURGE_SECRETS) {
    if (vars[name] !== undefined) mistakes.push(...mistakesOf(name, String(vars[name])));
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes.join("; "));
  configs.set(env, config);
  return config;
}

/** @returns undefined if it is malformed, or not within its bounds */
export function settingIn(vars: Record<string, unknown>, name: keyof typeof SETTINGS): number | undefined {
  const { minimum, maximum, default: fallback } = SETTINGS[name];
  const text = vars[name] ?? String(fallback);
  const value = typeof text === "string" && /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= minimum && value <= maximum ? value : undefined;
}

/** What is wrong with a setting that is. */
export const mistakeIn = (name: keyof typeof SETTINGS): string =>
  `${name} is not a whole number from ${SETTINGS[name].minimum} to ${SETTINGS[name].maximum}`;

/** The runtime hands every request of an isolate the same `env`. */
const configs = new WeakMap<object, Config>();

function mistakesOf(name: string, secret: string): string[] {
  if (secret.length < MIN_SECRET_LENGTH) return [`${name} has fewer than ${MIN_SECRET_LENGTH} characters`];
  return TOKEN68.test(secret) ? [] : [`${name} has characters other than letters, digits and -._~+/`];
}

function isDatabaseUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, hostname, pathname } = new URL(value);
  return ["postgres:", "postgresql:"].includes(protocol) && username !== "" && hostname !== "" && pathname.length > 1;
}
