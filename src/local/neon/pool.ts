// Upstream connections, shared by requests that bring the same credentials.
import { connect } from "node:net";
import pg from "pg";
import { connectError, EndpointError } from "./errors.ts";

/** Neon's proxy gives up after as long. */
const CONNECT_TIMEOUT_MS = 15_000;
/** Rows stay the text that Postgres sent: nothing is parsed here only to be written as text again. */
const TEXT_ONLY: pg.CustomTypesConfig = { getTypeParser: () => (text: string) => text };
/** `TooManyConnectionAttempts` in https://github.com/neondatabase/neon/blob/main/proxy/src/serverless/backend.rs */
const BUSY =
  "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.";

/** The numbers by which a client cancels a query; `pg` keeps them, its published types do not say so. */
type Cancellable = pg.PoolClient & { processID: number | null; secretKey: number | null };

export interface Connections {
  /** Lends a connection, which is reset before it is lent again. @throws EndpointError */
  lend<T>(url: URL, work: (client: Cancellable) => Promise<T>): Promise<T>;
  /** Ends every connection at once, also those in use: their requests fail. */
  close(): Promise<void>;
}

/** @param maxWaiting how many requests may wait for one of the connections of a user */
export function openConnections(maxConnections: number, maxWaiting: number): Connections {
  const pools = new Map<string, pg.Pool>();
  const open = new Set<pg.Client>();

  /** The pool's own timeout would also end the wait for another request. */
  class Client extends pg.Client {
    constructor(config: pg.ClientConfig) {
      super({ ...config, types: TEXT_ONLY, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
      open.add(this);
      this.once("end", () => open.delete(this));
      // A query that is under way learns of it, too.
      this.on("error", () => open.delete(this));
    }
  }

  function poolOf(connectionString: string): pg.Pool {
    const known = pools.get(connectionString);
    if (known !== undefined) return known;
    // The published types know no `Client` with parameters.
    const pool = new pg.Pool({ connectionString, max: maxConnections, Client } as object);
    pool.on("error", () => {});
    pools.set(connectionString, pool);
    return pool;
  }

  return {
    async lend(url, work) {
      const pool = poolOf(url.href);
      if (pool.waitingCount >= maxWaiting) throw new EndpointError(500, { message: BUSY });
      const client = await pool.connect().catch((error) => {
        throw connectError(error, decodeURIComponent(url.username));
      });
      try {
        return await work(client as Cancellable);
      } finally {
        void recycle(client);
      }
    },
    async close() {
      for (const pool of pools.values()) void pool.end();
      pools.clear();
      await Promise.all([...open].map((client) => client.end()));
    },
  };
}

const cancelled = new WeakSet<pg.Client>();

/**
 * Asks Postgres to stop what the connection is doing; the embedded Postgres cannot.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export function cancel(client: Cancellable): void {
  cancelled.add(client);
  const request = Buffer.alloc(16);
  for (const [i, number] of [16, 80877102, client.processID ?? 0, client.secretKey ?? 0].entries()) {
    request.writeInt32BE(number, 4 * i);
  }
  // Postgres takes cancel requests without TLS, answers nothing, and closes.
  const socket = connect(client.port, client.host, () => socket.end(request));
  socket.on("error", () => {}).unref();
}

/** The next request finds no setting, temporary table, prepared statement, lock or transaction of this one. */
async function recycle(client: pg.PoolClient): Promise<void> {
  try {
    // A late cancel request would hit the next one's statement.
    if (cancelled.has(client)) throw new Error("Not for reuse");
    if (client.getTransactionStatus() !== "I") await client.query("ROLLBACK");
    await client.query("DISCARD ALL");
    client.release();
  } catch {
    client.release(true);
  }
}
