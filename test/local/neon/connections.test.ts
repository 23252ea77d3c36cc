// Who is let through to Postgres, over how many connections, and what becomes of them.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { neon } from "@neondatabase/serverless";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Intercept, startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { eventLoopTurns, isEmbedded, onPostgres, post, upstream, withEndpoint } from "./requests.ts";

describe("credentials", () => {
  const role = `endpoint_test_${randomBytes(4).toString("hex")}`;
  const query = "SELECT current_user AS role, current_database() AS database";

  beforeAll(() => onPostgres(`CREATE ROLE ${role} LOGIN PASSWORD 'right: /?#'`));
  afterAll(() => onPostgres(`DROP ROLE ${role}`));

  function as(user: string, password: string, database: string): Record<string, string> {
    const encoded = `${user}:${encodeURIComponent(password)}`;
    return { "Neon-Connection-String": `postgres://${encoded}@ep-any-name.neon.tech/${database}?sslmode=require` };
  }

  // The embedded Postgres has one role and one database, and asks for no password.
  it.skipIf(isEmbedded)("of the request are those that Postgres gets", async () => {
    const { json } = await post({ query }, as(role, "right: /?#", "template1"));
    expect(json.rows).toEqual([{ role, database: "template1" }]);
  });

  it.skipIf(isEmbedded)(
    "that are wrong get the proxy's words, for a role that exists and for one that does not",
    async () => {
      for (const user of [role, "no_such_role"]) {
        const { status, json } = await post({ query }, as(user, "wrong", "template1"));
        expect({ status, ...json }).toMatchObject({
          status: 400,
          code: "",
          message: `password authentication failed for user '${user}'`,
        });
      }
      expect((await post({ query }, as(role, "right: /?#", "template1"))).status).toBe(200);
    },
  );

  it.skipIf(isEmbedded)("for a database that does not exist get Postgres's error", async () => {
    const { status, json } = await post({ query }, as(role, "right: /?#", "no_such_database"));
    expect({ status, ...json }).toMatchObject({
      status: 400,
      code: "3D000",
      severity: "FATAL",
      message: 'database "no_such_database" does not exist',
    });
  });

  it("that the URL of Postgres does not have are found as node-postgres finds them", async () => {
    const { username, password, host, pathname } = new URL(upstream);
    vi.stubEnv("PGUSER", decodeURIComponent(username));
    vi.stubEnv("PGPASSWORD", decodeURIComponent(password));
    vi.stubEnv("PGDATABASE", pathname.slice(1));
    onTestFinished(() => void vi.unstubAllEnvs());
    await withEndpoint({ connectionString: `postgres://${host}` }, async (bare) => {
      const rows = await neon(bare.connectionString).query(query);
      expect(rows).toEqual([{ role: decodeURIComponent(username), database: pathname.slice(1) }]);
      const withAnother = new URL(bare.connectionString);
      withAnother.password = "another";
      const { status } = await post({ query }, { "Neon-Connection-String": withAnother.href }, bare);
      // The embedded Postgres asks for no password.
      expect(status).toBe(isEmbedded ? 200 : 400);
    });
  });

  it("are of no use when Postgres is not there", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    await withEndpoint({ connectionString: `postgres://u:p@127.0.0.1:${port}/db` }, async (unreachable) => {
      const { status, json } = await post({ query }, {}, unreachable);
      expect({ status, ...json }).toMatchObject({ status: 500, code: "", message: "Couldn't connect to compute node" });
    });
  });
});

