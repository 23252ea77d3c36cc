import { expect, test } from "vitest";
import { readConfig, slowMissMs } from "../../../src/worker/shared/config.ts";

const DATABASE_URL = "postgresql://user:password@host/database";
const SECRET = "the-secret-of-those-who-purge-in-tests";

test("without settings the configuration has its defaults, by which a miss is stored within eight seconds", () => {
  expect(slowMissMs({ databaseDeadlineMs: 3_000 })).toBe(8_000);
  expect(readConfig({ DATABASE_URL })).toStrictEqual({
    databaseUrl: DATABASE_URL,
    databaseDeadlineMs: 3_000,
    keyDailyWriteBytes: 250_000_000,
    purgeSecrets: [],
    auditDays: 365,
    cache: {
      freshSeconds: 3_600,
      freshWithoutFeedSeconds: 30,
      staleWhileRevalidateSeconds: 30,
      staleIfErrorSeconds: 3_600,
      notFoundSeconds: 5,
      resourceTypesFreshSeconds: 300,
    },
  });
});

test("each setting is read from its variable", () => {
  const vars = {
    DATABASE_URL: "postgres://user@host/database",
    DATABASE_DEADLINE_MS: "100",
    KEY_DAILY_WRITE_BYTES: "999999999",
    AUDIT_DAYS: "30",
    EDGE_FRESH_SECONDS: "86400",
    EDGE_FRESH_WITHOUT_FEED_SECONDS: "1",
    EDGE_STALE_WHILE_REVALIDATE_SECONDS: "0",
    EDGE_STALE_IF_ERROR_SECONDS: "604800",
    EDGE_NOT_FOUND_SECONDS: "60",
    EDGE_RESOURCE_TYPES_FRESH_SECONDS: "2",
    PURGE_SECRET: SECRET,
    PURGE_SECRET_PREVIOUS: `${SECRET}-._~+/==`,
  };
  expect(readConfig(vars)).toStrictEqual({
    databaseUrl: vars.DATABASE_URL,
    databaseDeadlineMs: 100,
    keyDailyWriteBytes: 999_999_999,
    purgeSecrets: [SECRET, vars.PURGE_SECRET_PREVIOUS],
    auditDays: 30,
    cache: {
      freshSeconds: 86_400,
      freshWithoutFeedSeconds: 1,
      staleWhileRevalidateSeconds: 0,
      staleIfErrorSeconds: 604_800,
      notFoundSeconds: 60,
      resourceTypesFreshSeconds: 2,
    },
  });
});

const NO_URL = "DATABASE_URL is not a Postgres URL with a user, a host and a database";
const TOO_SHORT = "has fewer than 32 characters";
const OTHER_CHARACTERS = "has characters other than letters, digits and -._~+/";

test.for([
  [{ DATABASE_URL: undefined }, "DATABASE_URL is missing"],
  ...["", "SECRET", "https://SECRET@host/db", "postgres://SECRET@host", "postgres://host/db"].map(
    (url) => [{ DATABASE_URL: url }, NO_URL] as const,
  ),
  [{ PURGE_SECRET: SECRET.slice(0, 31) }, `PURGE_SECRET ${TOO_SHORT}`],
  [{ PURGE_SECRET: `SECRET ${SECRET}` }, `PURGE_SECRET ${OTHER_CHARACTERS}`],
  [{ PURGE_SECRET_PREVIOUS: "short" }, `PURGE_SECRET_PREVIOUS ${TOO_SHORT}`],
  [
    { EDGE_FRESH_SECONDS: "-1", DATABASE_DEADLINE_MS: "soon", EDGE_NOT_FOUND_SECONDS: "61" },
    "DATABASE_DEADLINE_MS is not a whole number from 100 to 25000; EDGE_FRESH_SECONDS is not a whole number from 0 to 86400; EDGE_NOT_FOUND_SECONDS is not a whole number from 0 to 60",
  ],
] as const)("%j is refused by its name: %s", ([vars, message]) => {
  expect(() => readConfig({ DATABASE_URL, ...vars })).toThrow(
    expect.objectContaining({ name: "ConfigError", message }),
  );
});
