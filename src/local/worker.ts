// The Worker as it runs on one machine: production code, in front of it a cache that behaves as Cloudflare's does, and
// behind it the local Neon endpoint.
import "./loopback.ts";
import gateway, { Api as UncachedApi } from "../worker/index.ts";
import { Dataset } from "./analytics/dataset.ts";
import { cached } from "./cache/index.ts";

export const Api = cached(UncachedApi);

interface LocalEnv extends Env {
  DEMO_KEY?: string;
  /** The stand-in for Analytics Engine, in dev.ts. */
  ANALYTICS_ENGINE?: Fetcher;
}

/** So many data points go to the stand-in together. */
const BATCH = 500;

const dataset = new Dataset();
let gatewayEnv: LocalEnv | undefined;

export default {
  async fetch(request, env, ctx) {
    if (env.ANALYTICS_ENGINE !== undefined && request.url.endsWith("/analytics_engine/sql")) {
      await handOver(env.ANALYTICS_ENGINE);
      return env.ANALYTICS_ENGINE.fetch(request);
    }
    const response = await gateway.fetch(request, withDataset(env), ctx);
    if (dataset.size >= BATCH) ctx.waitUntil(handOver(env.ANALYTICS_ENGINE));
    if (env.DEMO_KEY === undefined || !response.headers.get("content-type")?.startsWith("text/html")) return response;
    // Tells a page a key to try the API with: src/docs/page/page.ts enters it.
    const meta = `<meta name="demo-key" content="${env.DEMO_KEY}">`;
    return new HTMLRewriter()
      .on("head", { element: (head) => void head.append(meta, { html: true }) })
      .transform(response);
  },
  scheduled: (controller, env, ctx) => gateway.scheduled(controller, withDataset(env), ctx),
} satisfies ExportedHandler<LocalEnv>;

/** One object for the life of the isolate, as the runtime's own is. */
function withDataset(env: LocalEnv): LocalEnv {
  gatewayEnv ??= env.ANALYTICS_ENGINE === undefined ? env : { ...env, ANALYTICS: dataset };
  return gatewayEnv;
}

async function handOver(engine: Fetcher | undefined): Promise<void> {
  await engine?.fetch("http://local/points", { method: "POST", body: JSON.stringify(dataset.take()) });
}
