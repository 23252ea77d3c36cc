import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import "../../src/node/quiet.ts";
import { startEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { barsOf } from "./bars.ts";
import { bench, PARTS } from "./bench.ts";
import { Children } from "./children.ts";
import { SMOKE } from "./plan.ts";
import { toMarkdown } from "./table.ts";

test("the benchmark runs to its end, and every number is one", { timeout: 900_000 }, async () => {
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
  const saved: string[] = [];
  const report = await bench(SMOKE, PARTS, {
    connectionString,
    children,
    directory,
    say: () => {},
    save: async (soFar) => saved.push(JSON.stringify(soFar)),
  });

  expect(report.failures).toStrictEqual({});
  expect(toMarkdown(report)).not.toContain("failed:");
  expect(saved).toHaveLength(PARTS.length);
  expect(report.rows).toHaveLength(10 * SMOKE.delaysMs.length);
  // JSON writes null for what is no number.
  expect(JSON.stringify(report)).not.toContain("null");
  expect(toMarkdown(report)).not.toMatch(/NaN|undefined|∞/);
  expect(barsOf(report).length).toBeGreaterThanOrEqual(10);
});
