// The least that an answer can cost that is authenticated and cached: the hash of the key, and a call to an entrypoint.
import { WorkerEntrypoint } from "cloudflare:workers";
import { type ConstantEnv, headersOf } from "./constant.ts";

const encoder = new TextEncoder();

export class Constant extends WorkerEntrypoint<ConstantEnv> {
  override fetch(): Response {
    return new Response(this.env.PAYLOAD, { headers: headersOf(this.env) });
  }
}

/** The types of `exports` are those of our Worker. */
interface Exports {
  Constant(options: { props: { keyHash: string } }): Fetcher;
}

export default {
  async fetch(request, _env, ctx) {
    const token = request.headers.get("authorization")?.slice("Bearer ".length);
    const hash = await crypto.subtle.digest("SHA-256", encoder.encode(token));
    const props = { keyHash: new Uint8Array(hash).toHex() };
    return (ctx.exports as unknown as Exports).Constant({ props }).fetch(request.url);
  },
} satisfies ExportedHandler<ConstantEnv>;
