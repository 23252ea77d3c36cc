import { apiKeyWrites } from "../../../src/worker/statements/table.ts";
import type { Fixture } from "../../support/fixtures.ts";
import { MAX, rule } from "../../support/rules.ts";

export const fixtures: Fixture[] = [
  {
    table: apiKeyWrites,
    row: ({ keyId }) => ({ apiKeyId: keyId, day: "2025-01-30", bytes: 0 }),
    rules: {
      day_finite: rule("day", ["0001-01-01", "9999-12-31"], ["infinity", "-infinity"]),
      bytes_range: rule("bytes", [0, MAX], [-1, MAX + 1]),
    },
  },
];
