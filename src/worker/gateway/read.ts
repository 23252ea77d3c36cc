import { clientHeaders } from "../shared/cache.ts";
import { KEY_HASH_HEADER, WEAK_DATE_HEADER } from "../shared/internal-headers.ts";
import { KEY_LIMIT } from "../shared/limits.ts";
import { logOncePerMinute } from "../shared/log.ts";
import type { Operation } from "../shared/operations.ts";
import { logIds } from "../shared/trace.ts";
import type { Answer } from "./answer.ts";
import { ApiFailure, ask, failureIn } from "./api.ts";
import { readKeyHash } from "./bearer.ts";
import { canonicalUrl } from "./canonical-url.ts";
import { evaluate, passesCache, readConditions } from "./conditional.ts";
import type { Exchange } from "./exchange.ts";
import { ownWrites } from "./own-writes.ts";
import { limitHeaders, spend } from "./rate-limits.ts";

const LIMIT_HEADERS = limitHeaders(KEY_LIMIT);

/** Answers GET and HEAD, from the edge's cache where it may. */
export const read =
  (operation: Operation) =>
  async (exchange: Exchange): Promise<Answer> => {
    const { context, env, request, sent } = exchange;
    const keyHash = await readKeyHash(sent.authorization);
    await spend(KEY_LIMIT, env, keyHash);
    const url = canonicalUrl(operation, context.req.path, request.url);
    let forwarded = passesCache(request.headers)
      ? "request"
      : ownWrites.has(keyHash)
        ? "bypass; detail=own-write"
        : null;
    let response = await ask(exchange, { operation, keyHash, url, isCached: forwarded === null });
    // The platform promises that the hash is a part of the cache's key. If it is not, one key would see another's response.
    if (forwarded === null && response.headers.get(KEY_HASH_HEADER) !== keyHash) {
      logOncePerMinute("foreign_response", logIds(exchange));
      forwarded = "bypass; detail=foreign-response";
      response = await ask(exchange, { operation, keyHash, url, isCached: false });
    }
    const headers = clientHeaders(response.headers, forwarded);
    if (!response.ok) throw await failureIn(response, headers["cache-status"]);
    Object.assign(headers, LIMIT_HEADERS);
    const outcome = evaluate(readConditions(sent), headers, response.headers.has(WEAK_DATE_HEADER));
    if (outcome === "failed") throw new ApiFailure({ reason: "precondition_failed" }, headers["cache-status"]);
    if (outcome === "proceed") return { status: 200, headers, body: response.body };
    const { "content-type": _type, "last-modified": _modified, ...validators } = headers;
    return { status: 304, headers: validators, body: null };
  };
