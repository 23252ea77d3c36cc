import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../src/local/postgres/embedded.ts";

let postgres: EmbeddedPostgres;
const clients: pg.Client[] = [];

beforeAll(async () => {
  postgres = await startEmbeddedPostgres();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
});

afterAll(() => postgres.close());

async function connect(connectionString = postgres.connectionString): Promise<pg.Client> {
  const client = new pg.Client(connectionString);
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

async function value(client: pg.Client, query: string, params: unknown[] = []): Promise<unknown> {
  const { rows } = await client.query({ text: query, values: params, rowMode: "array" });
  return rows[0]?.[0];
}

/** Time for what is on its way between sockets of this process to arrive. */
async function eventLoopTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The client vanishes without a word, as a killed process does. */
function die(client: pg.Client): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  stream.destroy();
}

/** Sends a query in parts, so that other clients' messages can come between them. */
class StepwiseQuery implements pg.Submittable {
  readonly row = Promise.withResolvers<unknown[]>();
  readonly #query: string;
  #connection: pg.Connection | undefined;

  constructor(query: string) {
    this.#query = query;
  }

  submit(connection: pg.Connection): void {
    this.#connection = connection;
    connection.parse({ name: "", text: this.#query, types: [] }, true);
    connection.bind({ values: [] }, true);
    connection.flush();
  }

  finish(): void {
    this.#connection?.execute({}, true);
    this.#connection?.sync();
  }

  // The method that pg calls with the backend's messages.
  handleDataRow({ fields }: { fields: unknown[] }): void {
    this.row.resolve(fields);
  }
  handleError(error: Error): void {
    this.row.reject(error);
  }
  handleRowDescription(): void {}
  handleCommandComplete(): void {}
  handleReadyForQuery(): void {}
}

describe("several clients at once", () => {
  it("talk to PostgreSQL 18", async () => {
    const [a, b] = await Promise.all([connect(), connect()]);
    expect(await value(a, "SHOW server_version")).toMatch(/^18\./);
    expect(await value(b, "SHOW server_version")).toMatch(/^18\./);
  });

  it("each get the answers to their own queries", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => connect()));
    const answers = await Promise.all(
      all.map(async (client, i) => {
        const sums: unknown[] = [];
        for (let n = 0; n < 25; n++) sums.push(await value(client, `SELECT $1::int + ${i}`, [n * 100]));
        return sums;
      }),
    );
    answers.forEach((sums, i) => {
      expect(sums).toEqual(Array.from({ length: 25 }, (_, n) => n * 100 + i));
    });
  });

  it("do not run each other's unnamed statement when their messages interleave", async () => {
    const [a, b] = await Promise.all([connect(), connect()]);
    const query = a.query(new StepwiseQuery("SELECT 'mine'"));
    const other = value(b, "SELECT $1::text", ["theirs"]);
    await eventLoopTurns(50);
    query.finish();
    expect(await query.row.promise).toEqual(["mine"]);
    expect(await other).toBe("theirs");
  });

  it("wait for another's transaction, and see what it committed", async () => {
    const [a, b] = await Promise.all([connect(), connect()]);
    await a.query("CREATE TABLE ordered (n int)");
    await a.query("BEGIN");
    const order: string[] = [];
    const waiting = value(b, "SELECT count(*)::int FROM ordered").then((count) => {
      order.push("other");
      return count;
    });
    for (let n = 0; n < 10; n++) await a.query("INSERT INTO ordered VALUES ($1)", [n]);
    order.push("transaction");
    await a.query("COMMIT");
    expect(await waiting).toBe(10);
    expect(order).toEqual(["transaction", "other"]);
  });

  it("go on after a statement of one has failed", async () => {
    const [a, b] = await Promise.all([connect(), connect()]);
    await expect(a.query("SELECT 1 / $1::int", [0])).rejects.toMatchObject({ code: "22012" });
    await expect(a.query("SELEC")).rejects.toMatchObject({ code: "42601" });
    expect(await value(a, "SELECT 1")).toBe(1);
    expect(await value(b, "SELECT 2")).toBe(2);
  });
});

