// The binding of Workers Analytics Engine: keeps what a Worker writes until it is taken to the stand-in for the SQL API.

/** A point as {@link ./sql-api.ts} takes it. */
export interface StampedPoint {
  /** Unix time in seconds. */
  timestamp: number;
  index: string;
  blobs: readonly string[];
  doubles: readonly number[];
}

/** What a Worker writes. */
interface Point {
  indexes?: readonly (string | ArrayBuffer | null)[];
  blobs?: readonly (string | ArrayBuffer | null)[];
  doubles?: readonly number[];
}

/** https://developers.cloudflare.com/analytics/analytics-engine/limits/ (read 2026-11-25) */
const MAX_FIELDS = 20;

export class Dataset {
  #points: StampedPoint[] = [];

  /** How many points wait to be taken. */
  get size(): number {
    return this.#points.length;
  }

  /** @throws TypeError if the platform would not record the point */
  writeDataPoint({ indexes = [], blobs = [], doubles = [] }: Point = {}): void {
    if (Math.max(blobs.length, doubles.length) > MAX_FIELDS) throw new TypeError("The point is too large.");
    const timestamp = Math.floor(Date.now() / 1_000);
    this.#points.push({ timestamp, index: String(indexes[0] ?? ""), blobs: blobs.map(String), doubles });
  }

  take(): StampedPoint[] {
    return this.#points.splice(0);
  }
}
