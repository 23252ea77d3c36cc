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
    if (request.url.endsWith("/analytics_engine/sql")) return querySql(request, env);
    const response = await gateway.fetch(request, withDataset(env), ctx);
    if (dataset.size >= BATCH) ctx.waitUntil(handOver(env));
    return offerDemoKey(response, env.DEMO_KEY);
  },
  scheduled: (controller, env, ctx) => gateway.scheduled(controller, withDataset(env), ctx),
} satisfies ExportedHandler<LocalEnv>;

/** One object for the life of the isolate, as the runtime's own is. */
function withDataset(env: LocalEnv): LocalEnv {
  gatewayEnv ??= env.ANALYTICS_ENGINE === undefined ? env : { ...env, ANALYTICS: dataset };
  return gatewayEnv;
}

async function querySql(request: Request, env: LocalEnv): Promise<Response> {
  await handOver(env);
  return (await env.ANALYTICS_ENGINE?.fetch(request)) ?? new Response(null, { status: 404 });
}

async function handOver({ ANALYTICS_ENGINE }: LocalEnv): Promise<void> {
  await ANALYTICS_ENGINE?.fetch("http://local/points", { method: "POST", body: JSON.stringify(dataset.take()) });
}

/**
 * Tells a page a key to try the API with: src/docs/page/page.ts enters it.
 *
 * @param key undefined where the database has none that is public
 */
function offerDemoKey(response: Response, key: string | undefined): Response {
  if (key === undefined || !response.headers.get("content-type")?.startsWith("text/html")) return response;
  return new HTMLRewriter()
    .on("head", { element: (head) => void head.append(`<meta name="demo-key" content="${key}">`, { html: true }) })
    .transform(response);
}
