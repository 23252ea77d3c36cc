// Postgres without installing Postgres: PGlite (PostgreSQL compiled to WebAssembly) behind a TCP port.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketHandler } from "@electric-sql/pglite-socket";
import { Turns } from "./turns.ts";

export interface EmbeddedPostgresOptions {
  /** Folder that keeps the data; in memory by default. One process at a time may have it open. */
  dataDir?: string;
  /** The path of what the data begins with: a {@link EmbeddedPostgres.dump}. An empty cluster by default. */
  snapshot?: string;
}

export interface EmbeddedPostgres {
  /** For `pg`, `psql` or the Neon endpoint. PGlite asks for no password and has this one database. */
  connectionString: string;
  /** All data, as a tar archive. */
  dump(): Promise<Uint8Array>;
  /** Drops every connection and stops the server. Data survives only in `dataDir`. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts PostgreSQL 18 inside this process, reachable on a free port of 127.0.0.1 by any number of clients at once.
 *
 * All clients share one session (see `Turns`): a transaction left open makes the others wait, session state ends with
 * somebody else's query, and queries run one after another on this process's thread. Not there: TLS, passwords,
 * cancelling a query, LISTEN, COPY FROM STDIN (refused), and databases other than `postgres`.
 *
 * @throws when `dataDir` cannot be opened.
 * @see https://pglite.dev/docs/pglite-socket
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const db = await openPGlite(options);
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
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
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
    dump: () => dumpOf(db),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

const MODULES = join(import.meta.dirname, "../../../node_modules");

const dumpOf = async (db: PGlite): Promise<Uint8Array> => (await db.dumpDataDir("none")).bytes();

/** Making an empty cluster takes PGlite several seconds, and loading one less than one: the first start keeps what it made. */
async function openPGlite({ dataDir, snapshot }: EmbeddedPostgresOptions): Promise<PGlite> {
  const where = dataDir === undefined ? {} : { dataDir };
  if (dataDir !== undefined && existsSync(join(dataDir, "PG_VERSION"))) return PGlite.create(where);
  const { version } = JSON.parse(readFileSync(join(MODULES, "@electric-sql/pglite/package.json"), "utf8"));
  const path = snapshot ?? join(MODULES, `.cache/process-api/pglite-${version}.tar`);
  const isThere = snapshot !== undefined || existsSync(path);
  if (isThere) return PGlite.create({ ...where, loadDataDir: new Blob([readFileSync(path)]) });
  const db = await PGlite.create(where);
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
