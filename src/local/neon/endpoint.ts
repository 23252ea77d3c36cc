// An HTTP server that answers @neondatabase/serverless as Neon's proxy does, from any Postgres.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import pg from "pg";
import { EndpointError, statementError } from "./errors.ts";
import { cancel, openConnections } from "./pool.ts";
import { assertDriver, readBody, readCredentials, readIsolationLevel, runQuery } from "./query.ts";

/**
 * Sees every well-formed `POST /sql`; its body is `{ query, params }` or `{ queries: [{ query, params }] }`. Returns true to
 * keep the response for itself: then it answers, now or later, or never, or destroys `response.socket`. Returns false to let
 * the request pass, at once or when the promise settles.
 */
export type Intercept = (
  request: { method: string; headers: IncomingHttpHeaders; body: unknown },
  response: ServerResponse,
) => boolean | Promise<boolean>;

export interface NeonEndpointOptions {
  /** The Postgres to query. Requests bring their own user, password and database; this gives host, port and TLS. */
  connectionString: string;
  /** Upper bound of a user's connections; further requests wait. 20, as the proxy keeps for one endpoint, by default. */
  maxConnections?: number;
  /** Upper bound of requests that wait; further ones are refused. 100, as the proxy's `connect_compute_lock`, by default. */
  maxWaiting?: number;
  intercept?: Intercept;
}

export interface NeonEndpoint {
  /**
   * The DATABASE_URL that leads the driver here: host and port of this server, the rest as upstream. The driver insists on
   * a user, a password and a database. Where upstream has none, they are node-postgres's own, and a password of this server.
   */
  connectionString: string;
  /** For `neonConfig.fetchEndpoint`: `http://127.0.0.1:PORT/sql`. */
  url: string;
  /** Drops open requests and all connections. */
  close(): Promise<void>;
}

/**
 * Starts a server on 127.0.0.1 that speaks Neon's SQL-over-HTTP protocol.
 *
 * Follows the proxy's source: https://github.com/neondatabase/neon/tree/main/proxy/src/serverless.
 * It knows what `@neondatabase/serverless` asks for, which is rows as arrays of Postgres's own text, and refuses the rest.
 *
 * @throws when `connectionString` is not a URL.
 */
export async function startNeonEndpoint(options: NeonEndpointOptions): Promise<NeonEndpoint> {
  const { intercept, maxConnections = 20, maxWaiting = 100 } = options;
  const upstream = completed(options.connectionString);
  const ownPassword = randomUUID();
  const connections = openConnections(maxConnections, maxWaiting);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<string | undefined> {
    assertDriver(request);
    const { method = "", headers } = request;
    const url = readCredentials(headers, upstream);
    // Postgres asks for none, or it is found elsewhere (PGPASSWORD).
    if (url.password === ownPassword) url.password = "";
    const level = readIsolationLevel(headers);
    const body = readBody(await text(request));
    if (await intercept?.({ method, headers, body }, response)) return undefined;
    return await connections.lend(url, async (client) => {
      // Nobody is left to read the result of a client that hangs up: Postgres is told to stop, as the proxy does.
      const stop = () => cancel(client);
      response.once("close", stop);
      const isLeft = () => response.destroyed;
      return await runQuery(client, body, level, isLeft)
        .catch((error) => {
          throw statementError(error);
        })
        .finally(() => response.off("close", stop));
    });
  }

  const server = createServer(async (request, response) => {
    const end = (status: number, json: string) =>
      response
        .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(json) })
        .end(json);
    try {
      const json = await answer(request, response);
      if (json !== undefined) end(200, json);
    } catch (error) {
      const known = error instanceof EndpointError ? error : new EndpointError(500, { message: String(error) });
      end(known.status, known.body);
    }
  });
  // A server that closes idle connections can do so while a request is on its way. Here the client closes first.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { password } = upstream;
  const connectionString = Object.assign(new URL(upstream), { host, search: "", password: password || ownPassword });
  return {
    connectionString: connectionString.href,
    url: `http://${host}/sql`,
    async close() {
      server.close();
      server.closeAllConnections();
      await connections.close();
    },
  };
}

/** Adds what the driver insists on and node-postgres does not: its own defaults for host, user and database. */
function completed(connectionString: string): URL {
  const url = new URL(connectionString);
  const { host, user = "", database = "" } = new pg.Client({ connectionString });
  if (url.hostname === "") {
    url.hostname = "localhost";
    // May be a socket's path.
    url.searchParams.set("host", host);
  }
  if (url.username === "") url.username = user;
  if (url.pathname.length < 2) url.pathname = database;
  return url;
}
