// One data point in Workers Analytics Engine for each request, and one for each run of the feed. `npm run stats` reads them.

/**
 * The columns of a data point, in their order. Points live for three months and know columns by position alone: add at the
 * end, and never move or reuse one.
 *
 * @see https://developers.cloudflare.com/analytics/analytics-engine/sql-api/#table-structure (read 2026-11-25)
 */
const BLOBS = [
  /** The template of the path, {@link UNMATCHED}, or {@link FEED}. Never a path: clients choose those. */
  "route",
  "method",
  /** `2xx` */
  "statusClass",
  /** `Cf-Cache-Status` in lower case; `none` if no cache was asked. */
  "cacheStatus",
  /** Why it failed (shared/errors.ts); empty if it did not. */
  "reason",
  /** Id of the Worker's version. */
  "version",
  /** IATA code of the data centre. */
  "dataCentre",
] as const;
const DOUBLES = [
  "status",
  "durationMs",
  "queryMs",
  /** Of queries; 0 if there was none. */
  "attempts",
  /** Of {@link FEED} alone: the longest that a change has waited for its first purge, in seconds. */
  "oldestChangeSeconds",
] as const;

/** By this value the platform samples, from about 100 points a second of one value on. */
const INDEX = "keyId";

type Blob = (typeof BLOBS)[number];
type Double = (typeof DOUBLES)[number];
export type Column = Blob | Double | typeof INDEX;
export const COLUMNS: readonly Column[] = [INDEX, ...BLOBS, ...DOUBLES];

/** A data point by names. Left out: empty, or 0. */
export type DataPoint = { keyId: string } & { [Name in Blob]?: string | undefined } & {
  [Name in Double]?: number | undefined;
};

/** The datasets of wrangler.toml; a test compares the two. */
export const DATASETS = { production: "process_api", previews: "process_api_previews" } as const;

/** In place of the id of a key: none was sent, or it is unknown, or nobody asked. */
export const KEYLESS = "none";
/** In place of a template. */
export const UNMATCHED = "unmatched";
export const FEED = "feed";

/** The name of a column in SQL. */
export function columnOf(name: Column): string {
  if (name === INDEX) return "index1";
  const blob = BLOBS.indexOf(name as Blob);
  return blob >= 0 ? `blob${blob + 1}` : `double${DOUBLES.indexOf(name as Double) + 1}`;
}

/** The part of the binding that is used here: Node reads this file, too, and knows no bindings. */
interface Dataset {
  writeDataPoint(point: { indexes: string[]; blobs: string[]; doubles: number[] }): void;
}

/** Writes a point where there is a dataset to write to. It takes no time, and fails nobody's request. */
export function writeDataPoint(env: { ANALYTICS?: Dataset }, point: DataPoint): void {
  try {
    env.ANALYTICS?.writeDataPoint({
      indexes: [point[INDEX]],
      blobs: BLOBS.map((name) => point[name] ?? ""),
      doubles: DOUBLES.map((name) => point[name] ?? 0),
    });
  } catch {
    // A figure that is lost harms nobody.
  }
}
