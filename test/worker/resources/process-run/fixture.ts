import { processRuns } from "../../../../src/worker/resources/process-run/table.ts";
import type { Fixture } from "../../../support/fixtures.ts";
import { BEYOND, iso, LAST, length, rule, uuids, YEAR_ONE } from "../../../support/rules.ts";

const FINISHED = { startedAt: YEAR_ONE, finishedAt: YEAR_ONE };

export const fixtures: Fixture[] = [
  {
    table: processRuns,
    row: ({ processId }) => ({ processId, requestedAt: YEAR_ONE }),
    rules: {
      ...uuids("id"),
      ...iso("requested_at"),
      // What is before the request breaks another rule as well.
      started_at_iso: rule("started_at", [YEAR_ONE, LAST], BEYOND.slice(0, 2)),
      finished_at_iso: rule("finished_at", [YEAR_ONE, LAST], BEYOND.slice(0, 2), { startedAt: YEAR_ONE }),
      starts_once_requested: rule("started_at", [LAST, null], [YEAR_ONE], { requestedAt: LAST }),
      finishes_once_started: {
        good: [{ startedAt: YEAR_ONE }, { startedAt: LAST, finishedAt: LAST }],
        bad: [{ startedAt: LAST, finishedAt: YEAR_ONE }, { finishedAt: LAST }],
      },
      result_once_finished: {
        // The control plane may not say how a run has ended.
        good: [{ ...FINISHED, outcome: "failed", exitCode: 1 }, { ...FINISHED, outcome: "succeeded" }, FINISHED],
        bad: [{ outcome: "succeeded" }, { exitCode: 0 }, { startedAt: LAST, exitCode: 0 }],
      },
      failure_reason_only_if_failed: rule("outcome", ["failed"], ["succeeded", null], {
        ...FINISHED,
        failureReason: "a",
      }),
      ...length("failure_reason", 1, 1024, { ...FINISHED, outcome: "failed" }),
      // POSIX, `exit`: the low eight bits.
      exit_code_range: rule("exit_code", [0, 255], [-1, 256], FINISHED),
      retry_count_range: rule("retry_count", [0, 2_147_483_647], [-1]),
    },
    example: ({ processId }) => {
      const now = new Date();
      const finished = {
        requestedAt: now,
        startedAt: now,
        finishedAt: now,
        outcome: "failed",
        failureReason: "Error",
        exitCode: 1,
      };
      return { processId, ...finished };
    },
  },
];
