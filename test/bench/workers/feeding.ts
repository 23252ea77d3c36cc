// The Worker of src/local/worker.ts, with a path that runs the feed for its minute and one that counts its purges.

import worker, { Api as LocalApi } from "../../../src/local/worker.ts";

let purges = 0;

export class Api extends LocalApi {
  override purge(options: CachePurgeOptions): Promise<CachePurgeResult> {
    purges++;
    return super.purge(options);
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/bench/purges") return Response.json(purges);
    if (pathname !== "/bench/feed") return worker.fetch(request, env, ctx);
    await worker.scheduled(undefined as never, env, ctx);
    return new Response();
  },
} satisfies ExportedHandler<Env>;
