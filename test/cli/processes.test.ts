// Starts each command once as npm does: script of package.json, file, exit code, stdout and stderr.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { outcomeOf } from "../support/outcome.ts";
import { useRecords } from "../support/records.ts";
import { databaseUrl, masked } from "./command.ts";

const records = useRecords();

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
const NODE_OPTIONS = `--import=${import.meta.resolve("../support/quick-imports.ts")}`;

const ID = "00000000-0000-4000-8000-000000000000";

/** Starts a script of package.json in a shell, or as the last argument of another program. */
function start(script: string, args: string, [file, ...words]: [string, ...string[]] = ["sh", "-c"]) {
  const env = { PATH: process.env.PATH, NODE_OPTIONS, DATABASE_URL: databaseUrl(), PURGE_SECRET: "x" };
  return spawn(file, [...words, `${scripts[script]} ${args}`], { env });
}

test.for([
  ["audit", `--key ${ID}`, 0, "", "Nothing was written.\n"],
  ["purge", "--key - --url https://a", 2, "", "error: Nothing to purge: name an id (see --help).\n"],
  ["stats", "--since 0", 2, "", "error: option '--since <duration>' argument '0' is invalid. Expected 1m to 90d.\n"],
  ["storage", "now", 2, "", "error: too many arguments. Expected 0 arguments but got 1: now.\n"],
  ["db:migrate", "", 0, "", "Nothing to migrate.\n"],
] as const)("npm run %s -- %s", async ([script, args, exitCode, stdout, stderr]) => {
  const child = start(script, args);
  child.stdin.end();
  expect(await outcomeOf(child)).toStrictEqual({ exitCode, stdout, stderr });
});

test("npm run openapi fails if nobody reads stdout", async () => {
  const child = start("openapi", "--check");
  child.stdout.destroy();
  const { exitCode, stderr } = await outcomeOf(child);
  expect([exitCode, stderr]).toStrictEqual([1, "error: The output could not be written.\n"]);
});

// The `script` of util-linux makes a terminal; that of other systems has other options.
if (process.platform === "linux" && existsSync("/usr/bin/script")) {
  test("npm run keys asks at a terminal", async () => {
    const { id, token } = await records.key(await records.company());
    const child = start("keys", `revoke ${id}`, ["script", "/dev/null", "-qec"]);
    child.stdout.once("data", () => child.stdin.write("y\r"));
    const { exitCode, stdout } = await outcomeOf(child);
    expect([exitCode, stdout]).toStrictEqual([0, expect.stringContaining(`(${masked(token)}) on `)]);
    expect(stdout).toContain("Revoked a key.\r\n");
  });
}
