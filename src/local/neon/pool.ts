// Upstream connections, shared by requests that bring the same credentials.
import { connect } from "node:net";
import pg from "pg";

/** Neon's proxy gives up after as long. */
const CONNECT_TIMEOUT_MS = 15_000;

/** Rows stay the text that Postgres sent: nothing is parsed here only to be written as text again. */
const TEXT_ONLY: pg.CustomTypesConfig = { getTypeParser: () => (text: string) => text };

/** A connection for the time of one request. */
export class Lease {
  readonly client: pg.Client;
  #cancelled = false;

  constructor(client: pg.Client) {
    this.client = client;
  }

  /** No further statement may be sent. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  /**
   * Asks Postgres to stop what the connection is doing; the embedded Postgres cannot.
   * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
   */
  cancel(): void {
    this.#cancelled = true;
    const { host, port, processID, secretKey } = this.client as Cancellable;
    const request = Buffer.alloc(16);
    request.writeInt32BE(16, 0);
    request.writeInt32BE(80877102, 4);
    request.writeInt32BE(processID ?? 0, 8);
    request.writeInt32BE(secretKey ?? 0, 12);
    // Postgres takes cancel requests without TLS, answers nothing, and closes.
    const socket = connect(port, host, () => socket.end(request));
    socket.on("error", () => {});
    socket.unref();
  }
}

/** A connection could not be had; `cause` says why. */
export class ConnectError extends Error {}

/** There are as many requests under way and waiting as may be. */
export class BusyError extends Error {}

/** The numbers by which a client cancels a query; `pg` keeps it, its published types do not say so. */
type Cancellable = pg.Client & { processID: number | null; secretKey: number | null };

/**
 * At most `maxConnections` connections, whatever the number of different credentials: for new ones, the connection that
 * has been idle longest makes room. Requests beyond that wait their turn, `maxWaiting` of them; more are refused.
 *
 * A connection is reset between two requests, so that the second finds no setting, temporary table, prepared statement,
 * lock or transaction of the first.
 */
export class ConnectionPool {
  readonly #maxConnections: number;
  readonly #maxWaiting: number;
  /** Longest idle first. */
  #idle: { url: string; client: pg.Client }[] = [];
  readonly #open = new Set<pg.Client>();
  #leased = 0;
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  constructor(maxConnections: number, maxWaiting: number) {
    this.#maxConnections = maxConnections;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Runs `work` on a connection of its own. Settles with `work`; the reset follows in the background.
   *
   * @throws BusyError, ConnectError, or whatever `work` throws
   */
  async use<T>(url: string, work: (lease: Lease) => Promise<T>): Promise<T> {
    await this.#slot();
    let lease: Lease;
    try {
      lease = new Lease(this.#takeIdle(url) ?? (await this.#connect(url)));
    } catch (cause) {
      this.#freeSlot();
      throw new ConnectError("No connection to Postgres", { cause });
    }
    try {
      return await work(lease);
    } finally {
      void this.#recycle(url, lease);
    }
  }

  /** Ends every connection at once, also those in use: their requests fail. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#idle = [];
    for (const next of this.#waiting.splice(0)) next();
    await Promise.all([...this.#open].map((client) => client.end()));
  }

  async #slot(): Promise<void> {
    if (this.#leased < this.#maxConnections) {
      this.#leased++;
      return;
    }
    if (this.#waiting.length >= this.#maxWaiting) throw new BusyError();
    // A slot is handed over, not freed and taken: whoever waits longest gets it.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #freeSlot(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#leased--;
  }

  #takeIdle(url: string): pg.Client | undefined {
    const index = this.#idle.findLastIndex((idle) => idle.url === url);
    return index === -1 ? undefined : this.#idle.splice(index, 1)[0]?.client;
  }

  async #connect(url: string): Promise<pg.Client> {
    if (this.#open.size >= this.#maxConnections) await this.#idle.shift()?.client.end();
    if (this.#closed) throw new Error("The pool is closed");
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      types: TEXT_ONLY,
    });
    this.#open.add(client);
    const forget = () => {
      this.#open.delete(client);
      this.#idle = this.#idle.filter((idle) => idle.client !== client);
    };
    client.once("end", forget);
    // The server may end an idle connection; one in use learns of it through its query.
    client.on("error", forget);
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end();
      forget();
      throw error;
    }
  }

  async #recycle(url: string, { client, cancelled }: Lease): Promise<void> {
    try {
      // A late cancel request would hit the next one's statement.
      if (cancelled || this.#closed) throw new Error("Not for reuse");
      if (client.getTransactionStatus() !== "I") await client.query("ROLLBACK");
      await client.query("DISCARD ALL");
      this.#idle.push({ url, client });
    } catch {
      await client.end();
    }
    this.#freeSlot();
  }
}
