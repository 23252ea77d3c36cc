// The rules for wrangler.toml that wrangler itself does not check.
import "../../src/cli/support/quiet.ts";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { DATASETS } from "../../src/worker/shared/analytics.ts";
import { SETTINGS } from "../../src/worker/shared/config.ts";

interface Dataset {
  binding: string;
  dataset: string;
}

interface Ratelimit {
  name: string;
  namespace_id: string;
  simple: object;
}

const config = readConfig({ config: "wrangler.toml" });
const previews = config.previews as {
  ratelimits: Ratelimit[];
  analytics_engine_datasets: Dataset[];
  version_metadata: object;
} & Record<string, unknown>;
const datasets = config.analytics_engine_datasets as Dataset[];
const ratelimits = config.ratelimits as Ratelimit[];

async function wrangler(...args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)("node_modules/.bin/wrangler", args);
  return stdout + stderr;
}

describe("wrangler.toml", () => {
  const folder = mkdtempSync(join(tmpdir(), "process-api-dry-run-"));
  let said: string;
  beforeAll(async () => {
    said = await wrangler("deploy", "--dry-run", `--outdir=${folder}`, `--metafile=${join(folder, "meta.json")}`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("is accepted without a warning", () => {
    expect(said).toContain("--dry-run: exiting now.");
    expect(said).not.toMatch(/warning|error/i);
  });

  test("names under [exports] only what the Worker exports, and the cache stands before the Api alone", () => {
    const { outputs } = JSON.parse(readFileSync(join(folder, "meta.json"), "utf8"));
    const bundle = Object.values<{ entryPoint?: string; exports: string[] }>(outputs).find(
      ({ entryPoint }) => entryPoint === "src/worker/index.ts",
    );
    expect(Object.keys(config.exports).sort()).toStrictEqual(bundle?.exports.toSorted());
    expect(config.cache).toEqual({ enabled: true });
    expect(config.exports).toEqual({
      default: { type: "worker", cache: { enabled: false } },
      Api: { type: "worker", cache: { enabled: true } },
    });
  });

  test("uploads little code, and where it is from", () => {
    const bundle = readFileSync(join(folder, "index.js"), "utf8");
    expect(bundle.length).toBeLessThan(600_000);
    expect(bundle).toMatch(/sourceMappingURL=index\.js\.map/);
    const { sources } = JSON.parse(readFileSync(join(folder, "index.js.map"), "utf8"));
    expect(sources.some((source: string) => source.endsWith("src/worker/gateway/index.ts"))).toBe(true);
  });
});

test("the types of the bindings are those of wrangler.toml", async () => {
  const types = ["types", "src/worker/worker-configuration.d.ts", "--include-runtime=false", "--check"];
  expect(await wrangler(...types)).toContain("are up to date");
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
  expect(config.placement).toBeUndefined();
  expect(previews.placement).toBeUndefined();
});

describe("a preview", () => {
  test("has the bindings of production that it does not inherit", () => {
    const namesOf = (bindings: Ratelimit[]) => bindings.map(({ name, simple }) => ({ name, simple }));
    expect(namesOf(previews.ratelimits)).toStrictEqual(namesOf(ratelimits));
    expect(previews.version_metadata).toEqual(config.version_metadata);
    expect(previews.analytics_engine_datasets.map(({ binding }) => binding)).toStrictEqual(
      datasets.map(({ binding }) => binding),
    );
  });

  test("keeps no answer for long: no feed purges its cache", () => {
    const { EDGE_FRESH_SECONDS } = previews.vars as Record<string, string>;
    expect(EDGE_FRESH_SECONDS).toBe(String(SETTINGS.EDGE_FRESH_WITHOUT_FEED_SECONDS.default));
  });

  test("is not counted among the requests of production, which the statistics show", () => {
    expect(datasets.map(({ dataset }) => dataset)).toStrictEqual([DATASETS.production]);
    expect(previews.analytics_engine_datasets.map(({ dataset }) => dataset)).toStrictEqual([DATASETS.previews]);
  });

  test("spends no budget of production's", () => {
    const namespaces = [...ratelimits, ...previews.ratelimits].map(({ namespace_id }) => namespace_id);
    expect(new Set(namespaces).size).toBe(namespaces.length);
  });
});
