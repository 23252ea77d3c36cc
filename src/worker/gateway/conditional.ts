import { entityTagsIn } from "../shared/entity-tag.ts";
import { parseHttpDate } from "./http-date.ts";

/** Directives of a request that ask for an answer from the database (RFC 9111, sections 5.2.1.1 and 5.2.1.4). */
const FRESH = /(?:^|[\s,])(?:no-cache|max-age="?0+"?)(?:$|[\s,])/i;

/**
 * Whether a client wants no copy, however fresh.
 *
 * Not where it sends a condition and `fetch()` has added `no-cache` to it, of its own accord and always together with
 * `Pragma` (https://fetch.spec.whatwg.org/#concept-http-network-or-cache-fetch, step 8.16): a condition that is answered
 * from the edge is what the ETag is for. `max-age=0` is never added so.
 */
export function mustBeFresh(request: Headers): boolean {
  const cacheControl = request.get("cache-control");
  if (cacheControl === null || !FRESH.test(cacheControl)) return false;
  const isConditional = request.has("if-none-match") || request.has("if-modified-since");
  return !(isConditional && cacheControl === "no-cache" && request.get("pragma") === "no-cache");
}

/**
 * Whether the client already has this representation (RFC 9110, sections 13.1.2, 13.1.3 and 13.2.2).
 *
 * @param request headers of a GET or HEAD
 * @param response headers with the validators of what would be sent, by lower-case name
 */
export function isNotModified(request: Headers, response: Readonly<Record<string, string>>): boolean {
  const { etag, "last-modified": lastModified } = response;
  const ifNoneMatch = request.get("if-none-match");
  if (ifNoneMatch !== null) return matches(ifNoneMatch, etag);
  const ifModifiedSince = request.get("if-modified-since");
  if (ifModifiedSince === null || lastModified === undefined) return false;
  const since = parseHttpDate(ifModifiedSince);
  const modified = parseHttpDate(lastModified);
  return since !== undefined && modified !== undefined && modified <= since;
}

function matches(ifNoneMatch: string, etag: string | undefined): boolean {
  if (etag === undefined) return false;
  const tags = entityTagsIn(ifNoneMatch);
  return tags === "*" || tags.includes(etag.replace(/^W\//, "").slice(1, -1));
}
