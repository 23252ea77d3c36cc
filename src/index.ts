import { WorkerEntrypoint } from "cloudflare:workers";
export class Api extends WorkerEntrypoint<Env, { keyHash?: string }> {
  override async fetch(request: Request): Promise<Response> {
    return Response.json({ p: this.ctx.props, u: request.url }, { headers: { "cache-control": "no-store" } });
  }
}
export default {
  async fetch(request, _env, ctx) {
    const u = new URL(request.url);
    return ctx.exports.Api({ props: { keyHash: "ab" } }).fetch("https://x" + u.pathname);
  },
} satisfies ExportedHandler<Env>;
