// The Worker as it runs on one machine: production code, in front of it a cache that behaves as Cloudflare's does, and
// behind it the local Neon endpoint.
import { neonConfig } from "@neondatabase/serverless";
import { Api as UncachedApi } from "../index.ts";
import { cached } from "./cache/index.ts";

export { default } from "../index.ts";

export const Api = cached(UncachedApi);

const remoteEndpoint = neonConfig.fetchEndpoint;
neonConfig.fetchEndpoint = (host, port, options) => {
  if (isLoopback(host)) return `http://${host}:${port}/sql`;
  return typeof remoteEndpoint === "string" ? remoteEndpoint : remoteEndpoint(host, port, options);
};

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "127.0.0.1" || host === "[::1]";
}
