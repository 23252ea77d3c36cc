import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import "../../src/cli/support/quiet.ts";
import { startEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { bench } from "./bench.ts";
import { Children } from "./children.ts";
import { SMOKE } from "./plan.ts";
import { toMarkdown } from "./table.ts";

test("the benchmark runs to its end, and every number is one", { timeout: 180_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "process-api-bench-"));
  const children = new Children();
  // One of its own: what the benchmark adds would be in the way of other tests.
  const postgres = await startEmbeddedPostgres();
  onTestFinished(async () => {
    await children.stopAll();
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  });

  const { connectionString } = postgres;
  const report = await bench(SMOKE, { connectionString, children, directory, say: () => {} });

  expect(report.rows).toHaveLength(8 * SMOKE.delaysMs.length);
  // What is no number is null in JSON.
  expect(JSON.stringify(report)).not.toContain("null");
  expect(toMarkdown(report)).not.toMatch(/NaN|undefined|∞/);
  expect(report.bars.length).toBeGreaterThanOrEqual(10);
});
