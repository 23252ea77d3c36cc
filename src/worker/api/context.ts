import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Database } from "../db/client.ts";
import type { Config } from "../shared/config.ts";

/** What the gateway tells the Api of the caller. Part of the key of the edge cache. */
export interface ApiProps {
  /** SHA-256 of the Bearer token in hexadecimal; absent on public paths. */
  keyHash?: string;
}

export interface ApiEnv {
  Bindings: { config: Config; db: Database; props: ApiProps };
}

export type ApiApp = OpenAPIHono<ApiEnv>;
export type ApiContext = Context<ApiEnv>;
