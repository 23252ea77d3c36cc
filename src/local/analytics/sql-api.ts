// The SQL API of Workers Analytics Engine, as far as SQLite reads its dialect: https://developers.cloudflare.com/analytics/analytics-engine/sql-reference/
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { StampedPoint } from "./dataset.ts";

export interface AnalyticsEngine {
  add(points: readonly StampedPoint[], sampleInterval?: number): void;
  /** Answers a `POST …/analytics_engine/sql`. */
  answer(request: Request): Promise<Response>;
}

const FIELDS = Array.from({ length: 20 }, (_, i) => i + 1);
const COLUMNS = [
  "timestamp",
  "_sample_interval",
  "index1",
  ...FIELDS.map((n) => `blob${n}`),
  ...FIELDS.map((n) => `double${n}`),
];
/**
 * Words of the dialect that mean the same to SQLite or are defined below: anything else, which SQLite might take but the
 * platform would not, is refused.
 */
const WORDS = new Set([
  ...["select", "as", "from", "where", "and", "or", "not", "in", "group", "by", "order", "asc", "desc", "limit"],
  ...["sum", "max", "if", "intdiv", "touint32", "todatetime", "tounixtimestamp", "quantileweighted"],
]);

/** More than anybody looks at, and some 50 MB. */
const DEFAULT_MAX_POINTS = 100_000;

/**
 * An empty dataset, in memory.
 *
 * @param maxPoints so many are kept; the platform keeps all for three months
 */
export function createAnalyticsEngine(dataset: string, maxPoints = DEFAULT_MAX_POINTS): AnalyticsEngine {
  const database = new DatabaseSync(":memory:");
  database.exec(`create table "${dataset}" (${COLUMNS.map((name) => `${name} ${typeOf(name)}`).join(", ")})`);
  const insert = database.prepare(`insert into "${dataset}" values (${COLUMNS.map(() => "?").join(", ")})`);
  const forget = database.prepare(
    `delete from "${dataset}" where rowid <= (select max(rowid) from "${dataset}") - ${maxPoints}`,
  );
  for (const name of ["toUInt32", "toDateTime", "toUnixTimestamp"]) database.function(name, (value) => value);
  database.function("intDiv", (a, b) => Math.floor(Number(a) / Number(b)));
  // The spelling of quantileExactWeighted(q)(…) that is kept for compatibility, and that SQLite can read.
  database.aggregate("quantileWeighted", {
    // Any value may be the state, which the types do not know.
    start: () => [] as unknown as SQLInputValue,
    step: (state, level, value, weight) => {
      (state as unknown as Weighted[]).push({ level: Number(level), value: Number(value), weight: Number(weight) });
      return state;
    },
    result: (state) => quantile(state as unknown as Weighted[]),
  });

  return {
    add: (points, sampleInterval = 1) => {
      for (const { timestamp, index, blobs, doubles } of points) {
        insert.run(
          timestamp,
          sampleInterval,
          index,
          ...FIELDS.map((n) => blobs[n - 1] ?? ""),
          ...FIELDS.map((n) => doubles[n - 1] ?? 0),
        );
      }
      forget.run();
    },
    answer: async (request) => {
      if (!/^Bearer \S+$/.test(request.headers.get("authorization") ?? "")) {
        return new Response("Authentication error", { status: 403 });
      }
      const sql = await request.text();
      try {
        refuseUnknownWords(sql, dataset);
        const statement = database.prepare(sql);
        statement.setReadBigInts(true);
        const data = statement.all();
        const meta = statement.columns().map(({ name }) => ({ name }));
        // 64-bit integers come as strings.
        const text = JSON.stringify({ meta, data, rows: data.length }, (_, value) =>
          typeof value === "bigint" ? String(value) : value,
        );
        return new Response(text, { headers: { "content-type": "application/json" } });
      } catch (error) {
        return new Response((error as Error).message, { status: 422 });
      }
    },
  };
}

interface Weighted {
  level: number;
  value: number;
  weight: number;
}

/** The least value below or at which that part of the weight lies; NaN, which JSON has as null, where there is none. */
function quantile(values: Weighted[]): number {
  values.sort((a, b) => a.value - b.value);
  const total = values.reduce((sum, { weight }) => sum + weight, 0);
  let below = 0;
  for (const { level, value, weight } of values) {
    below += weight;
    if (below >= level * total) return value;
  }
  return Number.NaN;
}

const typeOf = (column: string): string =>
  column.startsWith("double") ? "real" : /^(?:blob|index)/.test(column) ? "text" : "integer";

function refuseUnknownWords(sql: string, dataset: string): void {
  const code = sql.replaceAll(/'(?:[^']|'')*'/g, "''");
  const aliases = [...code.matchAll(/\bas\s+(\w+)/gi)].map(([, alias]) => String(alias));
  const known = new Set([...COLUMNS, ...aliases, dataset]);
  const unknown = code.match(/[a-z_]\w*/gi)?.find((word) => !known.has(word) && !WORDS.has(word.toLowerCase()));
  if (unknown !== undefined) throw new Error(`Unknown here: ${unknown}`);
}
