// `ctx.cache.purge`: https://developers.cloudflare.com/workers/cache/purge/
import type { CacheStore } from "./store.ts";

export interface PurgeOptions {
  tags?: string[];
  purgeEverything?: boolean;
}

export interface PurgeError {
  code: number;
  message: string;
}

export interface PurgeResult {
  success: boolean;
  errors: PurgeError[];
}

/** Cloudflare documents that errors have a code, and none of the codes. That of the rate limit is from reports of its API. */
const INVALID_INPUT_CODE = 400;
const RATE_LIMIT_CODE = 1134;

/** Those of the Free plan, on every plan: https://developers.cloudflare.com/workers/cache/purge/#rate-limits */
const MAX_TAGS_PER_CALL = 100;
const BUCKET_SIZE = 25;
/** Five tokens a minute. */
const MS_PER_TOKEN = 12_000;

/** A bucket of tokens, one for each call, which fills up again with time. */
export class PurgeBudget {
  readonly #now: () => number;
  /** The tokens in the bucket, as the time that it took to earn them. */
  #savedMs = BUCKET_SIZE * MS_PER_TOKEN;
  #countedAt: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#countedAt = now();
  }

  /** @returns the error of a call for which there is no token */
  spend(): PurgeError | undefined {
    const now = this.#now();
    this.#savedMs = Math.min(BUCKET_SIZE * MS_PER_TOKEN, this.#savedMs + now - this.#countedAt);
    this.#countedAt = now;
    if (this.#savedMs < MS_PER_TOKEN) return { code: RATE_LIMIT_CODE, message: "Unable to purge: rate limit reached." };
    this.#savedMs -= MS_PER_TOKEN;
    return undefined;
  }
}

/**
 * @param refuse asked before every purge; an error that it returns is the purge's only effect
 * @param within what the keys that are purged begin with
 */
export function createPurge(
  store: CacheStore,
  refuse: () => PurgeError | undefined,
  within: string,
): (options: PurgeOptions) => Promise<PurgeResult> {
  return async ({ tags = [], purgeEverything = false }) => {
    const refusal = refuse();
    if (refusal !== undefined) return { success: false, errors: [refusal] };
    const isValid = purgeEverything ? tags.length === 0 : tags.length > 0 && tags.length <= MAX_TAGS_PER_CALL;
    if (!isValid) {
      const message = `Give purgeEverything, or 1 to ${MAX_TAGS_PER_CALL} tags.`;
      return { success: false, errors: [{ code: INVALID_INPUT_CODE, message }] };
    }
    store.purge(purgeEverything ? "everything" : tags, within);
    return { success: true, errors: [] };
  };
}
