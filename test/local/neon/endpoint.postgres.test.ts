// What PGlite cannot show: it has one role and one database, asks for no password, and cannot cancel.

import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type NeonEndpoint, startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { type RealPostgres, startRealPostgres } from "../../support/postgres.ts";
import { as, post, queryPostgres, statement } from "./requests.ts";

let postgres: RealPostgres;
let endpoint: NeonEndpoint;
beforeAll(async () => {
  postgres = await startRealPostgres();
  endpoint = await startNeonEndpoint({ connectionString: postgres.connectionString, maxConnections: 1 });
  await queryPostgres(postgres.connectionString, "CREATE ROLE somebody LOGIN PASSWORD 'right: /?#'");
});
afterAll(async () => {
  await endpoint.close();
  await postgres.close();
});

const WHO = statement("SELECT current_user, current_database()");

test.for<[what: string, who: Parameters<typeof as>[1], status: number, json: object]>([
  ["of the request", {}, 200, { rows: [["somebody", "template1"]] }],
  [
    "with a wrong password",
    { password: "wrong" },
    400,
    { code: "", message: "password authentication failed for user 'somebody'" },
  ],
  ["of nobody", { user: "nobody" }, 400, { code: "", message: "password authentication failed for user 'nobody'" }],
  [
    "for no database",
    { database: "nowhere" },
    400,
    { code: "3D000", severity: "FATAL", message: 'database "nowhere" does not exist' },
  ],
])("credentials %s are those that Postgres gets", async ([_, who, status, json]) => {
  const defaults = { user: "somebody", password: encodeURIComponent("right: /?#"), database: "template1" };
  const connectionString = as(endpoint.connectionString, { ...defaults, ...who });
  expect(await post({ ...endpoint, connectionString }, WHO)).toMatchObject({ status, json });
});

test("a client that hangs up has its running query cancelled, which makes room for the next", async () => {
  const { connectionString } = postgres;
  const locking = new pg.Client(connectionString);
  await locking.connect();
  await locking.query("CREATE TABLE locked (n int)");
  await locking.query("BEGIN; LOCK TABLE locked");
  const client = new AbortController();
  const stuck = post(endpoint, statement("SELECT n FROM locked"), { signal: client.signal }).catch(({ name }) => name);
  const waiting = `SELECT count(*)::int FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM locked'`;
  while ((await queryPostgres(connectionString, waiting)) !== 1);
  client.abort();
  expect(await stuck).toBe("AbortError");
  expect((await post(endpoint, statement("SELECT 1"))).json.rows).toEqual([["1"]]);
  expect(await queryPostgres(connectionString, waiting)).toBe(0);
  await locking.end();
});
