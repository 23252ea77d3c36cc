import { type QueryCost, readCost } from "../shared/trace.ts";

/**
 * How long the parts of a request took, in milliseconds.
 *
 * The clock of a Worker stands still while it computes, and moves with each I/O: what is told is the time for which a
 * request has waited, not its CPU.
 *
 * @see https://developers.cloudflare.com/workers/runtime-apis/performance/ (read 2026-11-25)
 */
export class Timing {
  readonly #startedAt = Date.now();
  #askedAt: number | undefined;
  #answeredAt: number | undefined;
  /** Absent if no query was made for this request. */
  query: QueryCost | undefined;
  /** `Cf-Cache-Status` in lower case; undefined if no cache was asked. */
  cacheStatus: string | undefined;

  get durationMs(): number {
    return Date.now() - this.#startedAt;
  }

  /** Asks the Api. */
  async ask(requestId: string, call: Promise<Response>): Promise<Response> {
    this.#askedAt = Date.now();
    const response = await call;
    this.#answeredAt = Date.now();
    this.query = readCost(response.headers, requestId);
    this.cacheStatus = response.headers.get("cf-cache-status")?.toLowerCase();
    return response;
  }

  /**
   * The value of `Server-Timing`: `key` until the Api is asked, or until the answer where it is not, `query` for the
   * database, and `cache` for what remains of the Api's answer.
   *
   * @see https://www.w3.org/TR/server-timing/
   */
  get serverTiming(): string {
    const { query } = this;
    const key = `key;dur=${(this.#askedAt ?? Date.now()) - this.#startedAt}`;
    if (this.#askedAt === undefined || this.#answeredAt === undefined) return key;
    const cache = `${key}, cache;dur=${Math.max(0, this.#answeredAt - this.#askedAt - (query?.durationMs ?? 0))}`;
    return query === undefined ? cache : `${cache}, query;dur=${query.durationMs}`;
  }
}
