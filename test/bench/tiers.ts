// What would reach Postgres from many data centres: a simulation of Workers Caching's two tiers.
import { createZipf } from "./zipf.ts";

/**
 * Assumes: requests arrive evenly in time and over the data centres; the popularity of processes is the same
 * everywhere, by Zipf's law with s = 1.0; each process is asked for with one key; every lower tier asks one upper tier;
 * nothing is evicted; a copy is renewed at the first request after it went stale, at once, and what a lower tier gets
 * from the upper one is as old there as here (RFC 9111, section 4.2.3); nothing changes, so nothing is purged.
 *
 * @see https://developers.cloudflare.com/workers/cache/#tiered-cache
 */
export interface TierOptions {
  dataCentres: number;
  /** In all. */
  requestsPerSecond: number;
  /** Measured, after as long again to fill the caches. */
  seconds: number;
  processes: number;
  freshSeconds: number;
  staleWhileRevalidateSeconds: number;
}

export interface Tiers {
  dataCentres: number;
  /** Parts of all requests: answered where they arrived, without waiting; … */
  lowerHitRatio: number;
  /** … those that went on to the upper tier, renewals in the background included; … */
  upperRatio: number;
  /** … and to Postgres. */
  queryRatio: number;
  queriesPerSecond: number;
  /** If there were no upper tier. */
  queriesPerSecondWithoutUpper: number;
}

export function simulateTiers(options: TierOptions): Tiers {
  const { dataCentres, requestsPerSecond, seconds, processes } = options;
  const freshMs = 1_000 * options.freshSeconds;
  const staleMs = 1_000 * options.staleWhileRevalidateSeconds;
  const draw = createZipf(processes);
  // When copies go stale, in milliseconds; one for each data centre and process, and one for each process above them.
  const lower = new Int32Array(dataCentres * processes).fill(-staleMs);
  const upper = new Int32Array(processes).fill(-staleMs);
  const counted = { requests: 0, hits: 0, toUpper: 0, queries: 0 };

  for (let n = 0; n < 2 * seconds * requestsPerSecond; n++) {
    const now = (1_000 * n) / requestsPerSecond;
    const isCounted = now >= 1_000 * seconds;
    const process = draw();
    const place = Math.floor(Math.random() * dataCentres) * processes + process;
    const staleAt = lower[place] as number;
    if (isCounted) counted.requests++;
    if (isCounted && now < staleAt + staleMs) counted.hits++;
    if (now < staleAt) continue;
    if (isCounted) counted.toUpper++;
    if (now >= (upper[process] as number)) {
      if (isCounted) counted.queries++;
      upper[process] = now + freshMs;
    }
    lower[place] = upper[process] as number;
  }
  return {
    dataCentres,
    lowerHitRatio: counted.hits / counted.requests,
    upperRatio: counted.toUpper / counted.requests,
    queryRatio: counted.queries / counted.requests,
    queriesPerSecond: counted.queries / seconds,
    queriesPerSecondWithoutUpper:
      dataCentres * renewalsPerSecond(processes, requestsPerSecond / dataCentres, options.freshSeconds),
  };
}

/** How often one cache renews its copies: each once after it went stale and somebody came, on the average. */
export function renewalsPerSecond(processes: number, requestsPerSecond: number, freshSeconds: number): number {
  let harmonic = 0;
  for (let rank = 1; rank <= processes; rank++) harmonic += 1 / rank;
  let renewals = 0;
  for (let rank = 1; rank <= processes; rank++) {
    renewals += 1 / (freshSeconds + (rank * harmonic) / requestsPerSecond);
  }
  return renewals;
}
