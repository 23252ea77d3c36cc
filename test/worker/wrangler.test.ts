// The rules for wrangler.toml that wrangler itself does not check.
import "../../src/cli/support/quiet.ts";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { DATASETS } from "../../src/worker/shared/analytics.ts";
import { SETTINGS } from "../../src/worker/shared/config.ts";

interface Bindings extends Record<string, unknown> {
  ratelimits: { name: string; namespace_id: string; simple: object }[];
  analytics_engine_datasets: { binding: string; dataset: string }[];
  version_metadata: object;
  vars: Record<string, string>;
}

const config = readConfig({ config: "wrangler.toml" });
const production = config as unknown as Bindings;
const previews = config.previews as unknown as Bindings;

test("wrangler accepts the configuration without a warning, and bundles little code and what [exports] names", async () => {
  const folder = mkdtempSync(join(tmpdir(), "process-api-dry-run-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // As its launcher starts it, which would be one more process.
  const wrangler = new URL(import.meta.resolve("wrangler")).pathname;
  const options = ["--dry-run", `--outdir=${folder}`, `--metafile=${join(folder, "meta.json")}`];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    "--no-warnings",
    wrangler,
    "deploy",
    ...options,
  ]);
  expect(stdout + stderr).toContain("--dry-run: exiting now.");
  expect(stdout + stderr).not.toMatch(/warning|error/i);

  const { outputs } = JSON.parse(readFileSync(join(folder, "meta.json"), "utf8"));
  const output = Object.values<{ entryPoint?: string; exports: string[] }>(outputs).find(
    ({ entryPoint }) => entryPoint === "src/worker/index.ts",
  );
  expect(Object.keys(config.exports).sort()).toStrictEqual(output?.exports.toSorted());
  const bundle = readFileSync(join(folder, "index.js"), "utf8");
  expect(bundle.length).toBeLessThan(600_000);
  // A stack trace says where in the source.
  expect(bundle).toMatch(/sourceMappingURL=index\.js\.map/);
  const { sources } = JSON.parse(readFileSync(join(folder, "index.js.map"), "utf8"));
  expect(sources.some((source: string) => source.endsWith("src/worker/gateway/index.ts"))).toBe(true);
});

test("the cache stands only before the Api", () => {
  expect(config.cache).toEqual({ enabled: true });
  expect(config.exports).toEqual({
    default: { type: "worker", cache: { enabled: false } },
    Api: { type: "worker", cache: { enabled: true } },
  });
});

test("the compatibility date is one that the installed workerd knows, and is not in the future", () => {
  const date = String(config.compatibility_date);
  const fromWrangler = createRequire(createRequire(import.meta.url).resolve("wrangler"));
  const { compatibilityDate } = fromWrangler("workerd") as { compatibilityDate: string };
  expect(compatibilityDate).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  expect(date <= compatibilityDate).toBe(true);
  expect(date <= new Date().toISOString().slice(0, 10)).toBe(true);
});

test("nothing is placed away from the caller", () => {
  expect([config.placement, previews.placement]).toStrictEqual([undefined, undefined]);
});

test("a preview has the bindings of production that it does not inherit, with rate limits of its own", () => {
  const limits = ({ ratelimits }: Bindings) => ratelimits.map(({ name, simple }) => ({ name, simple }));
  const datasets = (bindings: Bindings) => bindings.analytics_engine_datasets.map(({ binding }) => binding);
  expect(limits(previews)).toStrictEqual(limits(production));
  expect(datasets(previews)).toStrictEqual(datasets(production));
  expect(previews.version_metadata).toEqual(config.version_metadata);
  const namespaces = [...production.ratelimits, ...previews.ratelimits].map(({ namespace_id }) => namespace_id);
  expect(new Set(namespaces).size).toBe(namespaces.length);
});

test("a preview caches no response for long, because no feed purges its cache", () => {
  expect(previews.vars.EDGE_FRESH_SECONDS).toBe(String(SETTINGS.EDGE_FRESH_WITHOUT_FEED_SECONDS.default));
});

test("a preview is not counted among the requests of production, which the statistics show", () => {
  const datasets = (bindings: Bindings) => bindings.analytics_engine_datasets.map(({ dataset }) => dataset);
  expect(datasets(production)).toStrictEqual([DATASETS.production]);
  expect(datasets(previews)).toStrictEqual([DATASETS.previews]);
});
