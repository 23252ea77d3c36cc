import { once } from "node:events";
import { createServer } from "node:net";

/** @param host the name or address that the port is to be free on */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No free TCP port");
  return address.port;
}
