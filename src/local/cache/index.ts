import type { WorkerEntrypoint } from "cloudflare:workers";
import { EntrypointCache } from "./cache.ts";
import { keyOf, specialHeadersOf, targetOf } from "./key.ts";
import { createCacheContext, PurgeBudget } from "./purge.ts";
import { CacheStore } from "./store.ts";
import { outwardHead } from "./stored.ts";

/** How a cache stands in for Cloudflare's. */
export interface CacheOptions {
  /** The clock, in milliseconds since the epoch: tests that move it need not sleep. Default: `Date.now`. */
  now?: () => number;
  /**
   * The Worker's version, as part of the key: what one version stored, another does not serve. Default: none, as with
   * `cache.cross_version_cache`. A store lives no longer than its isolate, so a redeployment begins empty anyway.
   */
  version?: () => string;
  /** Bound on everything stored, in bytes, by an estimate. What was not asked for longest goes first. Default: 64 MiB. */
  maxBytes?: number;
  /** Larger bodies are not stored, in bytes. Default: 512 MB as on the platform, but no more than `maxBytes`. */
  maxObjectBytes?: number;
  /** How long a request waits for another one with the same key before it asks the Worker itself. Default: 30,000. */
  maxWaitMs?: number;
  /**
   * Asked before every purge; an error that it returns is the outcome. Default: the platform's rate limit, of which the
   * entrypoint has a budget of its own.
   */
  refusePurge?: () => CachePurgeError | undefined;
}

/** Half of what an isolate may use. https://developers.cloudflare.com/workers/platform/limits/#memory */
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
/**
 * Undocumented for the platform. As long as it lets the work of a request go on once its client has gone: whoever is
 * waited for has ended by then. https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil
 */
const DEFAULT_MAX_WAIT_MS = 30_000;
/** https://developers.cloudflare.com/cache/concepts/default-cache-behavior/#cacheable-size-limits */
const PLATFORM_MAX_OBJECT_BYTES = 512 * 1000 * 1000;

type EntrypointClass = new (...args: never[]) => Rpc.WorkerEntrypointBranded;
type FetchingEntrypoint = new (
  ctx: ExecutionContext,
  env: unknown,
) => WorkerEntrypoint<unknown, unknown> & { fetch(request: Request): Response | Promise<Response> };

/**
 * Puts a cache in front of an entrypoint that behaves as Cloudflare's Workers Caching does, for where there is none:
 * `wrangler dev` and tests. Export the result in place of the entrypoint, under the same name, and reach it as always:
 * `ctx.exports.Api({ props }).fetch(request)`.
 *
 * `fetch` goes through the cache. RPC methods do not, and `this.ctx.cache` is there in both. The store is in memory, one
 * for every call of this function, so that entrypoints share nothing.
 *
 * It differs from the platform in that the entrypoint is constructed for hits too, requests that wait for another get
 * its response when it is complete, there are no tiers, and `cache` imported from `cloudflare:workers` is not replaced.
 *
 * @returns a subclass of the entrypoint
 * @throws {TypeError} if the entrypoint has no method `fetch`, or a bound is not a positive number
 * @see https://developers.cloudflare.com/workers/cache/
 */
export function cached<Entrypoint extends EntrypointClass>(
  Entrypoint: Entrypoint,
  options: CacheOptions = {},
): Entrypoint {
  const { now = Date.now, version, maxBytes = DEFAULT_MAX_BYTES, maxWaitMs = DEFAULT_MAX_WAIT_MS } = options;
  const maxObjectBytes = options.maxObjectBytes ?? Math.min(PLATFORM_MAX_OBJECT_BYTES, maxBytes);
  if (typeof Entrypoint.prototype.fetch !== "function") throw new TypeError(`${Entrypoint.name} has no method fetch`);
  for (const [name, bound] of Object.entries({ maxBytes, maxObjectBytes, maxWaitMs })) {
    if (!(bound > 0)) throw new TypeError(`${name} must be a positive number, not ${bound}`);
  }
  const store = new CacheStore(maxBytes);
  const cache = new EntrypointCache(store, { maxObjectBytes, maxWaitMs, now });
  const budget = new PurgeBudget(now);
  const context = createCacheContext(store, now, options.refusePurge ?? (() => budget.spend()));

  class Cached extends (Entrypoint as unknown as FetchingEntrypoint) {
    constructor(ctx: ExecutionContext, env: unknown) {
      // The runtime has the property, undefined, where there is no Workers Caching.
      Object.defineProperty(ctx, "cache", { value: context, configurable: true, enumerable: true });
      super(ctx, env);
    }

    /** Not async: a hit needs no promise. */
    override fetch(request: Request): Response | Promise<Response> {
      const { method } = request;
      const special = specialHeadersOf(request.headers);
      const run = async (asked: Request) => super.fetch(asked);
      const isCacheable = (method === "GET" || method === "HEAD") && !isWebSocketUpgrade(special);
      const key = isCacheable ? keyOf(targetOf(request), special, this.ctx.props, version?.()) : undefined;
      if (key === undefined) return bypass(run(request));
      return cache.answer({ request, method, special, key, run, waitUntil: (work) => this.ctx.waitUntil(work) });
    }
  }
  return Cached as unknown as Entrypoint;
}

async function bypass(running: Promise<Response>): Promise<Response> {
  const response = await running;
  return new Response(response.body, outwardHead(response, "BYPASS"));
}

function isWebSocketUpgrade(special: ReadonlyMap<string, string>): boolean {
  return special.get("upgrade")?.toLowerCase() === "websocket";
}
