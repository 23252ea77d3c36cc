import { EntrypointCache } from "./cache.ts";
import { findMistake, PurgeBudget, type PurgeError, type PurgeOptions, type PurgeResult } from "./purge.ts";
import { outwardHead } from "./stored.ts";

/** How a cache stands in for Cloudflare's. */
export interface CacheOptions {
  /** The clock, in milliseconds since the epoch: tests that move it need not sleep. Default: `Date.now`. */
  now?: () => number;
  /** Bound on everything stored, in bytes, by an estimate. What was not asked for longest goes first. Default: 64 MiB. */
  maxBytes?: number;
  /** How long a request waits for another one with the same key before it asks the Worker itself. Default: 30,000. */
  maxWaitMs?: number;
  /**
   * Asked before every purge; an error that it returns is the outcome. Default: the platform's rate limit, which here
   * each entrypoint has for itself.
   */
  refusePurge?: () => PurgeError | undefined;
  /** What the platform does not do as documented, so that tests see what becomes of it. Default: nothing. */
  fault?: () => CacheFault | undefined;
}

export type CacheFault = "no ctx.cache" | "keys without props" | "purges of own props alone";

/** Half of what an isolate may use. https://developers.cloudflare.com/workers/platform/limits/#memory */
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
/**
 * Undocumented for the platform. As long as it lets the work of a request go on once its client has gone: whoever is
 * waited for has ended by then. https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil
 */
const DEFAULT_MAX_WAIT_MS = 30_000;

/** What is used of a `WorkerEntrypoint`. Spelled out, because tests run it in Node, too. */
interface Entrypoint {
  ctx: Context;
  fetch(request: Request): Response | Promise<Response>;
}
interface Context {
  props?: unknown;
  waitUntil(work: Promise<unknown>): void;
}

/**
 * Puts a cache in front of an entrypoint, as Cloudflare's Workers Caching does, for where there is none: `wrangler dev`
 * and tests. Export the result in place of the entrypoint, under the same name, and reach it as always:
 * `ctx.exports.Api({ props }).fetch(request)`.
 *
 * `fetch` goes through the cache. RPC methods do not, and `this.ctx.cache.purge` is there in both. The store is in
 * memory, one for every call of this function.
 *
 * @returns a subclass of the entrypoint
 * @see https://developers.cloudflare.com/workers/cache/
 */
export function cached<Class extends new (...args: never[]) => object>(
  entrypointClass: Class,
  options: CacheOptions = {},
): Class {
  const { now = Date.now, maxBytes = DEFAULT_MAX_BYTES, maxWaitMs = DEFAULT_MAX_WAIT_MS } = options;
  const cache = new EntrypointCache({ maxBytes, maxWaitMs, now });
  const budget = new PurgeBudget(now);
  const { refusePurge = () => budget.spend(), fault } = options;
  const contextOf = ({ props }: Context) => {
    if (fault?.() === "no ctx.cache") return undefined;
    const isNarrow = fault?.() === "purges of own props alone";
    return {
      async purge(asked: PurgeOptions): Promise<PurgeResult> {
        const error = refusePurge() ?? findMistake(asked);
        if (error !== undefined) return { success: false, errors: [error] };
        cache.purge(asked.purgeEverything ? "everything" : (asked.tags ?? []), isNarrow ? keyOf("", props) : "");
        return { success: true, errors: [] };
      },
    };
  };

  class Cached extends (entrypointClass as unknown as new (ctx: Context, env: unknown) => Entrypoint) {
    constructor(ctx: Context, env: unknown) {
      // The runtime has the property, undefined, where there is no Workers Caching.
      Object.defineProperty(ctx, "cache", { value: contextOf(ctx), configurable: true, enumerable: true });
      super(ctx, env);
    }

    /** Not async: a hit needs no promise. */
    override fetch(request: Request): Response | Promise<Response> {
      const { method, url } = request;
      const run = async (asked: Request) => super.fetch(asked);
      if (method !== "GET" && method !== "HEAD") return bypass(run(request));
      const key = keyOf(url, fault?.() === "keys without props" ? undefined : this.ctx.props);
      return cache.respond({ request, method, key, run, waitUntil: (work) => this.ctx.waitUntil(work) });
    }
  }
  return Cached as unknown as Class;
}

/**
 * Not the host, the method or a header; not the entrypoint either, because each has its own store.
 *
 * @see https://developers.cloudflare.com/workers/cache/cache-keys/
 */
function keyOf(url: string, props: unknown): string {
  // JSON holds no raw NUL, and the path and query, which may, come last: the parts cannot run together.
  return `${JSON.stringify([props])}\0${url.slice(url.indexOf("/", url.indexOf("://") + 3))}`;
}

async function bypass(running: Promise<Response>): Promise<Response> {
  const response = await running;
  return new Response(response.body, outwardHead(response, "BYPASS"));
}
