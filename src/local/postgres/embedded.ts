// Postgres without installing Postgres: PGlite (PostgreSQL compiled to WebAssembly) behind a TCP port.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketHandler } from "@electric-sql/pglite-socket";
import { Turns } from "./turns.ts";

export interface EmbeddedPostgresOptions {
  /** TCP port on 127.0.0.1; a free one by default. */
  port?: number;
  /** Folder that keeps the data; in memory by default. One process at a time may have it open. */
  dataDir?: string;
  /** What the data begins with: a dump of PGlite's `dumpDataDir`. */
  loadDataDir?: Blob;
}

export interface EmbeddedPostgres {
  /** For `pg`, `psql` or the Neon endpoint. PGlite asks for no password and has this one database. */
  connectionString: string;
  /** Drops every connection and stops the server. Data survives only in `dataDir`. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts PostgreSQL 18 inside this process, reachable on 127.0.0.1 by any number of clients at once.
 *
 * All clients share one session (see `Turns`): a transaction left open makes the others wait, session state ends with
 * somebody else's query, and queries run one after another on this process's thread. Not there: TLS, passwords,
 * cancelling a query, LISTEN, COPY FROM STDIN (refused), and databases other than `postgres`.
 *
 * @throws when the port is taken, or `dataDir` cannot be opened.
 * @see https://pglite.dev/docs/pglite-socket
 */
export async function startEmbeddedPostgres({
  port,
  ...data
}: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  return serveEmbeddedPostgres(await PGlite.create(data), port);
}

/** Puts a PGlite behind a port: {@link startEmbeddedPostgres} says how. It is closed with it. */
export async function serveEmbeddedPostgres(db: PGlite, port = 0): Promise<EmbeddedPostgres> {
  // The handler speaks to its queue through the public methods alone; the class has private fields, hence the cast.
  type Queue = ConstructorParameters<typeof PGLiteSocketHandler>[0]["queryQueue"];
  const turns = new Turns(db);
  const queryQueue = turns as unknown as Queue;
  const sockets = new Set<Socket>();

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void new PGLiteSocketHandler({ queryQueue, closeOnDetach: true }).attach(socket);
  });
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch (error) {
    await db.close();
    throw error;
  }

  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The embedded Postgres has no TCP address");

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await Promise.all([closed, turns.stop()]);
    await db.close();
  }
  return {
    connectionString: `postgres://postgres:postgres@127.0.0.1:${address.port}/postgres`,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
