// What only the runtime shows: clients that leave, and bodies that several requests are given.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-17",
))]);`;

test("in workerd, requests share a response, whoever leaves, and a purge reaches it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "process-api-cache-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await build({
    entryPoints: ["test/support/workers/cache.ts"],
    bundle: true,
    format: "esm",
    external: ["cloudflare:*"],
    outfile: join(folder, "worker.js"),
  });
  await writeFile(join(folder, "config.capnp"), CONFIG);
  const { stdout } = await promisify(execFile)("node_modules/workerd/bin/workerd", [
    "test",
    join(folder, "config.capnp"),
  ]);
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toStrictEqual([
    ["many at once", ["HIT #1", "MISS #1"], 1],
    ["the first leaves", ["AbortError", "HIT #1", "HIT #1"], 1],
    ["one that waits leaves", ["MISS #1", "AbortError", "HIT #1"], 1],
    ["a purge", ["MISS #1", true, "MISS #2"], 2],
  ]);
});
