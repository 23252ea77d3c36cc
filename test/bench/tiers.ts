// Models the load on Postgres from many data centres: a model of Workers Caching's two tiers in closed form.

/**
 * Assumes: requests are a Poisson process, evenly spread over the data centres; the popularity of processes is the same
 * everywhere, by Zipf's law with s = 1.0; each process is asked for with one key; every lower tier asks one upper tier;
 * nothing is evicted; the first request after a copy went stale renews it at once, and what a lower tier gets from the
 * upper one is as old there as here (RFC 9111, section 4.2.3), so that all copies of a process go stale together; nothing
 * changes, so nothing is purged.
 *
 * @see https://developers.cloudflare.com/workers/cache/#tiered-cache
 */
export interface TierOptions {
  dataCentres: number;
  /** In all. */
  requestsPerSecond: number;
  processes: number;
  freshSeconds: number;
  staleWhileRevalidateSeconds: number;
}

export interface Tiers {
  freshSeconds: number;
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

export function modelTiers(options: TierOptions): Tiers {
  const { dataCentres, requestsPerSecond, processes, freshSeconds } = options;
  let toUpper = 0;
  let waiting = 0;
  for (const perSecond of zipfRates(processes, requestsPerSecond)) {
    const lowerPerSecond = perSecond / dataCentres;
    // From one renewal to the next.
    const periodSeconds = freshSeconds + 1 / perSecond;
    const isAsked = 1 - Math.exp(-lowerPerSecond * periodSeconds);
    // Soon after the end of a copy that was there, which is served once more.
    const isSoon = isAsked * (1 - Math.exp(-lowerPerSecond * options.staleWhileRevalidateSeconds));
    toUpper += (dataCentres * isAsked) / periodSeconds;
    waiting += (dataCentres * (isAsked - isSoon)) / periodSeconds;
  }
  const queriesPerSecond = renewalsPerSecond(processes, requestsPerSecond, freshSeconds);
  return {
    freshSeconds,
    dataCentres,
    lowerHitRatio: 1 - waiting / requestsPerSecond,
    upperRatio: toUpper / requestsPerSecond,
    queryRatio: queriesPerSecond / requestsPerSecond,
    queriesPerSecond,
    queriesPerSecondWithoutUpper:
      dataCentres * renewalsPerSecond(processes, requestsPerSecond / dataCentres, freshSeconds),
  };
}

/** How often one cache renews its copies: each once after it went stale and somebody came, on the average. */
export function renewalsPerSecond(processes: number, requestsPerSecond: number, freshSeconds: number): number {
  let renewals = 0;
  for (const perSecond of zipfRates(processes, requestsPerSecond)) renewals += 1 / (freshSeconds + 1 / perSecond);
  return renewals;
}

/** How often each process is asked for, the most popular first. */
function* zipfRates(processes: number, requestsPerSecond: number): Generator<number> {
  let harmonic = 0;
  for (let rank = 1; rank <= processes; rank++) harmonic += 1 / rank;
  for (let rank = 1; rank <= processes; rank++) yield requestsPerSecond / (rank * harmonic);
}
