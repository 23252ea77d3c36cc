// PGlite is one backend with one session. pglite-socket's own queue hands it one protocol message at a time from whichever
// connection has one, so that two clients' Parse/Bind/Execute/Sync interleave and one binds the other's unnamed statement.
// Here a connection has the backend for a whole turn.
import type { PGlite } from "@electric-sql/pglite";

/** Parse, Bind, Describe, Execute and Close: the backend only acts on them together with what follows, up to Sync or Flush. */
const GATHERED = "PBDEC";
/** Terminate (the socket's close says it, too), and the data of a COPY that has been refused by then. */
const DROPPED = "Xdcf";
const [QUERY, SYNC, FLUSH] = ["Q", "S", "H"] as const;
const DISCARD_ALL = message(QUERY, "DISCARD ALL\0");

/**
 * PGlite runs a unit in one synchronous call, so that COPY FROM STDIN can never get its data; looking for it, PGlite 0.5
 * allocates until the process dies. Sent along with every command, CopyFail ends such a COPY with an ordinary error;
 * outside COPY the backend ignores it.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */
const COPY_FAIL = message("f", "the embedded Postgres cannot read from its clients\0");

/** Handlers count from 1. */
const NOBODY = 0;

/**
 * Shares PGlite's single session between connections, for `PGLiteSocketHandler`, which calls the three methods below.
 *
 * - A turn lasts from a connection's first message to the point where the backend is idle outside a transaction. An open
 *   transaction therefore makes every other connection wait: there is no second session that could run meanwhile.
 * - What a turn leaves in the session (SET, temporary tables, prepared statements, LISTEN) is discarded before another
 *   connection's turn: nothing leaks, and named statements never clash, but they do not outlive someone else's query.
 * - A connection that goes away in mid-turn is rolled back, also when it goes while its own BEGIN is running.
 *
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
export class Turns {
  readonly #db: PGlite;
  readonly #gathered = new Map<number, Uint8Array[]>();
  #waiting: { connection: number; run(): Promise<void> }[] = [];
  /** Whose turn it is, or was: the session may hold this connection's state. */
  #owner = NOBODY;
  /** The backend has extended-protocol messages without their Sync. */
  #midPipeline = false;
  #isRunning = false;
  #isStopped = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(db: PGlite) {
    this.#db = db;
  }

  /**
   * Takes one complete frontend message; settles when it has been run, or gathered for later.
   *
   * @throws only if PGlite itself has failed; `PGLiteSocketHandler` then closes the connection.
   */
  async enqueue(connection: number, message: Uint8Array, onData: (data: Uint8Array) => void): Promise<number> {
    const type = String.fromCharCode(message[0] ?? 0);
    const gathered = this.#gathered.get(connection) ?? [];
    if (GATHERED.includes(type)) {
      gathered.push(message);
      this.#gathered.set(connection, gathered);
    } else if (!DROPPED.includes(type)) {
      this.#gathered.delete(connection);
      // A Query's COPY reads what follows it. An Execute's would swallow the Sync if CopyFail were not in front of it.
      const tail = type === QUERY ? [message, COPY_FAIL] : [COPY_FAIL, message];
      const messages = type === QUERY || gathered.length > 0 ? Buffer.concat([...gathered, ...tail]) : message;
      await this.#inTurn(connection, async () => {
        if (connection !== this.#owner && this.#owner !== NOBODY) await this.#discardSession();
        this.#owner = connection;
        if (type === FLUSH) this.#midPipeline = true;
        onData(await this.#send(messages));
        if (type === SYNC) this.#midPipeline = false;
        const isDiscarded = DISCARD_ALL.equals(messages.subarray(0, DISCARD_ALL.length));
        if (isDiscarded && !this.#db.isInTransaction()) this.#owner = NOBODY;
      });
    }
    return message.length;
  }

  /** Drops what a closed connection sent and nobody will read the answer of. */
  clearQueueForHandler(connection: number): void {
    this.#gathered.delete(connection);
    this.#waiting = this.#waiting.filter((unit) => unit.connection !== connection);
  }

  /** Ends a closed connection's turn; settles when the backend is free for the next. Never rejects. */
  async clearTransactionIfNeeded(connection: number): Promise<void> {
    const end = async () => {
      if (connection === this.#owner) await this.#discardSession();
    };
    // A PGlite that fails here fails at the next statement, too, whose client is there to hear of it.
    await this.#inTurn(connection, end).catch(() => {});
  }

  /** Waits for what is running and drops all else, for good: PGlite can be closed then. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#idle;
  }

  #inTurn(connection: number, work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ connection, run: () => work().then(resolve, reject) });
      if (!this.#isRunning) this.#idle = this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#isRunning = true;
    for (let unit = this.#next(); unit; unit = this.#next()) await unit.run();
    this.#isRunning = false;
  }

  #next() {
    if (this.#isStopped) return undefined;
    if (!this.#midPipeline && !this.#db.isInTransaction()) return this.#waiting.shift();
    const index = this.#waiting.findIndex((unit) => unit.connection === this.#owner);
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  async #discardSession(): Promise<void> {
    this.#owner = NOBODY;
    if (this.#midPipeline) await this.#send(message(SYNC, ""));
    this.#midPipeline = false;
    if (this.#db.isInTransaction()) await this.#send(message(QUERY, "ROLLBACK\0"));
    await this.#send(DISCARD_ALL);
  }

  /** The whole answer at once: PGlite hands it out in pieces of a few bytes, which would be a packet each. */
  async #send(messages: Uint8Array): Promise<Uint8Array> {
    const answer: Uint8Array[] = [];
    await this.#db.execProtocolRawStream(messages, { onRawData: (data) => answer.push(data.slice()) });
    return Buffer.concat(answer);
  }
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html */
function message(type: string, content: string): Buffer {
  const bytes = Buffer.from(`${type}\0\0\0\0${content}`);
  bytes.writeInt32BE(bytes.length - 1, 1);
  return bytes;
}
