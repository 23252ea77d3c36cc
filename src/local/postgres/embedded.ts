// Postgres without installing Postgres: PGlite (PostgreSQL compiled to WebAssembly) behind a TCP port.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketHandler } from "@electric-sql/pglite-socket";
import { Turns } from "./turns.ts";

export interface EmbeddedPostgres {
  /** For `pg`, `psql` or the Neon endpoint. PGlite asks for no password and has this one database. */
  connectionString: string;
  /** All data, as a tar archive. */
  dump(): Promise<Uint8Array>;
  /** Drops every connection and stops the server. */
  close(): Promise<void>;
}

/**
 * Starts PostgreSQL 18 in memory, reachable on a free port of 127.0.0.1 by any number of clients at once.
 *
 * All clients share one session (see `Turns`): a transaction left open makes the others wait, session state ends with
 * somebody else's query, and queries run one after another on this process's thread. Not there: TLS, passwords,
 * cancelling a query, LISTEN, COPY FROM STDIN (refused), and databases other than `postgres`.
 *
 * @param snapshot the path of what the data begins with: a {@link EmbeddedPostgres.dump}. An empty cluster by default.
 * @see https://pglite.dev/docs/pglite-socket
 */
export async function startEmbeddedPostgres(snapshot?: string): Promise<EmbeddedPostgres> {
  const db = await openPGlite(snapshot);
  const turns = new Turns(db);
  // The handler speaks to its queue through the public methods alone; the class has private fields, hence the cast.
  type Queue = ConstructorParameters<typeof PGLiteSocketHandler>[0]["queryQueue"];
  const queryQueue = turns as unknown as Queue;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void new PGLiteSocketHandler({ queryQueue, closeOnDetach: true }).attach(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    connectionString: `postgres://postgres:postgres@127.0.0.1:${(server.address() as AddressInfo).port}/postgres`,
    dump: () => dumpOf(db),
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, turns.stop()]);
      await db.close();
    },
  };
}

const MODULES = join(import.meta.dirname, "../../../node_modules");

const dumpOf = async (db: PGlite): Promise<Uint8Array> => (await db.dumpDataDir("none")).bytes();

/** Making an empty cluster takes PGlite several seconds, and loading one less than one: the first start keeps what it made. */
async function openPGlite(snapshot: string | undefined): Promise<PGlite> {
  const { version } = JSON.parse(readFileSync(join(MODULES, "@electric-sql/pglite/package.json"), "utf8"));
  const path = snapshot ?? join(MODULES, `.cache/process-api/pglite-${version}.tar`);
  if (snapshot !== undefined || existsSync(path)) return PGlite.create({ loadDataDir: new Blob([readFileSync(path)]) });
  const db = await PGlite.create();
  writeWhole(path, await dumpOf(db));
  return db;
}

/** Writes a file that other processes find whole or not at all. */
export function writeWhole(path: string, content: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  writeFileSync(unfinished, content);
  renameSync(unfinished, path);
}
