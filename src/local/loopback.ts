// Import it for its effect: a database on this machine is reached through the local Neon endpoint, any other as always.
import { neonConfig } from "@neondatabase/serverless";
import { isLoopback } from "../node/loopback.ts";

const remoteEndpoint = neonConfig.fetchEndpoint;
neonConfig.fetchEndpoint = (host, port, options) => {
  if (isLoopback(host)) return `http://${host}:${port}/sql`;
  return typeof remoteEndpoint === "string" ? remoteEndpoint : remoteEndpoint(host, port, options);
};
