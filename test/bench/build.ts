// Builds what would be deployed: bundled and minified by wrangler.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Children, run } from "./children.ts";

const ROOT = join(import.meta.dirname, "../..");
const WRANGLER = join(ROOT, "node_modules/.bin/wrangler");
const OWN_CONFIG = join(ROOT, "wrangler.toml");
/** Bundles alike, without the custom build. */
const BENCH_CONFIG = join(import.meta.dirname, "workers/wrangler.toml");

const ENTRIES = {
  /** The deployed Worker. Measured by its size alone: without Cloudflare it has no cache. */
  deployed: { config: OWN_CONFIG, entry: "src/worker/index.ts" },
  /** The same behind the stand-in for Workers Caching. */
  ours: { config: BENCH_CONFIG, entry: "src/local/worker.ts" },
  /** The same without it. */
  uncached: { config: BENCH_CONFIG, entry: "test/bench/workers/uncached.ts" },
  /** Ours, with a way to run the feed. */
  feeding: { config: BENCH_CONFIG, entry: "test/bench/workers/feeding.ts" },
  bare: { config: BENCH_CONFIG, entry: "test/bench/workers/bare.ts" },
  empty: { config: BENCH_CONFIG, entry: "test/bench/workers/empty.ts" },
  gateway: { config: BENCH_CONFIG, entry: "test/bench/workers/gateway.ts" },
  "gateway-floor": { config: BENCH_CONFIG, entry: "test/bench/workers/gateway-floor.ts" },
  "query-floor": { config: BENCH_CONFIG, entry: "test/bench/workers/query-floor.ts" },
  usual: { config: BENCH_CONFIG, entry: "test/bench/workers/usual.ts" },
};

export type BundleName = keyof typeof ENTRIES;

export interface Bundle {
  /** The path of the one module. */
  path: string;
  rawBytes: number;
  gzipBytes: number;
}

/** Builds all Workers below a directory, two at a time. */
export async function buildAll(children: Children, directory: string): Promise<Record<BundleName, Bundle>> {
  const bundles: Partial<Record<BundleName, Bundle>> = {};
  const waiting = Object.keys(ENTRIES) as BundleName[];
  async function buildNext(): Promise<void> {
    const name = waiting.shift();
    if (name !== undefined) bundles[name] = await build(children, ENTRIES[name], join(directory, name));
  }
  async function buildRest(): Promise<void> {
    while (waiting.length > 0) await buildNext();
  }
  // The first runs the custom build of wrangler.toml, whose files the others need.
  await buildNext();
  await Promise.all([buildRest(), buildRest()]);
  return bundles as Record<BundleName, Bundle>;
}

async function build(
  children: Children,
  { config, entry }: (typeof ENTRIES)[BundleName],
  outdir: string,
): Promise<Bundle> {
  await run(
    children,
    WRANGLER,
    ["deploy", join(ROOT, entry), "--config", config, "--dry-run", "--minify", "--outdir", outdir],
    { cwd: ROOT, env: { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_SEND_METRICS: "false" } },
  );
  const path = join(outdir, entry.replace(/^.*\//, "").replace(/ts$/, "js"));
  const text = readFileSync(path);
  return { path, rawBytes: text.byteLength, gzipBytes: gzipSync(text).byteLength };
}
