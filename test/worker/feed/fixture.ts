import { changes, feed } from "../../../src/worker/feed/table.ts";
import type { Fixture } from "../../support/fixtures.ts";
import { BEYOND, rule, YEAR_ONE } from "../../support/rules.ts";

export const fixtures: Fixture[] = [
  {
    table: changes,
    row: () => ({ kind: "everything" }),
    rules: { changed_at_finite: rule("changed_at", [YEAR_ONE, BEYOND[0]], [BEYOND[1], BEYOND[3]]) },
  },
  {
    table: feed,
    row: () => ({}),
    rules: {
      is_only: rule("is_only", [], [false]),
      leased_until_finite: rule("leased_until", [], [BEYOND[1], BEYOND[3]]),
      healthy_at_finite: rule("healthy_at", [], [BEYOND[1], BEYOND[3]]),
    },
  },
];
