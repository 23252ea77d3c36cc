// What a request is called in the log, and what its queries have cost: between the gateway, the Api and the database.
import { REQUEST_ID_HEADER, TRACE_ID_HEADER } from "./internal-headers.ts";

/** The request that work is done for. */
export interface Trace {
  requestId?: string | undefined;
  /** Of the caller's `traceparent`, if it sent one. */
  traceId?: string | undefined;
  /** Of all its queries together; absent while there was none. */
  query?: QueryCost;
}

/** What queries have cost. */
export interface QueryCost {
  /** From the first attempt to the last answer, waiting for a turn included. */
  durationMs: number;
  attempts: number;
}

/** The names that lines of the log give to a request. */
export const logIds = (trace: Pick<Trace, "requestId" | "traceId"> | undefined) => ({
  requestId: trace?.requestId,
  traceId: trace?.traceId,
});

/** Adds to what a request's queries have cost. */
export function addCost(trace: Trace, { durationMs, attempts }: QueryCost): void {
  const before = trace.query ?? { durationMs: 0, attempts: 0 };
  trace.query = { durationMs: before.durationMs + durationMs, attempts: before.attempts + attempts };
}

/** From the gateway. */
export const readTrace = (headers: Headers): Trace => ({
  requestId: headers.get(REQUEST_ID_HEADER) ?? undefined,
  traceId: headers.get(TRACE_ID_HEADER) ?? undefined,
});

/**
 * To the gateway (gateway/api.ts), what its queries have cost, under the id of the request that it has worked for: the edge stores this
 * header with the answer, and gives it to requests that have cost no query.
 *
 * @returns undefined if there was no query
 */
export const costHeader = ({ requestId, query }: Trace): string | undefined =>
  query && `${requestId} ${query.durationMs} ${query.attempts}`;
