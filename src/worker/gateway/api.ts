// How the gateway asks the Api, and what it learns from the answer.

import { type Failure, HttpError } from "../shared/errors.ts";
import {
  KEY_ID_HEADER,
  OPERATION_HEADER,
  QUERY_HEADER,
  REQUEST_ID_HEADER,
  TRACE_ID_HEADER,
} from "../shared/internal-headers.ts";
import type { Operation } from "../shared/operations.ts";
import type { QueryCost } from "../shared/trace.ts";
import type { Exchange } from "./exchange.ts";

/** Named here, because the types of RPC get lost in a Response. */
interface ApiStub {
  fetch(url: string, init: RequestInit): Promise<Response>;
  fetchUncached(request: Request): Promise<Response>;
}

/** What is asked for: nothing else of the caller's request goes on. */
export interface Ask {
  operation: Operation;
  keyHash: string;
  /** From the root, in canonical form. */
  url: string;
  headers?: Record<string, string>;
  body?: string | null;
  isCached: boolean;
}

/** Asks the Api, through the edge's cache or past it. */
export async function ask(exchange: Exchange, { operation, keyHash, url, isCached, ...sent }: Ask): Promise<Response> {
  const api: ApiStub = exchange.exports.Api({ props: { keyHash } });
  // None is part of the cache's key. Authorization stays behind: the cache has rules of its own for it, and the Api needs only its hash.
  const headers: Record<string, string> = {
    [OPERATION_HEADER]: operation.id,
    [REQUEST_ID_HEADER]: exchange.requestId,
    ...sent.headers,
  };
  if (exchange.traceId !== undefined) headers[TRACE_ID_HEADER] = exchange.traceId;
  exchange.askedAt = Date.now();
  const response = isCached
    ? await api.fetch(`https://api${url}`, { headers })
    : await api.fetchUncached(
        new Request(`https://api${url}`, { method: operation.method, headers, body: sent.body ?? null }),
      );
  exchange.answeredAt = Date.now();
  exchange.query = readCost(response.headers.get(QUERY_HEADER), exchange.requestId);
  exchange.keyId = response.headers.get(KEY_ID_HEADER) ?? undefined;
  exchange.cacheStatus = response.headers.get("cf-cache-status")?.toLowerCase();
  return response;
}

/** As shared/trace.ts has written it. @returns undefined if this request has cost no query, whatever an earlier one has */
function readCost(cost: string | null, requestId: string): QueryCost | undefined {
  const [id, durationMs, attempts] = cost?.split(" ") ?? [];
  return id === requestId ? { durationMs: Number(durationMs), attempts: Number(attempts) } : undefined;
}

/** The Api answered with a failure. */
export class ApiFailure extends HttpError {
  readonly cacheStatus: string | undefined;

  constructor(failure: Failure, cacheStatus: string | undefined) {
    super(failure);
    this.cacheStatus = cacheStatus;
  }
}

/** The failure that an answer of the Api is, which is not `ok`. */
export const failureIn = async (response: Response, cacheStatus: string | undefined): Promise<ApiFailure> =>
  new ApiFailure(await response.json<Failure>(), cacheStatus);
