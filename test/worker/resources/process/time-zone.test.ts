// Which time zones a write may send. What runs a schedule has the IANA database: https://data.iana.org/time-zones/theory.html#naming

import { expect, test } from "vitest";
import { timeZones } from "#openapi";
import { checkChange } from "../../../../src/worker/resources/process/check.ts";
import { useRecords } from "../../../support/records.ts";

const records = useRecords();
const TIME_ZONES = new Set(timeZones.split(" "));
const isTaken = (time_zone: string) => checkChange({ time_zone }, (name) => TIME_ZONES.has(name)).length === 0;

test("all names of the database may be sent, as Postgres has them from its source", async () => {
  // `Factory` says that nobody has set a zone. The others are of Debian's files.
  const { rows } = await records.pool.query<{ name: string }>(
    "select name from pg_timezone_names where name !~ '^(Factory|localtime|posixrules|(posix|right)/.*)$'",
  );
  const names = rows.map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining(["Europe/Berlin", "US/Pacific", "Asia/Calcutta", "Etc/GMT+5", "EST5EDT"]),
  );
  expect(names.filter((name) => !isTaken(name))).toStrictEqual([]);
});

test.for([
  // ICU's, and so those of `Intl`: https://github.com/unicode-org/icu/blob/main/icu4c/source/tools/tzcode/icuzones
  ..."ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT PST SST VST".split(" "),
  ...["SystemV/EST5", "SystemV/PST8PDT", "US/Pacific-New", "Canada/East-Saskatchewan", "Etc/Unknown"],
  // The spelling of the database.
  ...["america/new_york", "EUROPE/BERLIN", "utc", "Etc/utc", "gmt+0"],
  ...["+01:00", "UTC+1", "GMT+1", "EST5EDT4", "Mars/Olympus", "Factory", "Local", "posix/UTC", "Europe", "Europe/"],
  ...[" UTC", "UTC ", "UTC\n", "UTC Zulu", "Europe/Berlin UTC"],
])("%j is none of them", (name) => {
  expect(isTaken(name)).toBe(false);
});