/** Stands between an endpoint and Postgres, and counts connections and their resets. */
class Tap {
  readonly #server = createServer((socket) => this.#join(socket));
  readonly #target = new URL(upstream);
  readonly #sockets = new Set<Socket>();
  peak = 0;
  total = 0;
  resets = 0;

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const url = new URL(upstream);
    url.host = `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
    return url.href;
  }

  get open(): number {
    return this.#sockets.size;
  }

  /** Connections are reset after the answer, in the background. */
  async reset(times: number): Promise<void> {
    while (this.resets < times) await eventLoopTurns(1);
    await eventLoopTurns(10);
  }

  /** Breaks every connection, or waits until they have ended by themselves. */
  async ended({ broken }: { broken: boolean }): Promise<void> {
    const sockets = [...this.#sockets];
    if (broken) for (const socket of sockets) socket.destroy();
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }

  async stop(): Promise<void> {
    this.#server.close();
    await this.ended({ broken: true });
  }

  #join(socket: Socket): void {
    const other = connect(Number(this.#target.port), this.#target.hostname);
    socket.pipe(other).pipe(socket);
    other.on("data", (data) => {
      this.resets += data.toString("latin1").split("DISCARD ALL").length - 1;
    });
    for (const end of [socket, other]) end.on("error", () => {});
    socket.once("close", () => {
      this.#sockets.delete(socket);
      other.destroy();
    });
    this.#sockets.add(socket);
    this.total++;
    this.peak = Math.max(this.peak, this.#sockets.size);
  }
}

describe("many requests at once", () => {
  let tap: Tap;
  let tapped: string;

  beforeEach(async () => {
    tap = new Tap();
    tapped = await tap.start();
  });

  afterEach(() => tap.stop());

  it("each get their own answer, and transactions do not mix", async () => {
    const name = `counter_${randomBytes(4).toString("hex")}`;
    await onPostgres(`CREATE TABLE ${name} AS SELECT 0 AS n`);
    const increment = { query: `UPDATE ${name} SET n = n + 1 RETURNING n` };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        i % 2 === 0
          ? post({ query: "SELECT $1::int AS i", params: [`${i}`] })
          : post({ queries: [increment, increment, { query: `SELECT n FROM ${name}` }] }),
      ),
    );
    const total = await onPostgres(`SELECT n FROM ${name}`);
    await onPostgres(`DROP TABLE ${name}`);
    expect(total).toBe(50);
    for (const [i, { json }] of answers.entries()) {
      if (i % 2 === 0) {
        expect(json.rows).toEqual([{ i }]);
        continue;
      }
      const [first, second, seen] = json.results.map((result: { rows: { n: number }[] }) => result.rows[0]?.n);
      expect([second, seen]).toEqual([first + 1, first + 1]);
    }
  });

  it.each([1, 3])("use no more than %d connections, and use them again", async (maxConnections) => {
    await withEndpoint({ connectionString: tapped, maxConnections }, async (bounded) => {
      for (let round = 0; round < 2; round++) {
        const answers = await Promise.all(Array.from({ length: 30 }, () => post({ query: "SELECT 1" }, {}, bounded)));
        expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(200));
      }
      expect(tap.peak).toBe(maxConnections);
      expect(tap.total).toBe(maxConnections);
    });
  });

  it("of different users share the bound: the connection that was idle longest makes room", async () => {
    const roles = Array.from({ length: 3 }, () => `endpoint_test_${randomBytes(4).toString("hex")}`) as [
      string,
      string,
      string,
    ];
    for (const role of roles) await onPostgres(`CREATE ROLE ${role} LOGIN PASSWORD 'p'`);
    const [a, b, c] = roles;
    await withEndpoint({ connectionString: tapped, maxConnections: 2 }, async (bounded) => {
      let sent = 0;
      async function connectionsAfter(...requests: string[]): Promise<number> {
        sent += requests.length;
        const answers = await Promise.all(
          requests.map((role) => {
            const url = new URL(bounded.connectionString);
            url.username = role;
            url.password = "p";
            return post({ query: "SELECT 1" }, { "Neon-Connection-String": url.href }, bounded);
          }),
        );
        expect(answers.map(({ status }) => status)).toEqual(requests.map(() => 200));
        await tap.reset(sent);
        return tap.total;
      }

      expect(await connectionsAfter(a)).toBe(1);
      expect(await connectionsAfter(b)).toBe(2);
      expect(await connectionsAfter(a)).toBe(2);
      expect(await connectionsAfter(c)).toBe(3);
      expect(await connectionsAfter(a)).toBe(3);
      expect(await connectionsAfter(b)).toBe(4);
      await connectionsAfter(a, b, c, a, b, c);
      expect(tap.peak).toBe(2);
    });
    for (const role of roles) await onPostgres(`DROP ROLE ${role}`);
  });

  it("are refused beyond those that may wait, at once and in the proxy's words", async () => {
    // A server that accepts connections and never speaks.
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const connectionString = `postgres://u:p@127.0.0.1:${(silent.address() as { port: number }).port}/d`;
    let others: Promise<unknown>[] = [];
    await withEndpoint({ connectionString, maxConnections: 1, maxWaiting: 1 }, async (bounded) => {
      const url = { "Neon-Connection-String": bounded.connectionString };
      others = Array.from({ length: 3 }, () => post({ query: "SELECT 1" }, url, bounded));
      const refused = (await Promise.race(others)) as Awaited<ReturnType<typeof post>>;
      expect(refused.status).toBe(500);
      expect(refused.json).toMatchObject({ code: "", message: expect.stringMatching(/^Failed to acquire permit/) });
    });
    expect((await Promise.allSettled(others)).filter(({ status }) => status === "rejected")).toHaveLength(2);
    silent.close();
  });

  it("keep their connection when a transaction fails, or is never ended", async () => {
    await withEndpoint({ connectionString: tapped, maxConnections: 1 }, async (single) => {
      const begun = { query: "SELECT 1 AS begun" };
      expect((await post({ queries: [begun, { query: "SELECT 1 / 0" }] }, {}, single)).status).toBe(400);
      expect((await post({ query: "BEGIN" }, {}, single)).status).toBe(200);
      expect((await post({ queries: [begun] }, {}, single)).status).toBe(200);
      expect(tap.total).toBe(1);
    });
  });

  it("go on after Postgres has dropped the connections", async () => {
    await withEndpoint({ connectionString: tapped }, async (reconnecting) => {
      expect((await post({ query: "SELECT 1" }, {}, reconnecting)).status).toBe(200);
      await tap.reset(1);
      await tap.ended({ broken: true });
      await eventLoopTurns(50);
      expect((await post({ query: "SELECT 1" }, {}, reconnecting)).status).toBe(200);
      expect(tap.total).toBe(2);
    });
  });

  it("end with the endpoint: it closes promptly, and leaves no connection", async () => {
    const arrived = Promise.withResolvers<void>();
    const hang: Intercept = ({ body }) => {
      if (!JSON.stringify(body).includes("hang")) return false;
      arrived.resolve();
      return true;
    };
    const closing = await startNeonEndpoint({ connectionString: tapped, intercept: hang });
    await Promise.all(Array.from({ length: 5 }, () => post({ query: "SELECT 1" }, {}, closing)));
    expect(tap.open).toBeGreaterThan(0);
    const hanging = post({ query: "hang" }, {}, closing).catch((error: Error) => error.name);
    await arrived.promise;
    const ended = tap.ended({ broken: false });
    await Promise.all([closing.close(), closing.close()]);
    expect(await hanging).toBe("TypeError");
    await ended;
    expect(tap.open).toBe(0);
    await expect(fetch(closing.url)).rejects.toThrow();
  });
});

