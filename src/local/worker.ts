// The Worker as it runs on one machine: production code, reaching the local Neon endpoint.
import { neonConfig } from "@neondatabase/serverless";

const remoteEndpoint = neonConfig.fetchEndpoint;
neonConfig.fetchEndpoint = (host, port, options) => {
  if (isLoopback(host)) return `http://${host}:${port}/sql`;
  return typeof remoteEndpoint === "string" ? remoteEndpoint : remoteEndpoint(host, port, options);
};

export { Api, default } from "../index.ts";

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "127.0.0.1" || host === "[::1]";
}
