import { parseHttpDate } from "./http-date.ts";

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

/** entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE (RFC 9110, section 8.8.3); a comma may be part of one. */
const ENTITY_TAG = /(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

/** Weak comparison: an edge that compresses may have weakened the tag on its way. */
function matches(ifNoneMatch: string, etag: string | undefined): boolean {
  if (etag === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  const opaque = etag.replace(/^W\//, "");
  for (const [, candidate] of ifNoneMatch.matchAll(ENTITY_TAG)) {
    if (candidate === opaque) return true;
  }
  return false;
}
