// `ctx.cache`: https://developers.cloudflare.com/workers/cache/purge/
import type { Selection } from "./selection.ts";
import type { CacheStore } from "./store.ts";

/** Cloudflare documents that errors have a code, and none of the codes. */
const INVALID_INPUT_CODE = 400;
const RATE_LIMIT_CODE = 429;

/** Those of the Free plan, on every plan: https://developers.cloudflare.com/workers/cache/purge/#rate-limits */
const MAX_OPERATIONS_PER_CALL = 100;
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
  spend(): CachePurgeError | undefined {
    const now = this.#now();
    this.#savedMs = Math.min(BUCKET_SIZE * MS_PER_TOKEN, this.#savedMs + now - this.#countedAt);
    this.#countedAt = now;
    if (this.#savedMs < MS_PER_TOKEN) return { code: RATE_LIMIT_CODE, message: "Unable to purge: rate limit reached." };
    this.#savedMs -= MS_PER_TOKEN;
    return undefined;
  }
}

/**
 * The `cache` of an entrypoint's context.
 *
 * @param refuse asked before every purge; an error that it returns is the purge's only effect
 */
export function createCacheContext(
  store: CacheStore,
  now: () => number,
  refuse: () => CachePurgeError | undefined,
): CacheContext {
  function sweep(options: CachePurgeOptions, mode: "purge" | "invalidate"): CachePurgeResult {
    const refusal = refuse();
    if (refusal !== undefined) return { success: false, errors: [refusal] };
    const selection = parseSelection(options);
    if (typeof selection === "string") {
      return { success: false, errors: [{ code: INVALID_INPUT_CODE, message: selection }] };
    }
    store.sweep({ selection, mode, at: now() });
    return { success: true, errors: [] };
  }
  return {
    purge: async (options) => sweep(options, "purge"),
    invalidate: async (options) => sweep(options, "invalidate"),
  };
}

/** @returns what is wrong, if something is */
function parseSelection({
  tags = [],
  pathPrefixes = [],
  purgeEverything = false,
}: CachePurgeOptions): Selection | string {
  if (tags.length + pathPrefixes.length === 0 && !purgeEverything) {
    return "Nothing to purge: give tags, pathPrefixes or purgeEverything.";
  }
  if (tags.length + pathPrefixes.length > 0 && purgeEverything) {
    return "purgeEverything excludes tags and pathPrefixes.";
  }
  if (tags.length + pathPrefixes.length > MAX_OPERATIONS_PER_CALL) {
    return `More than ${MAX_OPERATIONS_PER_CALL} tags and pathPrefixes.`;
  }
  const notAPath = pathPrefixes.find((prefix) => /^\/\/|:\/\/|[?#]/.test(prefix));
  if (notAPath !== undefined) return `Not a path without scheme, host, query and fragment: ${notAPath}`;
  return {
    tags: tags.map((tag) => tag.toLowerCase()),
    pathPrefixes: pathPrefixes.map((prefix) => (prefix.startsWith("/") ? prefix : `/${prefix}`)),
    everything: purgeEverything,
  };
}