describe("a client that dies", () => {
  it("in an open transaction is rolled back, and the others go on", async () => {
    const [dying, other] = await Promise.all([connect(), connect()]);
    await dying.query("BEGIN");
    await dying.query("CREATE TABLE left_behind ()");
    const waiting = value(other, "SELECT to_regclass('left_behind')");
    die(dying);
    expect(await waiting).toBeNull();
  });

  it("in a failed transaction does not stop the others", async () => {
    const [dying, other] = await Promise.all([connect(), connect()]);
    await dying.query("BEGIN");
    await expect(dying.query("SELECT 1 / 0")).rejects.toThrow();
    const waiting = value(other, "SELECT 1");
    die(dying);
    expect(await waiting).toBe(1);
  });

  it("while its BEGIN is on the way does not stop the others", async () => {
    const other = await connect();
    for (let i = 0; i < 5; i++) {
      const dying = await connect();
      dying.query("BEGIN").catch(() => {});
      await eventLoopTurns(1);
      die(dying);
      expect(await value(other, "SELECT 1")).toBe(1);
    }
  });

  it("between the messages of one query does not stop the others", async () => {
    const [dying, other] = await Promise.all([connect(), connect()]);
    dying.query(new StepwiseQuery("SELECT 'never'")).row.promise.catch(() => {});
    await eventLoopTurns(50);
    const waiting = value(other, "SELECT $1::int", [1]);
    die(dying);
    expect(await waiting).toBe(1);
  });
});

describe("the shared session", () => {
  it("keeps a client's settings and statements while nobody else asks", async () => {
    const client = await connect();
    await client.query("SET application_name = 'mine'");
    expect(await value(client, "SHOW application_name")).toBe("mine");
    await client.query({ name: "kept", text: "SELECT 1" });
    await expect(client.query({ name: "kept", text: "SELECT 1" })).resolves.toMatchObject({ rowCount: 1 });
  });

  it("shows none of them to another client", async () => {
    const [a, b] = await Promise.all([connect(), connect()]);
    await a.query("SET application_name = 'mine'");
    await a.query("CREATE TEMPORARY TABLE scratch ()");
    expect(await value(b, "SHOW application_name")).not.toBe("mine");
    expect(await value(b, "SELECT to_regclass('scratch')")).toBeNull();
  });

  it("lets two clients give different statements the same name", async () => {
    const [a, b] = await Promise.all([connect(), connect()]);
    expect((await a.query({ name: "same", text: "SELECT 1 AS n" })).rows).toEqual([{ n: 1 }]);
    expect((await b.query({ name: "same", text: "SELECT 2 AS n" })).rows).toEqual([{ n: 2 }]);
  });
});

describe("COPY", () => {
  it("FROM STDIN is refused, in a simple and in an extended query, and the server lives on", async () => {
    const [a, b] = await Promise.all([connect(), connect()]);
    await a.query("CREATE TABLE copied (n int)");
    const refusal = {
      code: "57014",
      message: expect.stringContaining("embedded Postgres cannot read from its clients"),
    };
    await expect(a.query("COPY copied FROM STDIN")).rejects.toMatchObject(refusal);
    const extended = { text: "COPY copied FROM STDIN", queryMode: "extended" };
    await expect(a.query(extended)).rejects.toMatchObject(refusal);
    expect(await value(a, "SELECT count(*)::int FROM copied")).toBe(0);
    expect(await value(b, "SELECT 1")).toBe(1);
  });

  it("TO STDOUT works", async () => {
    const client = await connect();
    await expect(client.query("COPY (SELECT generate_series(1, 3)) TO STDOUT")).resolves.toMatchObject({ rowCount: 3 });
  });
});

describe("starting and closing", () => {
  it("keeps data in a folder, and only there", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "embedded-postgres-"));
    try {
      const first = await startEmbeddedPostgres({ dataDir });
      await (await connect(first.connectionString)).query("CREATE TABLE kept ()");
      await first.close();
      const second = await startEmbeddedPostgres({ dataDir });
      try {
        expect(await value(await connect(second.connectionString), "SELECT to_regclass('kept')")).toBe("kept");
      } finally {
        await second.close();
      }
      expect(await value(await connect(), "SELECT to_regclass('kept')")).toBeNull();
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("takes the port it is told, and says so when it is taken", async () => {
    const { port } = new URL(postgres.connectionString);
    await expect(startEmbeddedPostgres({ port: Number(port) })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  it("ends its connections and frees its port when it closes, also in mid-transaction, also twice", async () => {
    const closing = await startEmbeddedPostgres();
    const client = await connect(closing.connectionString);
    await client.query("BEGIN");
    const ended = new Promise((resolve) => client.once("end", resolve));
    await Promise.all([closing.close(), closing.close()]);
    await ended;
    await expect(connect(closing.connectionString)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
