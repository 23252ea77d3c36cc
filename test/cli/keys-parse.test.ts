import { InvalidArgumentError } from "commander";
import { describe, expect, test } from "vitest";
import { parseDuration, parseEnding, parseId, parseIds, parseWholeNumber } from "../../src/cli/support/parse.ts";

const HOUR_MS = 3_600_000;

describe("a duration", () => {
  test.for([
    ["0", 0],
    ["0h", 0],
    ["90m", 1.5 * HOUR_MS],
    ["24h", 24 * HOUR_MS],
    ["7d", 168 * HOUR_MS],
    ["2w", 336 * HOUR_MS],
  ] as const)("%s is %i ms", ([text, expected]) => {
    expect(parseDuration(text)).toBe(expected);
    expect(parseEnding(text)).toStrictEqual({ inMs: expected });
  });

  test.for([
    "",
    "1",
    "h",
    "-1h",
    "+1h",
    "1.5h",
    "1e3h",
    "24 h",
    " 24h",
    "24h\n",
    "24H",
    "1y",
    "1h30m",
    "1000000h",
    "Infinity",
  ])("is not %j", (text) => {
    expect(() => parseDuration(text)).toThrow(InvalidArgumentError);
    expect(() => parseEnding(text)).toThrow(InvalidArgumentError);
  });
});

describe("the end of a key", () => {
  test.for([
    ["2027-01-31", "2027-01-31T00:00:00.000Z"],
    ["2028-02-29", "2028-02-29T00:00:00.000Z"],
    ["2027-01-31T12:00Z", "2027-01-31T12:00:00.000Z"],
    ["2027-01-31T12:00+02:00", "2027-01-31T10:00:00.000Z"],
    ["2027-01-31T12:00:01.5-00:30", "2027-01-31T12:30:01.500Z"],
    ["0050-06-01", "0050-06-01T00:00:00.000Z"],
  ])("may be %s", ([text, expected]) => {
    expect(parseEnding(String(text))).toStrictEqual({ at: new Date(String(expected)) });
  });

  test.for([
    "2027-02-29",
    "2027-02-30T00:00:00Z",
    "2027-13-01",
    "2027-1-1",
    "27-01-01",
    "2027",
    "2027-01",
    "2027-01-31T12:00",
    "2027-01-31 12:00Z",
    "2027-01-31T25:00Z",
    "2027-01-31T12:00:00.1234Z",
    "2027-01-31T12:00+25:00",
    "+012027-01-31",
    "tomorrow",
    "31 Jan 2027",
  ])("may not be %s", (text) => {
    expect(() => parseEnding(text)).toThrow("Expected 90d, 2027-01-31 or 2027-01-31T12:00:00Z.");
  });
});

describe("an id", () => {
  test("is a UUID in any case, read in lower case", () => {
    expect(parseId("FB5E5168-4281-4BEC-94C5-0D1584E9E657")).toBe("fb5e5168-4281-4bec-94c5-0d1584e9e657");
    expect(parseIds("00000000-0000-0000-0000-000000000000", ["a"])).toStrictEqual([
      "a",
      "00000000-0000-0000-0000-000000000000",
    ]);
  });

  test.for([
    "",
    "fb5e516842814bec94c50d1584e9e657",
    "{fb5e5168-4281-4bec-94c5-0d1584e9e657}",
    // The API refuses these, and the database has none.
    "fb5e5168-4281-9bec-94c5-0d1584e9e657",
    "fb5e5168-4281-4bec-04c5-0d1584e9e657",
    "fb5e5168-4281-4bec-94c5-0d1584e9e657\n",
  ])("is not %j", (text) => {
    expect(() => parseId(text)).toThrow("Expected an id, a UUID.");
  });
});

test.for([
  ["0", 0],
  ["60", 60],
  ["007", 7],
] as const)("%s is a whole number", ([text, expected]) => {
  expect(parseWholeNumber(text)).toBe(expected);
});

test.for(["", "-1", "1.5", "1e3", " 1", "0x10", "1234567890"])("%j is no whole number of seconds", (text) => {
  expect(() => parseWholeNumber(text)).toThrow("Expected a whole number.");
});
