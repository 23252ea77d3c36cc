import { companies } from "../../../../src/worker/resources/company/table.ts";
import type { Fixture } from "../../../support/fixtures.ts";
import { length, uuids } from "../../../support/rules.ts";

export const fixtures: Fixture[] = [
  {
    table: companies,
    row: () => ({ name: "A company" }),
    rules: { ...uuids("id"), ...length("name", 1, 255) },
    change: "name = 'Another'",
  },
];
