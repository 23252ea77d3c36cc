import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/worker/feed/query.ts";
import { tagsFor } from "../../../src/worker/feed/tags.ts";

const uuids = (count: number) => Array.from({ length: count }, () => randomUUID() as string);

const change = (kind: Change["kind"], resourceId: string | null, above: Partial<Change> = {}): Change => ({
  id: "1",
  kind,
  resourceId,
  applicationId: null,
  companyId: null,
  ageSeconds: 0,
  ...above,
});
const processes = (count: number, applicationId: string, companyId: string) =>
  uuids(count).map((id) => change("process", id, { applicationId, companyId }));

describe("tags of changes", () => {
  test("name what has changed", () => {
    const [process, application, company, key] = uuids(4) as [string, string, string, string];
    const above = { applicationId: application, companyId: company };
    expect(
      tagsFor(
        [
          change("process", process, above),
          change("process-list", application, above),
          change("application", application, above),
          change("company", company, { companyId: company }),
          change("key", key, { companyId: company }),
          change("resource-type-list", null),
        ],
        100,
      ),
    ).toStrictEqual([
      `process:${process}`,
      `process-list:${application}`,
      `application:${application}`,
      `company:${company}`,
      `key:${key}`,
      "resource-type-list:every",
    ]);
  });

  test("are one for a thing that has changed twice", () => {
    const [one] = processes(1, randomUUID(), randomUUID());
    expect(tagsFor([one, { ...one, id: "2" }] as Change[], 100)).toHaveLength(1);
  });

  test("are as fine as the call takes", () => {
    expect(tagsFor(processes(100, randomUUID(), randomUUID()), 100)).toHaveLength(100);
  });

  test("give way to their application where most is in common, and leave the others alone", () => {
    const [busy, quiet, company] = uuids(3) as [string, string, string];
    const others = processes(10, quiet, company);
    const tags = tagsFor([...processes(91, busy, company), ...others], 100);
    expect(tags.sort()).toStrictEqual(
      [`application:${busy}`, ...others.map(({ resourceId }) => `process:${resourceId}`)].sort(),
    );
  });

  test("give way to their company where there are too many applications", () => {
    const company = randomUUID();
    const changes = uuids(101).flatMap((application) => processes(1, application, company));
    expect(tagsFor(changes, 100)).toStrictEqual([`company:${company}`]);
  });

  test("give way to everything where there are too many companies, or where nothing finer covers them", () => {
    const ofCompanies = uuids(101).flatMap((company) => processes(1, randomUUID(), company));
    expect(tagsFor(ofCompanies, 100)).toStrictEqual(["everything"]);
    expect(tagsFor([change("everything", null), ...processes(1, randomUUID(), randomUUID())], 100)).toStrictEqual([
      "everything",
    ]);
    expect(
      tagsFor(
        uuids(101).map((id) => change("resource-type", id)),
        100,
      ),
    ).toStrictEqual(["everything"]);
  });
});
