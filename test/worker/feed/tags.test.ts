import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { Change } from "../../../src/worker/feed/query.ts";
import { chainsOf, shorten, tagsOf } from "../../../src/worker/feed/tags.ts";

const uuids = (count: number) => Array.from({ length: count }, () => randomUUID() as string);
const change = (kind: Change["kind"], resourceId: string | null, above: Partial<Change> = {}): Change => {
  return { kind, resourceId, applicationId: null, companyId: null, ownerId: null, changedAt: 0, ...above };
};
const processes = (count: number, applicationId: string, companyId: string) =>
  uuids(count).map((id) => change("process", id, { applicationId, companyId }));
const ownTags = (changes: readonly Change[]) => changes.map(({ resourceId }) => `process:${resourceId}`);

const [process, application, company, key] = uuids(4) as [string, string, string, string];
const above = { applicationId: application, companyId: company };
const one = processes(1, application, company);
const hundred = processes(100, application, company);
const elsewhere = processes(10, key, company);
const companies = uuids(95).map((id) => change("company", id, { companyId: id }));
const movedIds = uuids(150);
/** So many that were moved from an application to that of another company. */
const moved = (count: number) =>
  movedIds
    .slice(0, count)
    .flatMap((id) => [change("process", id, { applicationId: key, companyId: process }), change("process", id, above)]);

test.for<[string, Change[], string[]]>([
  [
    "name what has changed",
    [
      change("process", process, above),
      change("process-list", application, above),
      change("application", application, above),
      change("company", company, { companyId: company }),
      change("key", key, { companyId: company }),
      change("resource-type-list", null),
    ],
    [
      `process:${process}`,
      `process-list:${application}`,
      `application:${application}`,
      `company:${company}`,
      `key:${key}`,
      "resource-type-list:every",
    ],
  ],
  ["are one for a thing that has changed twice", [...one, ...one], ownTags(one)],
  ["are as fine as the call takes", hundred, ownTags(hundred)],
  [
    "give way to their application where most is in common, and leave the others alone",
    [...hundred.slice(9), ...elsewhere],
    [`application:${application}`, ...ownTags(elsewhere)],
  ],
  [
    "give way to their company where there are too many applications",
    uuids(101).flatMap((id) => processes(1, id, company)),
    [`company:${company}`],
  ],
  [
    "give way to everything last",
    [...elsewhere, ...companies],
    [`application:${key}`, ...companies.map(({ companyId }) => `company:${companyId}`)],
  ],
  [
    "give way to all lists of runs, and to nothing that lasts, where many processes run at once",
    [...uuids(101).map((id) => change("run-list", id, above)), ...one],
    ["run-list:every", ...ownTags(one)],
  ],
  [
    "give way to everything where there are too many companies",
    uuids(101).flatMap((id) => processes(1, randomUUID(), id)),
    ["everything"],
  ],
  [
    "are those of where a thing was and of where it is",
    [...moved(1), ...hundred],
    [`application:${application}`, `process:${movedIds[0]}`],
  ],
  ["give way on both sides where a thing has moved", moved(150), [`application:${key}`, `application:${application}`]],
  [
    "give way to the company that has the application now as well",
    uuids(101).flatMap((id) => change("application", id, { applicationId: id, companyId: company, ownerId: key })),
    [`company:${company}`, `company:${key}`],
  ],
  ["give way to everything that has changed", [change("everything", null), ...one], ["everything"]],
  [
    "give way to everything where nothing finer covers them",
    uuids(101).map((id) => change("resource-type", id)),
    ["everything"],
  ],
])("tags of changes %s", ([_, changes, tags]) => {
  expect(tagsOf(shorten(changes.flatMap(chainsOf), 100)).toSorted()).toStrictEqual(tags.toSorted());
});
