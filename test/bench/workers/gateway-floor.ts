// The least that Hono can answer with what is authenticated and cached: the hash of the key, a call to an entrypoint, and a response
// made anew of its body.
import { Hono } from "hono";
import { type ConstantEnv, headersOf } from "./constant.ts";

export { Constant } from "./constant.ts";

const encoder = new TextEncoder();

/** The types of `exports` are those of our Worker. */
interface Exports {
  Constant(options: { props: { keyHash: string } }): Fetcher;
}

const app = new Hono<{ Bindings: ConstantEnv }>();
app.get("/v3/applications/:id/processes/:process_id", async (c) => {
  const { url, headers } = c.req.raw;
  const token = headers.get("authorization")?.slice("Bearer ".length);
  const hash = await crypto.subtle.digest("SHA-256", encoder.encode(token));
  const { exports } = c.executionCtx as unknown as { exports: Exports };
  const { body } = await exports.Constant({ props: { keyHash: new Uint8Array(hash).toHex() } }).fetch(url);
  return new Response(body, { headers: headersOf(c.env) });
});

export default app;
