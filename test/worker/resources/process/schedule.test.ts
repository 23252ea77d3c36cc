// What a schedule may be, form by form. POSIX has numbers, lists, ranges and `*`; what runs a CronJob of Kubernetes also has names,
// steps and `?`. It takes more than that by oversight (`1,,2`, `*-9`), which is refused here.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/crontab.html
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
// https://github.com/robfig/cron/blob/v3.0.1/parser.go
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mistakeIn } from "../../../../src/worker/resources/process/schedule.ts";
import { document } from "../../../support/operations.ts";

const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");
const DAYS = "SUN MON TUE WED THU FRI SAT".split(" ");

function anyField(min: number, max: number, names: string[] = []) {
  const written = (n: number) => {
    const name = names[n - min] ?? `0${n}`;
    return fc.constantFrom(`${n}`, name, name.toLowerCase());
  };
  const value = fc.integer({ min, max });
  const range = fc.tuple(value, value).chain(([a, b]) => fc.tuple(written(Math.min(a, b)), written(Math.max(a, b))));
  const values = fc.oneof(
    fc.constantFrom("*", "?"),
    value.chain(written),
    range.map((ends) => ends.join("-")),
  );
  const step = fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined });
  const item = fc.tuple(values, step).map((parts) => parts.filter((part) => part !== undefined).join("/"));
  return fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(","));
}
const anySchedule = fc
  .tuple(anyField(0, 59), anyField(0, 23), anyField(1, 31), anyField(1, 12, MONTHS), anyField(0, 6, DAYS))
  .map((fields) => fields.join(" "));

const MUST_BE = "must be a cron expression with five fields";
const isTaken = (schedule: string) => mistakeIn(schedule) === undefined;

describe("a schedule may have", () => {
  test.for([
    ["POSIX's forms", "0 3 1,15 * 1-5"],
    ["the largest values", "59 23 31 12 6"],
    ["zeros in front", "00 03 01 01 *"],
    ["names in any case, in lists and ranges", "0 0 * JAN-mar,Dec Mon,FRI-SAT"],
    ["steps of all values, of a range, and from a value on", "*/5 0-12/3 5/10 ?/2 MON-FRI/2"],
    ["a step beyond the last value", "*/60 */24 * * *"],
    ["? for *", "? ? ? ? ?"],
    ["tabs, and several spaces", "0\t0  *\t * *"],
    // For a process that only triggers start.
    ["a day that never comes", "0 0 30 2 *"],
  ] as const)("%s: %j", ([, schedule]) => {
    expect(mistakeIn(schedule)).toBeUndefined();
  });

  test("whatever its grammar makes", () => {
    fc.assert(fc.property(anySchedule, isTaken));
  });
});

describe("a schedule is refused, and what is wrong with it is quoted:", () => {
  const MINUTE = ["minute", "0-59"] as const;
  const HOUR = ["hour", "0-23"] as const;
  const DAY = ["day of the month", "1-31"] as const;
  const MONTH = ["month", "1-12 or JAN-DEC"] as const;
  const WEEKDAY = ["day of the week", "0-6 or SUN-SAT"] as const;
  test.for([
    [MINUTE, "? * * * *", ["60", "50-60", "9-5", "-1", "+5", "1.5", "0x1", "1e1", "٣", "H", "~", "MON"]],
    [MINUTE, "? * * * *", ["5-", "-5", "1-2-3", "1,,2", ",", "1,", "**", "5*", "*-9", "\ufeff0", "\r\n0", "0\u200b"]],
    [MINUTE, "? * * * *", ["*/0", "*/", "/5", "*/2/2", "*/-2", `*/${"9".repeat(18)}`]],
    [HOUR, "0 ? * * *", ["24", "9-24", "MON"]],
    [DAY, "0 0 ? * *", ["0", "32", "L", "15W", "JAN"]],
    [MONTH, "0 0 * ? *", ["0", "13", "JANFEB", "1JAN", "JANUARY", "DEC-JAN"]],
    [WEEKDAY, "0 0 * * ?", ["7", "5-7", "SUNMON", "FRI-MON", "MOO", "5#2", "5L", "*\n", "*\r\n", "*\u00a0"]],
  ] as const)("the %s in %s", ([[name, values], schedule, forms]) => {
    const said = forms.map((form) => mistakeIn(schedule.split("?").join(form)));
    const taken = `${values}, with lists, ranges that do not wrap around, and steps`;
    const beginning = `${MUST_BE}: the ${name} cannot be`;
    expect(said).toStrictEqual(forms.map((form) => `${beginning} ${JSON.stringify(form)} (${taken})`));
  });

  test("one item of a list, and no more than twenty characters", () => {
    for (const [day, quote] of [
      ["1,9,SUN", '"9"'],
      ["*/99999999999999999999", '"*/999999999999999999…"'],
    ]) {
      expect(mistakeIn(`0 0 * * ${day}`)).toContain(`the day of the week cannot be ${quote} (`);
    }
  });

  test.for([
    [4, ["* * * *", "0\u00a00 * * *", "0\n0 * * *", "0\v0 * * *"]],
    [6, ["0 0 0 * * *", "TZ=UTC 0 0 * * *"]],
    [1, ["@daily"]],
    [2, ["@every 1h"]],
  ] as const)("the number of its fields, which is %i", ([count, schedules]) => {
    const names = "minute, hour, day of the month, month, day of the week";
    const said = schedules.map(mistakeIn);
    expect(said).toStrictEqual(schedules.map(() => `${MUST_BE} (${names}), and has ${count}`));
  });

  test.for(["", " 0 0 * * *", "0 0 * * * ", " "])("the spaces around it: %j", (schedule) => {
    expect(mistakeIn(schedule)).toBe(`${MUST_BE}, and no spaces around them`);
  });

  test("a character anywhere that its grammar does not have", () => {
    const stranger = fc.constantFrom(..."\n\u00a0\ufeff@#+.;:_'\"LWHX$\\(");
    const spoiled = fc.tuple(anySchedule, fc.nat(), stranger).map(([schedule, n, character]) => {
      const at = n % (schedule.length + 1);
      return schedule.slice(0, at) + character + schedule.slice(at);
    });
    fc.assert(fc.property(spoiled, (schedule) => !isTaken(schedule)));
  });
});

test("the document says what a schedule may have, and what it may not", () => {
  const { schedule } = Object(document.components?.schemas?.CreateProcess).properties;
  const description: string = schedule.description;
  const [taken = [], refused = []] = description
    .split("It may not have")
    .map((text) => Array.from(text.matchAll(/`(.+?)`/g), ([, form]) => `0 0 * * ${form}`));
  expect([taken.length > 5, taken.filter((one) => !isTaken(one))]).toStrictEqual([true, []]);
  expect([refused.length > 5, refused.filter(isTaken)]).toStrictEqual([true, []]);
  const bounds = Array.from(
    description.matchAll(/\((\d+)-(\d+)/g),
    ([, min, max]) => [Number(min), Number(max)] as const,
  );
  const areTaken = bounds.map(([min, max], field) =>
    [min - 1, min, max, max + 1].map((n) => isTaken("* * * * *".split(" ").with(field, `${n}`).join(" "))),
  );
  expect(areTaken).toStrictEqual(Array(5).fill([false, true, true, false]));
});
