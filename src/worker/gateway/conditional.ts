import { type Conditions, EXPECTED_TAGS } from "../shared/conditions.ts";
import { HttpError } from "../shared/errors.ts";
import { parseHttpDate } from "./http-date.ts";

/**
 * Directives of a request that the edge's cache must not answer, or whose response it must not store (RFC 9111, sections
 * 5.2.1.1, 5.2.1.4 and 5.2.1.5). By section 5.2.1 a cache may ignore all others, and this one does.
 */
const PAST_CACHE = /(?:^|[\s,])(?:no-cache|no-store|max-age="?0+"?)(?:$|[\s,])/i;

/**
 * Whether a request passes the cache: its client wants no cached response, however fresh, or wants its own not to be stored.
 *
 * Not where `fetch()` has added the directive of its own accord (https://fetch.spec.whatwg.org/#concept-http-network-or-cache-fetch),
 * since a condition that is answered from the edge is what the ETag is for:
 *
 * - `no-cache` to a condition, always together with `Pragma`. Browsers and Node send `Sec-Fetch-Mode` beside it; from a client that
 *   does not, such as curl, the directive is its user's;
 * - `max-age=0` where the option `cache` is `"no-cache"`, to have the browser's own copy revalidated, and in Chromium to every
 *   condition (whatwg/fetch#722). Whether a script has set it itself cannot be seen: then it is taken for the browser's. Only browsers
 *   send `Sec-Fetch-Site`, which scripts cannot set (https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header).
 */
export function passesCache(request: Headers): boolean {
  const cacheControl = request.get("cache-control");
  // Where there is no Cache-Control, Pragma has its meaning (RFC 7234, section 5.4; deprecated by RFC 9111).
  if (!PAST_CACHE.test(cacheControl ?? request.get("pragma") ?? "")) return false;
  if (cacheControl === "max-age=0") return !request.has("sec-fetch-site");
  const isConditional = request.has("if-none-match") || request.has("if-modified-since");
  const isAdded = isConditional && request.has("sec-fetch-mode");
  return !(isAdded && cacheControl === "no-cache" && request.get("pragma") === "no-cache");
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
