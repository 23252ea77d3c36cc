import { WorkerEntrypoint } from "cloudflare:workers";
import { readConfig } from "../shared/config.ts";
import { logOncePerMinute } from "../shared/log.ts";
import type { ApiProps } from "./call.ts";

/**
 * The cached entrypoint: behind the edge's cache, reached by the gateway alone, through `ctx.exports`, with a URL in
 * canonical form.
 */
export class Api extends WorkerEntrypoint<Env, ApiProps> {
  override fetch(request: Request): Promise<Response> {
    return this.fetchUncached(request);
  }

  /** Answers without the cache, which stands in front of `fetch` alone, and leaves what is stored as it is. */
  async fetchUncached(request: Request): Promise<Response> {
    const { dispatch } = await import("./dispatch.ts");
    return dispatch(request, {
      env: this.env,
      keyHash: this.ctx.props.keyHash,
      isPurgeable: () => this.#isPurgeable,
      purge: async (tags) => (await this.purge({ tags }).catch(() => undefined))?.success ?? false,
      waitUntil: (work) => this.ctx.waitUntil(work),
    });
  }

  /**
   * Ends the reuse of cached answers. Here because a purge reaches the cache of the entrypoint that calls it alone.
   *
   * @see https://developers.cloudflare.com/workers/cache/purge/
   */
  async purge(options: CachePurgeOptions): Promise<CachePurgeResult> {
    if (this.ctx.cache !== undefined) return this.ctx.cache.purge(options);
    if (this.#isPurgeable) return { success: true, errors: [] };
    logOncePerMinute("no_cache");
    return { success: false, errors: [] };
  }

  /**
   * Whether what the edge stores can be purged, or it stores nothing. The runtime leaves `ctx.cache` undefined where the
   * platform does not enable it, which says nothing of what is stored: until July 2026 `[assets]` switched it off
   * (cloudflare/workerd#6865).
   */
  get #isPurgeable(): boolean {
    return this.ctx.cache !== undefined || readConfig(this.env).cache.freshSeconds === 0;
  }
}
