// The Worker as it runs on one machine: production code, in front of it a cache that behaves as Cloudflare's does, and
// behind it the local Neon endpoint.
import "./loopback.ts";
import gateway, { Api as UncachedApi } from "../worker/index.ts";
import { cached } from "./cache/index.ts";

export const Api = cached(UncachedApi);

export default {
  async fetch(request, env, ctx) {
    return offerDemoKey(await gateway.fetch(request, env, ctx), env.DEMO_KEY);
  },
  scheduled: gateway.scheduled,
} satisfies ExportedHandler<Env & { DEMO_KEY?: string }>;

/**
 * Tells a page a key to try the API with: src/docs/page/page.js enters it.
 *
 * @param key undefined where the database has none that is public
 */
function offerDemoKey(response: Response, key: string | undefined): Response {
  if (key === undefined || !response.headers.get("content-type")?.startsWith("text/html")) return response;
  return new HTMLRewriter()
    .on("head", { element: (head) => void head.append(`<meta name="demo-key" content="${key}">`, { html: true }) })
    .transform(response);
}
