// What test/cli/stats.test.ts does not show of these stand-ins.
import { expect, test } from "vitest";
import { Dataset } from "../../../src/local/analytics/dataset.ts";
import { createAnalyticsEngine } from "../../../src/local/analytics/sql-api.ts";

/** Queries a dataset that keeps three points, after four were added. */
function ask(sql: string, headers: Record<string, string> = { authorization: "Bearer token" }): Promise<Response> {
  const engine = createAnalyticsEngine("requests", 3);
  const points = [1, 2, 3, 4].map((value) => ({ timestamp: value, index: "k", blobs: ["a"], doubles: [value] }));
  for (const n of [0, 2]) engine.add(points.slice(n, n + 2));
  return engine.answer(new Request("http://local/sql", { method: "POST", headers, body: sql }));
}

test.for([
  "SELECT count(*) AS n FROM requests",
  "SELECT blob1 FROM others",
  "SELECT a.blob1 FROM requests AS a JOIN requests AS b",
  "SELECT iif(1, 2, 3) AS n FROM requests",
])("the SQL API refuses SQL that only SQLite has: %s", async (sql) => {
  const response = await ask(sql);
  expect([response.status, await response.text()]).toStrictEqual([422, expect.stringMatching(/^Unknown here: /)]);
});

test("the SQL API keeps the newest points, prints integers as strings, and requires a token", async () => {
  const sql = "SELECT MAX(double1) AS newest, SUM(_sample_interval) AS n, SUM(double1) AS total FROM requests";
  expect(await (await ask(sql)).json()).toMatchObject({ data: [{ newest: 4, n: "3", total: 9 }] });
  expect((await ask(sql, {})).status).toBe(403);
});

test.for([
  { blobs: Array(21).fill("") },
  { doubles: Array(21).fill(0) },
  { indexes: ["a", "b"] },
  { indexes: ["x".repeat(97)] },
])("a dataset refuses a point that the platform would lose (%#)", (point) => {
  const dataset = new Dataset();
  expect(() => dataset.writeDataPoint(point)).toThrow(TypeError);
  expect(dataset.size).toBe(0);
});
