// The Worker as it runs on one machine: production code, in front of it a cache that behaves as Cloudflare's does, and
// behind it the local Neon endpoint.
import "./loopback.ts";
import { Api as UncachedApi } from "../index.ts";
import { cached } from "./cache/index.ts";

export { default } from "../index.ts";

export const Api = cached(UncachedApi);
