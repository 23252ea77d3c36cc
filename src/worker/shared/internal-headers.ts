// Headers between the gateway and the Api. The gateway passes none of them on.

/** To the Api: the `operationId` of what it is asked for. Not part of the cache's key, whose path and query say the same. */
export const OPERATION_HEADER = "x-operation";
/** To the Api: the id of the request that it works for. Not part of the cache's key. */
export const REQUEST_ID_HEADER = "x-request-id";
/** From the Api: the hash of the key that it has responded to. */
export const KEY_HASH_HEADER = "x-key-hash";
/** From the Api: the id of the API key, for the gateway's log. */
export const KEY_ID_HEADER = "x-key-id";
/** From the Api: that `Last-Modified` is no strong validator. */
export const WEAK_DATE_HEADER = "x-weak-date";
/** From the Api: whether copies of what a write has changed are purged. */
export const PURGED_HEADER = "x-purged";
/** To the Api: the conditions of a write, as JSON. */
export const CONDITIONS_HEADER = "x-conditions";
/** To the Api: the trace that the caller's request belongs to. */
export const TRACE_ID_HEADER = "x-trace-id";
/** From the Api: what its queries have cost (shared/trace.ts). */
export const QUERY_HEADER = "x-query";
