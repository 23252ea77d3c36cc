import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-11-17"))]);`;

test("in workerd, requests share a response, also when the one that asked for it or one that waits leaves", async () => {
  const folder = await mkdtemp(join(tmpdir(), "process-api-cache-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const outfile = join(folder, "worker.js");
  const entryPoints = ["test/support/workers/cache.ts"];
  await build({ entryPoints, outfile, bundle: true, format: "esm", external: ["cloudflare:*"] });
  const config = join(folder, "config.capnp");
  await writeFile(config, CONFIG);
  const { stdout } = await promisify(execFile)("node_modules/workerd/bin/workerd", ["test", config]);
  const outcomes = stdout.trim().split("\n");
  expect(outcomes.map((line) => JSON.parse(line))).toStrictEqual([
    ["MISS #1", "HIT #1", "HIT #1", 1],
    ["AbortError", "HIT #1", "HIT #1", 1],
    ["MISS #1", "AbortError", "HIT #1", 1],
  ]);
});
