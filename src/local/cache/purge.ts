// What `ctx.cache.purge` says, and how often it may be called: https://developers.cloudflare.com/workers/cache/purge/

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

/** @returns what is wrong with a call */
export function findMistake({ tags = [], purgeEverything = false }: PurgeOptions): PurgeError | undefined {
  const isValid = purgeEverything ? tags.length === 0 : tags.length > 0 && tags.length <= MAX_TAGS_PER_CALL;
  const message = `Give purgeEverything, or 1 to ${MAX_TAGS_PER_CALL} tags.`;
  return isValid ? undefined : { code: INVALID_INPUT_CODE, message };
}

/** A bucket of tokens, one for each call, which fills up again with time. */
export class PurgeBudget {
  readonly #now: () => number;
  /** When the bucket will be full again. */
  #fullAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns the error of a call for which there is no token */
  spend(): PurgeError | undefined {
    const fullAt = Math.max(this.#fullAt, this.#now()) + MS_PER_TOKEN;
    if (fullAt > this.#now() + BUCKET_SIZE * MS_PER_TOKEN) {
      return { code: RATE_LIMIT_CODE, message: "Unable to purge: rate limit reached." };
    }
    this.#fullAt = fullAt;
    return undefined;
  }
}
