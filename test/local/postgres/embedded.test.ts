import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../src/local/postgres/embedded.ts";

let postgres: EmbeddedPostgres;
beforeAll(async () => {
  postgres = await startEmbeddedPostgres();
});
afterAll(() => postgres.close());

async function connect(connectionString = postgres.connectionString): Promise<pg.Client> {
  const client = new pg.Client(connectionString);
  client.on("error", () => {});
  onTestFinished(() => client.end());
  await client.connect();
  return client;
}

const connectBoth = () => Promise.all([connect(), connect()]);

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

  // The methods that pg calls with the backend's messages.
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
  test("talk to PostgreSQL 18, and each gets the results of its own queries", async () => {
    const ask = async (client: pg.Client, i: number) => {
      expect(await value(client, "SHOW server_version")).toMatch(/^18\./);
      for (let n = 0; n < 10; n++) expect(await value(client, `SELECT $1::int + ${i}`, [n * 100])).toBe(n * 100 + i);
    };
    await Promise.all(Array.from({ length: 8 }, async (_, i) => ask(await connect(), i)));
  });

  test("do not run each other's unnamed statement when their messages interleave", async () => {
    const [a, b] = await connectBoth();
    const query = a.query(new StepwiseQuery("SELECT 'mine'"));
    const other = value(b, "SELECT $1::text", ["theirs"]);
    await eventLoopTurns(50);
    query.finish();
    expect(await query.row.promise).toEqual(["mine"]);
    expect(await other).toBe("theirs");
  });

  test("wait for another's transaction, and see what it committed", async () => {
    const [a, b] = await connectBoth();
    await a.query("CREATE TABLE ordered (n int)");
    await a.query("BEGIN");
    const order: string[] = [];
    const waiting = value(b, "SELECT count(*)::int FROM ordered").finally(() => order.push("other"));
    for (let n = 0; n < 10; n++) await a.query("INSERT INTO ordered VALUES ($1)", [n]);
    order.push("transaction");
    await a.query("COMMIT");
    expect(await waiting).toBe(10);
    expect(order).toEqual(["transaction", "other"]);
  });

  test("find no setting, table or statement of another in the session, but their own, also after a failure", async () => {
    const [a, b] = await connectBoth();
    await a.query("SET application_name = 'mine'");
    await expect(a.query("SELECT 1 / $1::int", [0])).rejects.toMatchObject({ code: "22012" });
    await expect(a.query("SELEC")).rejects.toMatchObject({ code: "42601" });
    await a.query("CREATE TEMPORARY TABLE scratch ()");
    expect((await a.query({ name: "same", text: "SELECT 1 AS n" })).rows).toEqual([{ n: 1 }]);
    expect(await value(a, "SHOW application_name")).toBe("mine");
    expect((await a.query({ name: "same", text: "SELECT 1 AS n" })).rows).toEqual([{ n: 1 }]);
    expect(await value(b, "SHOW application_name")).not.toBe("mine");
    expect(await value(b, "SELECT to_regclass('scratch')")).toBeNull();
    expect((await b.query({ name: "same", text: "SELECT 2 AS n" })).rows).toEqual([{ n: 2 }]);
  });
});

describe("a client that dies does not stop the others", () => {
  test.for<[when: string, prepare: (dying: pg.Client) => unknown]>([
    ["in a transaction, which is rolled back", (dying) => dying.query("BEGIN; CREATE TABLE left_behind ()")],
    ["in a failed transaction", (dying) => dying.query("BEGIN; SELECT 1 / 0").catch(() => {})],
    [
      "between the messages of one query",
      async (dying) => {
        dying.query(new StepwiseQuery("SELECT 'never'")).row.promise.catch(() => {});
        await eventLoopTurns(50);
      },
    ],
  ])("%s", async ([_, prepare]) => {
    const [dying, other] = await connectBoth();
    await prepare(dying);
    const waiting = value(other, "SELECT to_regclass('left_behind')");
    die(dying);
    expect(await waiting).toBeNull();
  });

  test("while its BEGIN is on the way", async () => {
    const other = await connect();
    for (let i = 0; i < 5; i++) {
      const dying = await connect();
      dying.query("BEGIN").catch(() => {});
      await eventLoopTurns(1);
      die(dying);
      expect(await value(other, "SELECT 1")).toBe(1);
    }
  });
});

test("COPY FROM STDIN is refused, in a simple and in an extended query, COPY TO STDOUT works, and the server lives on", async () => {
  const [a, b] = await connectBoth();
  await a.query("CREATE TABLE copied (n int)");
  const message = expect.stringContaining("embedded Postgres cannot read from its clients");
  for (const query of ["COPY copied FROM STDIN", { text: "COPY copied FROM STDIN", queryMode: "extended" }]) {
    await expect(a.query(query as string)).rejects.toMatchObject({ code: "57014", message });
  }
  expect(await value(a, "SELECT count(*)::int FROM copied")).toBe(0);
  await expect(b.query("COPY (SELECT generate_series(1, 3)) TO STDOUT")).resolves.toMatchObject({ rowCount: 3 });
});

test("it ends its connections when it closes, also in mid-transaction", async () => {
  const other = await startEmbeddedPostgres();
  const client = await connect(other.connectionString);
  await client.query("BEGIN; CREATE TABLE uncommitted ()");
  const ended = new Promise((resolve) => client.once("end", resolve));
  await other.close();
  await ended;
  await expect(connect(other.connectionString)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});
