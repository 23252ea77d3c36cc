// Shared by the endpoint's tests: requests as the driver sends them, and a tap between an endpoint and Postgres.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import pg from "pg";
import { onTestFinished } from "vitest";
import { type NeonEndpoint, type NeonEndpointOptions, startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";

/** An endpoint for the time of one test. */
export async function startEndpoint(options: NeonEndpointOptions): Promise<NeonEndpoint> {
  const endpoint = await startNeonEndpoint(options);
  onTestFinished(() => endpoint.close());
  return endpoint;
}

interface Outcome {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the body is what the test is about to look at.
  json: any;
}

/** `POST /sql`; a body that is not text is sent as JSON. */
export async function post(
  { url, connectionString }: Pick<NeonEndpoint, "url" | "connectionString">,
  body: unknown,
  { headers, ...init }: { headers?: Record<string, string>; method?: string; signal?: AbortSignal } = {},
): Promise<Outcome> {
  const response = await fetch(url, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: {
      "neon-connection-string": connectionString,
      "neon-raw-text-output": "true",
      "neon-array-mode": "true",
      ...headers,
    },
    ...init,
  });
  return { status: response.status, json: await response.json() };
}

export const statement = (query: string, ...params: (string | null)[]) => ({ query, params });

/** The connection string of an endpoint, as somebody else. */
export function as(connectionString: string, { user = "", password = "p", database = "" }): string {
  const url = new URL(connectionString);
  if (user !== "") url.username = user;
  if (database !== "") url.pathname = database;
  url.password = password;
  return url.href;
}

/** Straight to Postgres, past the endpoint. @returns the first value */
export async function queryPostgres(connectionString: string, text: string): Promise<unknown> {
  const client = new pg.Client(connectionString);
  await client.connect();
  try {
    const { rows } = await client.query({ text, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

async function eventLoopTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A server on 127.0.0.1 for the time of one test. @returns its port */
export async function listen(onConnection: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => onConnection(socket.on("error", () => {}))).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { port: (server.address() as { port: number }).port, server };
}

/** Stands between an endpoint and Postgres for the time of one test, and counts connections and their resets. */
export async function tap(upstream: string) {
  const target = new URL(upstream);
  const sockets = new Set<Socket>();
  const count = { peak: 0, total: 0, resets: 0 };
  const { port } = await listen((socket) => {
    const other = connect(Number(target.port), target.hostname).on("error", () => {});
    socket.pipe(other).pipe(socket);
    other.on("data", (data) => {
      count.resets += data.toString("latin1").split("DISCARD ALL").length - 1;
    });
    socket.once("close", () => {
      sockets.delete(socket);
      other.destroy();
    });
    sockets.add(socket);
    count.total++;
    count.peak = Math.max(count.peak, sockets.size);
  });
  /** Settles when every connection has ended. */
  const ended = () =>
    Promise.all([...sockets].map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()))));
  const tapped = new URL(upstream);
  tapped.host = `127.0.0.1:${port}`;
  return {
    connectionString: tapped.href,
    count,
    open: () => sockets.size,
    /** Connections are reset after the response, in the background. */
    async untilReset(times: number): Promise<void> {
      while (count.resets < times) await eventLoopTurns(1);
      await eventLoopTurns(10);
    },
    ended,
    async breakAll(): Promise<void> {
      const broken = ended();
      for (const socket of sockets) socket.destroy();
      await broken;
      await eventLoopTurns(50);
    },
  };
}
