// The least that a miss can cost: our statement, by Hono and Neon's driver, and the payload that the database has written.
import "../../../src/local/loopback.ts";
import { type NeonQueryFunction, neon } from "@neondatabase/serverless";
import { Hono } from "hono";

interface Env {
  DATABASE_URL: string;
  /** The statement of `getProcessForKey`, its parameters in the order below. */
  STATEMENT: string;
}

let database: NeonQueryFunction<false, false> | undefined;
const encoder = new TextEncoder();

const app = new Hono<{ Bindings: Env }>();
app.get("/v3/applications/:id/processes/:process_id", async (c) => {
  const { id, process_id } = c.req.param();
  const token = c.req.header("authorization")?.slice("Bearer ".length);
  const hash = await crypto.subtle.digest("SHA-256", encoder.encode(token));
  database ??= neon(c.env.DATABASE_URL);
  const keyHash = `\\x${new Uint8Array(hash).toHex()}`;
  const [row] = await database.query(c.env.STATEMENT, ["APP:READ", id, keyHash, id, process_id, "1"]);
  return c.body(row?.body, 200, { "content-type": "application/json" });
});

export default app;
