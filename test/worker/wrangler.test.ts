// The rules for wrangler.toml that wrangler itself does not check.
import "../../src/node/quiet.ts";
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
  vars: Record<string, string>;
}

const config = readConfig({ config: "wrangler.toml" });
const production = config as unknown as Bindings;
const previews = config.previews as unknown as Bindings;

test("wrangler accepts the configuration without a warning, and bundles little code and what [exports] names", async () => {
  const outdir = mkdtempSync(join(tmpdir(), "process-api-dry-run-"));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const read = (name: string) => readFileSync(join(outdir, name), "utf8");
  // As its launcher starts it, which would be one more process.
  const wrangler = ["--no-warnings", new URL(import.meta.resolve("wrangler")).pathname];
  const args = ["deploy", "--dry-run", "--outdir", outdir, "--metafile", join(outdir, "meta.json")];
  const env = { ...process.env, WRANGLER_LOG: "log" };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...wrangler, ...args], { env });
  expect(stdout + stderr).toContain("--dry-run: exiting now.");
  expect(stdout + stderr).not.toMatch(/warning|error/i);

  const meta: { inputs: object; outputs: Record<string, { entryPoint?: string; exports: string[] }> } = JSON.parse(
    read("meta.json"),
  );
  // Contracts lie beside what is bundled. Only the build runs them, and Zod.
  expect(Object.keys(meta.inputs)).toContain("src/worker/resources/process/operations.ts");
  expect(Object.keys(meta.inputs).filter((file) => /zod|src\/openapi|contract\.ts/.test(file))).toStrictEqual([]);
  const output = Object.values(meta.outputs).find(({ entryPoint }) => entryPoint === "src/worker/index.ts");
  expect(Object.keys(config.exports).sort()).toStrictEqual(output?.exports.toSorted());
  expect(read("index.js").length).toBeLessThan(600_000);
  // A stack trace says where in the source.
  expect(read("index.js")).toMatch(/sourceMappingURL=index\.js\.map/);
  expect(JSON.parse(read("index.js.map")).sources.join("\n")).toMatch(/src\/worker\/gateway\/index\.ts$/m);
});

test("the cache stands only before the Api", () => {
  expect(config.cache).toEqual({ enabled: true });
  const { default: gateway, Api, ...others } = config.exports;
  expect(gateway).toEqual({ type: "worker", cache: { enabled: false } });
  expect(Api).toEqual({ type: "worker", cache: { enabled: true } });
  expect(others).toEqual({});
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

test("a preview has the bindings of production that it does not inherit, with rate limits and a dataset of its own", () => {
  const limits = ({ ratelimits }: Bindings) => ratelimits.map(({ name, simple }) => ({ name, simple }));
  expect(limits(previews)).toStrictEqual(limits(production));
  const namespaces = [...production.ratelimits, ...previews.ratelimits].map(({ namespace_id }) => namespace_id);
  expect(new Set(namespaces).size).toBe(namespaces.length);
  const binding = production.analytics_engine_datasets[0]?.binding;
  // The statistics count only production's requests.
  expect(production.analytics_engine_datasets).toEqual([{ binding, dataset: DATASETS.production }]);
  expect(previews.analytics_engine_datasets).toEqual([{ binding, dataset: DATASETS.previews }]);
  expect(previews.version_metadata).toEqual(config.version_metadata);
});

test("a preview caches no response for long, because no feed purges its cache", () => {
  expect(previews.vars.EDGE_FRESH_SECONDS).toBe(String(SETTINGS.EDGE_FRESH_WITHOUT_FEED_SECONDS.default));
});
