// The ceiling of the runtime: Hono and a constant.
import { Hono } from "hono";
import { type ConstantEnv, headersOf } from "./constant.ts";

const app = new Hono<{ Bindings: ConstantEnv }>();
app.get("/v3/applications/:id/processes/:process_id", (c) => c.body(c.env.PAYLOAD, 200, headersOf(c.env)));

export default app;
