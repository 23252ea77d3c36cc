import { type Conditions, EXPECTED_TAGS } from "../shared/conditions.ts";
import { HttpError } from "../shared/errors.ts";

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

/** The headers that hold conditions. */
type Sent = { readonly [Name in "if-match" | "if-none-match" | "if-unmodified-since" | "if-modified-since"]?: string };

/**
 * Reads the conditions of a request. A date that cannot be read is no condition (RFC 9110, sections 13.1.3 and 13.1.4).
 *
 * @throws HttpError `invalid_header` for entity tags that cannot be read: whoever sends them means them
 */
export function readConditions(sent: Sent): Conditions {
  const conditions: Conditions = {};
  const { "if-match": ifMatch, "if-none-match": ifNoneMatch } = sent;
  if (ifMatch !== undefined) conditions.ifMatch = entityTagsIn(ifMatch, "If-Match");
  if (ifNoneMatch !== undefined) conditions.ifNoneMatch = entityTagsIn(ifNoneMatch, "If-None-Match");
  for (const [name, header] of DATES) {
    const value = sent[header];
    const date = value === undefined ? undefined : parseHttpDate(value);
    if (date !== undefined) conditions[name] = date;
  }
  return conditions;
}

const DATES = [
  ["ifUnmodifiedSince", "if-unmodified-since"],
  ["ifModifiedSince", "if-modified-since"],
] as const;

/** entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE (RFC 9110, section 8.8.3); a comma may be part of one. */
const ENTITY_TAG = /(?:W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;

/**
 * Weak ones count as well: every tag leaves here strong, and what an edge that compresses weakens on the way back and forth is
 * still the same representation.
 *
 * @throws HttpError `invalid_header`
 */
function entityTagsIn(value: string, header: string): readonly string[] {
  if (value.trim() === "*") return ["*"];
  const tags = [...value.matchAll(ENTITY_TAG)].map(([, opaque]) => `"${opaque}"`);
  const isList = /^[ \t,]*$/.test(value.replaceAll(ENTITY_TAG, ""));
  if (isList && tags.length > 0) return tags;
  throw new HttpError({ reason: "invalid_header", header, expected: EXPECTED_TAGS });
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
  const isNewerThan = (date: number | undefined) => {
    const modified = date === undefined || lastModified === undefined ? undefined : parseHttpDate(lastModified);
    return date === undefined || modified === undefined ? undefined : modified + (isDateWeak ? 1_000 : 0) > date;
  };
  if (ifMatch ? !isAmong(ifMatch, etag) : isNewerThan(ifUnmodifiedSince)) return "failed";
  const isKnown = ifNoneMatch ? isAmong(ifNoneMatch, etag) : !isDateWeak && isNewerThan(ifModifiedSince) === false;
  return isKnown ? "not_modified" : "proceed";
}

const isAmong = (tags: readonly string[], etag: string | undefined): boolean =>
  etag !== undefined && (tags.includes("*") || tags.includes(etag.replace(/^W\//, "")));

/** IMF-fixdate, then the two obsolete forms that a recipient must still read (RFC 9110, section 5.6.7). */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Reads an HTTP-date. `Date.parse` would also read `2025` and `1 May`, which are none.
 *
 * @returns milliseconds since 1970; undefined for anything else, which a recipient ignores
 */
function parseHttpDate(value: string): number | undefined {
  const imf = IMF_FIXDATE.exec(value);
  if (imf) return toTime(imf[3], imf[2], imf[1], imf.slice(4));
  const rfc850 = RFC_850.exec(value);
  if (rfc850) return toTime(String(fullYear(Number(rfc850[3]))), rfc850[2], rfc850[1], rfc850.slice(4));
  const asctime = ASCTIME.exec(value);
  if (asctime) return toTime(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6));
  return undefined;
}

/** More than 50 years ahead means the most recent past year that ends so. */
function fullYear(twoDigits: number): number {
  const now = new Date().getUTCFullYear();
  const year = now - (now % 100) + twoDigits;
  return year > now + 50 ? year - 100 : year;
}

function toTime(year?: string, month = "", day?: string, clock: string[] = []): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = clock.map(Number);
  const monthIndex = MONTHS.indexOf(month);
  // Date.UTC takes years below 100 for 19xx.
  const date = new Date(0);
  date.setUTCFullYear(Number(year), monthIndex, Number(day));
  if (monthIndex < 0 || date.getUTCDate() !== Number(day) || hours > 23 || minutes > 59 || seconds > 60)
    return undefined;
  return date.setUTCHours(hours, minutes, seconds);
}
