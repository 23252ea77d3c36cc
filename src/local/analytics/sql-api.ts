// The SQL API of Workers Analytics Engine, as far as `npm run stats` asks and SQLite reads its dialect:
// https://developers.cloudflare.com/analytics/analytics-engine/sql-reference/
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { StampedPoint } from "./dataset.ts";

export interface AnalyticsEngine {
  add(points: readonly StampedPoint[], sampleInterval?: number): void;
  /** Answers a `POST …/analytics_engine/sql`, and takes the points of one to `/points`. */
  answer(request: Request): Promise<Response>;
}

const FIELDS = Array.from({ length: 20 }, (_, i) => i + 1);
const COLUMNS = [
  ...["timestamp integer", "_sample_interval integer", "index1"],
  ...[...FIELDS.map((n) => `blob${n}`), ...FIELDS.map((n) => `double${n}`)],
];
/** More than anybody looks at, and some 50 MB. The platform keeps all for three months. */
const MAX_POINTS = 100_000;

/** An empty dataset, in memory. */
export function createAnalyticsEngine(dataset: string): AnalyticsEngine {
  const database = new DatabaseSync(":memory:");
  database.exec(`create table ${dataset} (${COLUMNS.join(", ")})`);
  const insert = database.prepare(`insert into ${dataset} values (${COLUMNS.map(() => "?").join(", ")})`);
  const forget = database.prepare(
    `delete from ${dataset} where rowid <= (select max(rowid) from ${dataset}) - ${MAX_POINTS}`,
  );
  for (const name of ["toUInt32", "toDateTime", "toUnixTimestamp"]) database.function(name, (value) => value);
  database.function("intDiv", (a, b) => Math.floor(Number(a) / Number(b)));
  // The spelling of quantileExactWeighted(q)(…) that is kept for compatibility, and that SQLite can read.
  database.aggregate("quantileWeighted", {
    // Any value may be the state, which the types do not know.
    start: () => [] as unknown as SQLInputValue,
    step(state, level, value, weight) {
      (state as unknown as Sample[]).push([level, value, weight].map(Number) as Sample);
      return state;
    },
    result: (state) => quantile(state as unknown as Sample[]),
  });

  function add(points: readonly StampedPoint[], sampleInterval = 1): void {
    for (const { timestamp, index, blobs, doubles } of points) {
      const fields = [...FIELDS.map((n) => blobs[n - 1] ?? ""), ...FIELDS.map((n) => doubles[n - 1] ?? 0)];
      insert.run(timestamp, sampleInterval, index, ...fields);
    }
    forget.run();
  }

  return {
    add,
    async answer(request) {
      if (request.url.endsWith("/points")) {
        add((await request.json()) as StampedPoint[]);
        return new Response();
      }
      try {
        const statement = database.prepare(await request.text());
        statement.setReadBigInts(true);
        // 64-bit integers come as strings.
        const texts = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
        return new Response(JSON.stringify({ data: statement.all() }, texts));
      } catch (error) {
        return new Response((error as Error).message, { status: 422 });
      }
    },
  };
}

type Sample = [level: number, value: number, weight: number];

/** The least value below or at which that part of the weight lies; NaN, which JSON has as null, where there is none. */
function quantile(samples: Sample[]): number {
  const total = samples.reduce((sum, [, , weight]) => sum + weight, 0);
  let below = 0;
  for (const [level, value, weight] of samples.sort(([, a], [, b]) => a - b)) {
    below += weight;
    if (below >= level * total) return value;
  }
  return Number.NaN;
}
