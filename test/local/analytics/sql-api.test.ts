import { describe, expect, test } from "vitest";
import { Dataset } from "../../../src/local/analytics/dataset.ts";
import { createAnalyticsEngine } from "../../../src/local/analytics/sql-api.ts";

function start(maxPoints?: number) {
  const engine = createAnalyticsEngine("requests", maxPoints);
  const point = (value: number, blob = "a") => ({
    timestamp: 1_000 + value,
    index: "k",
    blobs: [blob],
    doubles: [value],
  });
  const ask = async (sql: string, headers: Record<string, string> = { authorization: "Bearer token" }) => {
    const response = await engine.answer(new Request("http://local/sql", { method: "POST", headers, body: sql }));
    return { status: response.status, text: await response.text() };
  };
  const rows = async (sql: string) => JSON.parse((await ask(sql)).text).data;
  return { engine, point, ask, rows };
}

describe("the stand-in for the SQL API", () => {
  test("weighs points by their sample interval", async () => {
    const { engine, point, rows } = start();
    engine.add([point(1), point(2)], 10);
    engine.add([point(3)]);
    expect(
      await rows(
        "SELECT SUM(_sample_interval) AS n, SUM(double1 * _sample_interval) AS total, quantileWeighted(0.5, double1, _sample_interval) AS p50, quantileWeighted(0.99, double1, _sample_interval) AS p99 FROM requests",
      ),
    ).toStrictEqual([{ n: "21", total: 33, p50: 2, p99: 3 }]);
  });

  test("has null for a quantile of nothing", async () => {
    const { rows } = start();
    const [row] = await rows("SELECT quantileWeighted(0.5, double1, _sample_interval) AS p50 FROM requests");
    expect(row).toStrictEqual({ p50: null });
  });

  test("groups by parts of time, and by what a point says", async () => {
    const { engine, point, rows } = start();
    engine.add([point(0), point(1), point(10, "b"), point(11)]);
    const sql = `SELECT intDiv(toUInt32(timestamp) - 1000, 10) AS part, SUM(if(blob1 IN ('a'), _sample_interval, 0)) AS n
      FROM requests WHERE timestamp >= toDateTime(1001) GROUP BY part ORDER BY part`;
    expect(await rows(sql)).toStrictEqual([
      { part: 0, n: "1" },
      { part: 1, n: "1" },
    ]);
  });

  test.for([
    "SELECT count(*) AS n FROM requests",
    "SELECT blob1 FROM others",
    "SELECT a.blob1 FROM requests AS a JOIN requests AS b",
    "SELECT iif(1, 2, 3) AS n FROM requests",
  ])("refuses what SQLite knows and the platform does not: %s", async (sql) => {
    expect(await start().ask(sql)).toMatchObject({ status: 422, text: expect.stringMatching(/^Unknown here: /) });
  });

  test("keeps the newest points", async () => {
    const { engine, point, rows } = start(3);
    engine.add([point(1), point(2)]);
    engine.add([point(3), point(4)]);
    expect(
      await rows("SELECT MAX(double1) AS newest, SUM(_sample_interval) AS n, SUM(double1) AS total FROM requests"),
    ).toStrictEqual([{ newest: 4, n: "3", total: 9 }]);
  });

  test("asks for a token", async () => {
    expect((await start().ask("SELECT blob1 FROM requests", {})).status).toBe(403);
  });
});

describe("the stand-in for a dataset", () => {
  test.for([
    { blobs: Array.from({ length: 21 }, () => "") },
    { doubles: Array.from({ length: 21 }, () => 0) },
    { indexes: ["a", "b"] },
    { indexes: ["x".repeat(97)] },
  ])("refuses a point that the platform would lose", (point) => {
    const dataset = new Dataset();
    expect(() => dataset.writeDataPoint(point)).toThrow(TypeError);
    expect(dataset.size).toBe(0);
  });
});
