// When somebody should look. Each rule is explained in src/cli/runbook/README.md.
import type { Figures, Stats } from "./read.ts";

/** Fewer prove nothing: one error in a quiet hour is no rate. */
const MIN_REQUESTS = 20;
const MAX_ERROR_RATE = 0.01;
const MAX_REFUSAL_RATE = 0.2;
const MAX_P95_MS = 1_000;
const MAX_ATTEMPTS_PER_REQUEST = 1.1;
const MAX_CHANGE_AGE_SECONDS = 60;
/** A run ends each minute. */
const MAX_FEED_SILENCE_SECONDS = 180;

/** Of requests that are enough to tell from. */
const rateOf = (count: number, requests: number): number => (requests >= MIN_REQUESTS ? count / requests : 0);
const percent = (count: number, requests: number): string =>
  `${((100 * count) / requests).toFixed(1)} % of ${requests} requests`;

/** What is wrong with a share of 5xx; undefined if nothing is. */
export const excessOf = ({ requests, errors }: Pick<Figures, "requests" | "errors">): string | undefined =>
  rateOf(errors, requests) > MAX_ERROR_RATE ? `${percent(errors, requests)} failed with 5xx` : undefined;

/** Each says what is wrong; false or undefined if nothing is. */
export const RULES: Readonly<Record<string, (stats: Stats) => string | false | undefined>> = {
  errors: ({ total }) => excessOf(total),
  slow: ({ total: { requests, p95_ms } }) =>
    requests >= MIN_REQUESTS && (p95_ms ?? 0) > MAX_P95_MS && `one in twenty took ${p95_ms} ms`,
  retries: ({ database: { requests, attempts } }) =>
    rateOf(attempts, requests) > MAX_ATTEMPTS_PER_REQUEST &&
    `the database was asked ${attempts} times for ${requests} requests`,
  refusals: ({ total: { requests, refusals } }) =>
    rateOf(refusals, requests) > MAX_REFUSAL_RATE && `${percent(refusals, requests)} were refused with 4xx`,
  "feed late": ({ feed }) =>
    (feed?.oldest_change_seconds ?? 0) > MAX_CHANGE_AGE_SECONDS &&
    `a change waited ${Math.round(feed?.oldest_change_seconds ?? 0)} s for its purge`,
  "feed silent": ({ feed, since, until }) => {
    const silentSeconds = (Date.parse(until) - Date.parse(feed?.last_run_at ?? since)) / 1_000;
    return silentSeconds > MAX_FEED_SILENCE_SECONDS && `no run of the feed ended for ${silentSeconds} s`;
  },
};

/** What is wrong, a line each. @param hasFeed whether the feed should run */
export const findAlerts = (stats: Stats, hasFeed = true): string[] =>
  Object.entries(RULES).flatMap(([name, rule]) => {
    const wrong = name === "feed silent" && !hasFeed ? undefined : rule(stats);
    return wrong ? [`${name}: ${wrong}`] : [];
  });
