import { type Conditions, EXPECTED_TAGS } from "../shared/conditions.ts";
import { HttpError } from "../shared/errors.ts";
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
 * Reads the conditions of a request. A date that cannot be read is no condition (RFC 9110, sections 13.1.3 and 13.1.4).
 *
 * @throws HttpError `invalid_header` for entity tags that cannot be read: whoever sends them means them
 */
export function readConditions(request: Headers): Conditions {
  const conditions: Conditions = {};
  for (const [name, header] of [
    ["ifMatch", "If-Match"],
    ["ifNoneMatch", "If-None-Match"],
  ] as const) {
    const value = request.get(header);
    if (value === null) continue;
    const tags = entityTagsIn(value);
    if (tags === undefined) throw new HttpError({ reason: "invalid_header", header, expected: EXPECTED_TAGS });
    conditions[name] = tags;
  }
  for (const [name, header] of [
    ["ifUnmodifiedSince", "If-Unmodified-Since"],
    ["ifModifiedSince", "If-Modified-Since"],
  ] as const) {
    const date = parseHttpDate(request.get(header) ?? "");
    if (date !== undefined) conditions[name] = date;
  }
  return conditions;
}

/** entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE (RFC 9110, section 8.8.3); a comma may be part of one. */
const ENTITY_TAG = /(?:W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;

/**
 * Weak ones count as well: every tag leaves here strong, and what an edge that compresses weakens on the way back and forth is
 * still the same representation.
 *
 * @returns undefined if they cannot be read
 */
function entityTagsIn(header: string): readonly string[] | undefined {
  if (header.trim() === "*") return ["*"];
  const tags = [...header.matchAll(ENTITY_TAG)].map(([, opaque]) => `"${opaque}"`);
  const isList = /^[ \t,]*$/.test(header.replaceAll(ENTITY_TAG, ""));
  return isList && tags.length > 0 ? tags : undefined;
}

/**
 * What the conditions of a GET or HEAD make of it, in the order of RFC 9110, section 13.2.2.
 *
 * @param response headers with the validators of what would be sent, by lower-case name
 * @param isDateWeak whether it may have changed until the end of the second that `Last-Modified` names, and later
 */
export function evaluate(
  { ifMatch, ifNoneMatch, ifUnmodifiedSince, ifModifiedSince }: Conditions,
  { etag, "last-modified": lastModified }: Readonly<Record<string, string>>,
  isDateWeak = false,
): "proceed" | "failed" | "not_modified" {
  const modified = lastModified === undefined ? undefined : parseHttpDate(lastModified);
  const isNewerThan = (date: number | undefined) =>
    date === undefined || modified === undefined ? undefined : modified + (isDateWeak ? 1_000 : 0) > date;
  if (ifMatch ? !isAmong(ifMatch, etag) : isNewerThan(ifUnmodifiedSince)) return "failed";
  const isKnown = ifNoneMatch ? isAmong(ifNoneMatch, etag) : !isDateWeak && isNewerThan(ifModifiedSince) === false;
  return isKnown ? "not_modified" : "proceed";
}

const isAmong = (tags: readonly string[], etag: string | undefined): boolean =>
  etag !== undefined && (tags.includes("*") || tags.includes(etag.replace(/^W\//, "")));