describe("a client that hangs up", () => {
  it("before its query has run is not served", async () => {
    const name = `abandoned_${randomBytes(4).toString("hex")}`;
    await onPostgres(`CREATE TABLE ${name} (n int)`);
    const arrived = Promise.withResolvers<void>();
    const passed = Promise.withResolvers<void>();
    const waitForEnd: Intercept = async ({ headers }, response) => {
      if (headers["x-hangs-up"] === undefined) return false;
      arrived.resolve();
      await once(response, "close");
      passed.resolve();
      return false;
    };
    await withEndpoint({ intercept: waitForEnd, maxConnections: 1 }, async (intercepted) => {
      const insert = (n: number) => ({ queries: [{ query: `INSERT INTO ${name} VALUES (${n})` }] });
      const controller = new AbortController();
      const { signal } = controller;
      const abandoned = post(insert(1), { "x-hangs-up": "yes" }, intercepted, { signal });
      const outcome = abandoned.catch((error: Error) => error.name);
      await arrived.promise;
      controller.abort();
      expect(await outcome).toBe("AbortError");
      await passed.promise;
      await post(insert(2), {}, intercepted);
      expect((await post({ query: `SELECT n FROM ${name}` }, {}, intercepted)).json.rows).toEqual([{ n: 2 }]);
    });
    await onPostgres(`DROP TABLE ${name}`);
  });

  // PGlite cannot cancel: its queries run to their end, one after the other.
  it.skipIf(isEmbedded)("has its running query cancelled, which makes room for the next", async () => {
    const name = `locked_${randomBytes(4).toString("hex")}`;
    await onPostgres(`CREATE TABLE ${name} (n int)`);
    const locking = new pg.Client(upstream);
    await locking.connect();
    await locking.query(`BEGIN; LOCK TABLE ${name}`);
    await withEndpoint({ maxConnections: 1 }, async (single) => {
      const controller = new AbortController();
      const stuck = post({ query: `SELECT n FROM ${name}` }, {}, single, { signal: controller.signal });
      const outcome = stuck.catch((error: Error) => error.name);
      const waiting = `SELECT count(*)::int FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM ${name}'`;
      while ((await onPostgres(waiting)) !== 1);
      controller.abort();
      expect(await outcome).toBe("AbortError");
      expect((await post({ query: "SELECT 1 AS n" }, {}, single)).json.rows).toEqual([{ n: 1 }]);
      expect(await onPostgres(waiting)).toBe(0);
    });
    await locking.query(`ROLLBACK; DROP TABLE ${name}`);
    await locking.end();
  });
});
