import { describe, expect, test } from "vitest";
import { evaluate, passesCache, readConditions } from "../../../src/worker/gateway/conditional.ts";

const ETAG = `"0123456789abcdef"`;
const OPAQUE = ETAG.slice(1, -1);
const MODIFIED = "Sat, 06 Nov 2094 08:49:37 GMT";

const outcomeOf = (request: Record<string, string>, response: Record<string, string> = {}) =>
  evaluate(readConditions(request), { etag: ETAG, "last-modified": MODIFIED, ...response });

test.for([
  [{ "if-match": ETAG }, "proceed"],
  [{ "if-match": "*", "if-none-match": ETAG }, "not_modified"],
  [{ "if-match": '"x"', "if-none-match": ETAG }, "failed"],
  [{ "if-unmodified-since": MODIFIED }, "proceed"],
  [{ "if-unmodified-since": "Sat, 06 Nov 2094 08:49:36 GMT" }, "failed"],
  [{ "if-unmodified-since": "Sat, 06 Nov 2094 08:49:36 GMT", "if-match": "*" }, "proceed"],
  [{ "if-unmodified-since": "yesterday" }, "proceed"],
] as const)("a read with %j: %s", ([headers, outcome]) => {
  expect(outcomeOf(headers)).toBe(outcome);
});

test.for([
  [{ "if-unmodified-since": MODIFIED }, "failed"],
  [{ "if-unmodified-since": "Sat, 06 Nov 2094 08:49:38 GMT" }, "proceed"],
  [{ "if-modified-since": "Sat, 06 Nov 2094 08:49:38 GMT" }, "proceed"],
] as const)("a read with %j of what may still change in that second: %s", ([headers, outcome]) => {
  expect(evaluate(readConditions(headers), { etag: ETAG, "last-modified": MODIFIED }, true)).toBe(outcome);
});

test.for([OPAQUE, `"${OPAQUE}`, "", ",", '"a" b'])("entity tags that cannot be read are refused: %s", (value) => {
  for (const name of ["if-match", "if-none-match"])
    expect(() => outcomeOf({ [name]: value })).toThrow("invalid_header");
});

describe("a response is not modified", () => {
  const isKnown = (request: Record<string, string>, response: Record<string, string> = {}) =>
    outcomeOf(request, response) === "not_modified";

  test.for([
    [ETAG, true],
    [`W/${ETAG}`, true],
    [`"a", ${ETAG}`, true],
    [`"a",W/${ETAG} , "b"`, true],
    [`"a,b", ${ETAG}`, true],
    ["*", true],
    [" * ", true],
    ['"a"', false],
    ['W/"a", "b"', false],
    [`"x${OPAQUE}"`, false],
    [ETAG.toUpperCase(), false],
    [`"*"`, false],
  ] as const)("with If-None-Match: %s → %s", ([value, expected]) => {
    expect(isKnown({ "if-none-match": value })).toBe(expected);
  });

  test.for([
    [MODIFIED, true],
    ["Sat, 06 Nov 2094 08:49:38 GMT", true],
    ["Sat, 06 Nov 2094 08:49:36 GMT", false],
    ["Sat Nov  6 08:49:37 2094", true],
    ["Sat Nov  6 08:49:36 2094", false],
    // More than 50 years ahead: 1994.
    ["Sunday, 06-Nov-94 08:49:37 GMT", false],
    ["Sat, 06 Nov 2094 08:49:37 +0000", false],
    ["Sat, 31 Feb 2095 08:49:37 GMT", false],
    ["2095-01-01T00:00:00Z", false],
    ["tomorrow", false],
  ] as const)("with If-Modified-Since: %s → %s", ([value, expected]) => {
    expect(isKnown({ "if-modified-since": value })).toBe(expected);
  });

  test("by If-None-Match if both are sent", () => {
    expect(isKnown({ "if-none-match": '"other"', "if-modified-since": MODIFIED })).toBe(false);
    expect(isKnown({ "if-none-match": ETAG, "if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT" })).toBe(true);
  });

  test("also where its own ETag is weak, and a two-digit year is of this century", () => {
    expect(isKnown({ "if-none-match": ETAG }, { etag: `W/${ETAG}` })).toBe(true);
    const date = "Tuesday, 06-Nov-01 08:49:37 GMT";
    expect(isKnown({ "if-modified-since": date }, { "last-modified": "Tue, 06 Nov 2001 08:49:37 GMT" })).toBe(true);
    expect(isKnown({ "if-modified-since": date }, { "last-modified": "Tue, 06 Nov 2001 08:49:38 GMT" })).toBe(false);
  });
});

/** What `fetch()` adds to a conditional request; Node's sends `Sec-Fetch-Mode` with every request. */
const NO_CACHE = { "cache-control": "no-cache", pragma: "no-cache" };
const ADDED = { ...NO_CACHE, "sec-fetch-mode": "cors" };
/** Of every browser, to an https: URL. */
const BROWSER = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" };
const ASKED = ["no-cache", "max-age=0", "No-Cache", "no-transform, max-age=00", 'max-age="0"', "max-age=5,no-cache"];

test.for([
  [{}, false],
  ...[...ASKED, "no-store", "max-age=5, no-store"].map((value) => [{ "cache-control": value }, true] as const),
  [{ "cache-control": "max-age=1, no-cached, x-max-age=0, max-stale=0, min-fresh=9, only-if-cached" }, false],
  // RFC 7234, section 5.4.
  [{ pragma: "no-cache" }, true],
  [{ pragma: "no-cache", "if-none-match": ETAG }, true],
  [{ pragma: "no-cache", "cache-control": "max-age=5" }, false],
  [ADDED, true],
  [{ ...ADDED, "if-none-match": ETAG }, false],
  [{ ...ADDED, "if-modified-since": MODIFIED }, false],
  [{ ...ADDED, "if-none-match": ETAG, "cache-control": "max-age=0" }, true],
  // curl: RFC 9111, section 5.2.1.4.
  [{ ...NO_CACHE, "if-none-match": ETAG }, true],
  // By itself, the word is the client's own.
  [{ "cache-control": "no-cache", "if-none-match": ETAG }, true],
  // test/browser/fetch.test.ts asks Chromium what it adds.
  [{ ...BROWSER, "cache-control": "max-age=0", "if-none-match": ETAG }, false],
  [{ ...BROWSER, "cache-control": "max-age=0" }, false],
  [{ ...BROWSER, "cache-control": "no-cache", "if-none-match": ETAG }, true],
  [{ ...BROWSER, ...ADDED }, true],
] as const)("a request with %j passes the cache: %s", ([headers, expected]) => {
  expect(passesCache(new Headers(headers))).toBe(expected);
});
