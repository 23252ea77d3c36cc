// The Worker as tests run it: as `npm run dev` does, with a clock that tests move and a platform that refuses on demand.
import "../../../src/local/loopback.ts";
import { Dataset } from "../../../src/local/analytics/dataset.ts";
import { cached } from "../../../src/local/cache/index.ts";
import gateway, { Api as UncachedApi } from "../../../src/worker/index.ts";

/** The time at which the clock stands, until a test lets it run. */
let stoppedAt: number | undefined;
let isRunning = false;
let advancedMs = 0;
let refusal: CachePurgeError | undefined;
const dataset = new Dataset();
let gatewayEnv: Env | undefined;

function now(): number {
  stoppedAt ??= Date.now();
  return (isRunning ? Date.now() : stoppedAt) + advancedMs;
}

export const Api = cached(UncachedApi, { now, refusePurge: () => refusal });

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/test/advance") {
      advancedMs += await request.json<number>();
      return new Response();
    }
    if (pathname === "/test/run-clock") {
      isRunning = true;
      return new Response();
    }
    if (pathname === "/test/refuse-purge") {
      refusal = (await request.json<CachePurgeError | null>()) ?? undefined;
      return new Response();
    }
    if (pathname === "/test/data-points") return Response.json(dataset.take());
    // A test may give another in its place.
    gatewayEnv ??= { ...env, ANALYTICS: env.ANALYTICS ?? dataset };
    return gateway.fetch(request, gatewayEnv, ctx);
  },
  scheduled: gateway.scheduled,
} satisfies ExportedHandler<Env>;
