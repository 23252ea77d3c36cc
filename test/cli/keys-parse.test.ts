import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { parseDuration, parseEnding, parseId, parseIds, parseWholeNumber } from "../../src/cli/support/parse.ts";

const ID = "fb5e5168-4281-4bec-94c5-0d1584e9e657";
const NIL = "00000000-0000-0000-0000-000000000000";
const DURATIONS = ["0", "0h", "90m", "24h", "7d", "2w"];
const DURATIONS_MS = [0, 0, 1.5, 24, 168, 336].map((hours) => hours * 3_600_000);
const NO_DURATIONS = "|1|h|-1h|+1h|1.5h|1e3h|24 h| 24h|24h\n|24H|1y|1h30m|1000000h|Infinity".split("|");
const DAYS = ["2027-01-31", "2028-02-29", "0050-06-01"];
const NO_DAYS = "2027-02-29|2027-02-30T00:00:00Z|2027-13-01|2027-1-1|27-01-01|2027|2027-01|tomorrow|31 Jan 2027".split(
  "|",
);
const NO_MOMENTS = [
  ...["2027-01-31T12:00", "2027-01-31 12:00Z", "2027-01-31T25:00:00Z", "2027-01-31T12:00Z"],
  ...["2027-01-31T12:00:00+25:00", "+012027-01-31"],
];

type Case = [parse: (text: string) => unknown, texts: string[], values: unknown[]];
test.for<Case>([
  [parseDuration, DURATIONS, DURATIONS_MS],
  [parseEnding, DURATIONS, DURATIONS_MS],
  [parseEnding, DAYS, DAYS.map((day) => new Date(`${day}T00:00:00.000Z`))],
  [parseEnding, ["2027-01-31T12:00:00Z"], [new Date("2027-01-31T12:00:00.000Z")]],
  [parseEnding, ["2027-01-31T12:00:00+02:00"], [new Date("2027-01-31T10:00:00.000Z")]],
  [parseEnding, ["2027-01-31T12:00:01.5-00:30"], [new Date("2027-01-31T12:30:01.500Z")]],
  [parseId, [ID.toUpperCase(), NIL], [ID, NIL]],
  [(text) => parseIds(text, ["a"]), [ID.toUpperCase()], [["a", ID]]],
  [parseWholeNumber, ["0", "60", "007", "123456789"], [0, 60, 7, 123_456_789]],
])("%o takes %j", ([parse, texts, values]) => {
  expect(texts.map((text) => parse(text))).toStrictEqual(values);
});

test.for<[Case[0], words: string, texts: string[]]>([
  [parseDuration, "Expected 0 or a duration such as 90m, 24h, 7d or 2w.", NO_DURATIONS],
  [parseEnding, "Expected 90d, 2027-01-31 or 2027-01-31T12:00:00Z.", [...NO_DURATIONS, ...NO_DAYS, ...NO_MOMENTS]],
  [parseId, "Expected an id, a UUID.", ["", ID.replaceAll("-", ""), `{${ID}}`, `${ID}\n`]],
  // The API refuses these versions and variants, so no row has them.
  [parseId, "Expected an id, a UUID.", [ID.replace("-4bec", "-9bec"), ID.replace("-94c5", "-04c5")]],
  [parseWholeNumber, "Expected a whole number.", ["", "-1", "1.5", "1e3", " 1", "0x10", "1234567890"]],
])("%o refuses other texts: %s", ([parse, words, texts]) => {
  for (const text of texts) expect(() => parse(text), text).toThrow(new InvalidArgumentError(words));
});
