// What `npm run dev` says of a change that cannot be built or started, with real wrangler and a Worker of two lines.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startWorker } from "../../src/local/dev.ts";
import { CommandError } from "../../src/node/errors.ts";

const root = mkdtempSync(join(tmpdir(), "process-api-broken-"));
const input = { config: join(root, "wrangler.toml"), entrypoint: join(root, "src/worker.js"), bindings: {} };
const running = new AsyncDisposableStack();
const said = vi.spyOn(console, "error").mockImplementation(() => {});
let url: URL;

beforeAll(async () => {
  mkdirSync(join(root, "src"));
  const build = `[build]\ncommand = "node ${root}/src/build.mjs"\n`;
  writeFileSync(input.config, `name = "w"\ncompatibility_date = "2026-11-17"\n${build}`);
  writeFileSync(input.entrypoint, "export default { fetch: () => new Response('well') };\n");
  writeFileSync(join(root, "src/build.mjs"), "\n");
  url = await startWorker(running, input);
});
afterAll(async () => {
  await running.disposeAsync();
  rmSync(root, { recursive: true });
  said.mockRestore();
});

/** Changes a file in one write, so that wrangler never reads a half. @returns a function that takes the change back */
function breakFile(file: string, mistake: string): () => void {
  const path = join(root, file);
  const { size } = statSync(path);
  appendFileSync(path, mistake);
  return () => truncateSync(path, size);
}

test.for([
  ["the Worker cannot be built", "src/worker.js", "const = 1;", 'Expected identifier but found "="'],
  ["the custom build fails", "src/build.mjs", "const = 1;", "SyntaxError"],
  ["the Worker cannot be started", "src/worker.js", 'throw new Error("not today");', "not today"],
] as const)("while %s, requests get 500 and the reason, until it is mended", async ([_, file, mistake, reason]) => {
  const get = async () => {
    const response = await fetch(url);
    return { status: response.status, text: await response.text() };
  };
  const mend = breakFile(file, mistake);
  await expect.poll(get).toStrictEqual({ status: 500, text: expect.stringContaining(reason) });
  const lines = said.mock.calls.join("\n");
  expect(lines).toContain(reason);
  // No stack of wrangler's own buries it.
  expect(lines).not.toContain("wrangler-dist");
  mend();
  await expect.poll(get).toStrictEqual({ status: 200, text: "well" });
});

test("a Worker that cannot be started at all is one line more, and can be closed", async () => {
  const mend = breakFile("src/worker.js", 'throw new Error("not at all");');
  const started = new AsyncDisposableStack();
  const error = new CommandError("The Worker cannot be built or started.");
  await expect(startWorker(started, input)).rejects.toThrow(error);
  expect(said.mock.calls.join("\n")).toContain("not at all");
  await started.disposeAsync();
  mend();
});
