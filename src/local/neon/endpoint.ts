// An HTTP server that answers @neondatabase/serverless as Neon's proxy does, from any Postgres.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import pg from "pg";
import { readIsolationLevel, runBatch } from "./batch.ts";
import { readCredentials } from "./credentials.ts";
import { cancelledError, EndpointError, upstreamError } from "./errors.ts";
import { parseBody } from "./payload.ts";
import { ConnectionPool, type Lease } from "./pool.ts";
import { runStatement } from "./statement.ts";

/** As many as the proxy keeps for one endpoint by default. */
const DEFAULT_MAX_CONNECTIONS = 20;

/** As many permits to connect as the proxy gives out for one endpoint (`connect_compute_lock`). */
const DEFAULT_MAX_WAITING = 100;

/** A well-formed `POST /sql`, before it reaches Postgres. */
export interface InterceptedRequest {
  method: string;
  headers: IncomingHttpHeaders;
  /** The parsed JSON: `{ query, params }` or `{ queries: [{ query, params }] }`. */
  body: unknown;
}

/**
 * Sees every well-formed `POST /sql`. Returns true to keep the response for itself: then it answers, now or later, or
 * never, or destroys `response.socket`. Returns false to let the request pass, at once or when the promise settles.
 * Throws an `EndpointError` to answer with that, worded as Neon would.
 */
export type Intercept = (request: InterceptedRequest, response: ServerResponse) => boolean | Promise<boolean>;

export interface NeonEndpointOptions {
  /** The Postgres to query. Requests bring their own user, password and database; this gives host, port and TLS. */
  connectionString: string;
  /** Upper bound of connections to Postgres; further requests wait. 20 by default. */
  maxConnections?: number;
  /** Upper bound of requests that wait; further ones are refused, with the proxy's error. 100 by default. */
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
  /** Drops open requests and all connections. Safe to call twice. */
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
  const upstream = completed(options.connectionString);
  const ownPassword = randomUUID();
  const pool = new ConnectionPool(
    options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    options.maxWaiting ?? DEFAULT_MAX_WAITING,
  );

  const server = createServer((request, response) => void handleQuery(request, response));
  // A server that closes idle connections can do so while a request is on its way. Here the client closes first.
  server.keepAliveTimeout = 0;

  async function handleQuery(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      assertDriver(request);
      const credentials = readCredentials(request.headers, upstream, ownPassword);
      const isolationLevel = readIsolationLevel(request.headers);
      const { json, payload } = parseBody(await text(request));

      const { method = "", headers } = request;
      if (await options.intercept?.({ method, headers, body: json }, response)) return;

      const body = await pool
        .use(credentials.upstreamUrl, (lease) =>
          cancelledByDisconnect(lease, response, () =>
            payload.kind === "single"
              ? runStatement(lease, payload.statement)
              : runBatch(lease, payload.statements, isolationLevel),
          ),
        )
        .catch((error: unknown) => {
          throw upstreamError(error, credentials.user);
        });
      answer(response, 200, body);
    } catch (error) {
      const known = error instanceof EndpointError ? error : new EndpointError(500, { message: String(error) });
      answer(response, known.status, known.body);
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The Neon endpoint has no TCP address");

  const connectionString = new URL(upstream);
  connectionString.hostname = "127.0.0.1";
  connectionString.port = String(address.port);
  connectionString.search = "";
  if (connectionString.password === "") connectionString.password = ownPassword;

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const closed = once(server, "close");
    server.close();
    const poolClosed = pool.close();
    server.closeAllConnections();
    await Promise.all([closed, poolClosed]);
  }
  return {
    connectionString: connectionString.href,
    url: `http://127.0.0.1:${address.port}/sql`,
    close: () => {
      closing ??= close();
      return closing;
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

/** @throws EndpointError 400 for another path, method, format or kind of transaction than the driver asks for here */
function assertDriver({ method, url, headers }: IncomingMessage): void {
  const isKnown = method === "POST" && url === "/sql";
  const isOther = headers["neon-batch-read-only"] === "true" || headers["neon-batch-deferrable"] === "true";
  if (!isKnown || isOther || headers["neon-array-mode"] !== "true" || headers["neon-raw-text-output"] !== "true") {
    throw new EndpointError(400, { message: "query is not supported" });
  }
}

/** Ends the response with JSON text. */
function answer(response: ServerResponse, status: number, json: string): void {
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(json) };
  response.writeHead(status, headers).end(json);
}

/** Nobody is left to read the result of a client that hangs up: Postgres is told to stop, as the proxy does. */
async function cancelledByDisconnect<T>(lease: Lease, response: ServerResponse, work: () => Promise<T>): Promise<T> {
  if (response.destroyed) throw cancelledError();
  const cancel = () => lease.cancel();
  response.once("close", cancel);
  try {
    return await work();
  } finally {
    response.off("close", cancel);
  }
}
