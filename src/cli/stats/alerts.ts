// When somebody should look. Each rule is explained in src/cli/runbook/README.md.
import type { Figures, Stats } from "./read.ts";

interface Rule {
  name: string;
  /** What is wrong; undefined if nothing is. */
  test(stats: Stats): string | undefined;
}

/** Fewer prove nothing: one error in a quiet hour is no rate. */
const MIN_REQUESTS = 20;
const MAX_ERROR_RATE = 0.01;
const MAX_REFUSAL_RATE = 0.2;
const MAX_P95_MS = 1_000;
const MAX_ATTEMPTS_PER_REQUEST = 1.1;
const MAX_CHANGE_AGE_SECONDS = 60;
/** A run ends each minute. */
const MAX_FEED_SILENCE_SECONDS = 180;

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

/** What is wrong with a share of 5xx; undefined if nothing is. */
export const excessOf = ({ requests, errors }: Pick<Figures, "requests" | "errors">): string | undefined =>
  requests >= MIN_REQUESTS && errors / requests > MAX_ERROR_RATE
    ? `${percent(errors / requests)} of ${requests} requests failed with 5xx`
    : undefined;

export const RULES: readonly Rule[] = [
  {
    name: "errors",
    test: ({ total }) => excessOf(total),
  },
  {
    name: "slow",
    test: ({ total: { requests, p95_ms } }) =>
      requests >= MIN_REQUESTS && p95_ms !== null && p95_ms > MAX_P95_MS
        ? `one in twenty took ${p95_ms} ms`
        : undefined,
  },
  {
    name: "retries",
    test: ({ database: { requests, attempts } }) =>
      requests >= MIN_REQUESTS && attempts / requests > MAX_ATTEMPTS_PER_REQUEST
        ? `the database was asked ${attempts} times for ${requests} requests`
        : undefined,
  },
  {
    name: "refusals",
    test: ({ total: { requests, refusals } }) =>
      requests >= MIN_REQUESTS && refusals / requests > MAX_REFUSAL_RATE
        ? `${percent(refusals / requests)} of ${requests} requests were refused with 4xx`
        : undefined,
  },
  {
    name: "feed late",
    test: ({ feed }) =>
      feed !== null && feed.oldest_change_seconds > MAX_CHANGE_AGE_SECONDS
        ? `a change waited ${Math.round(feed.oldest_change_seconds)} s for its purge`
        : undefined,
  },
  {
    name: "feed silent",
    test: ({ feed, since, until }) => {
      const from = feed === null ? since : feed.last_run_at;
      const silentSeconds = (Date.parse(until) - Date.parse(from)) / 1_000;
      return silentSeconds > MAX_FEED_SILENCE_SECONDS ? `no run of the feed ended for ${silentSeconds} s` : undefined;
    },
  },
];

/** What is wrong, a line each. @param hasFeed whether the feed should run */
export const findAlerts = (stats: Stats, hasFeed = true): string[] =>
  RULES.flatMap(({ name, test }) => {
    if (name === "feed silent" && !hasFeed) return [];
    const wrong = test(stats);
    return wrong === undefined ? [] : [`${name}: ${wrong}`];
  });
