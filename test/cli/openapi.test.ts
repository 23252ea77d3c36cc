import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import command from "../../src/cli/openapi.ts";
import { run } from "../support/command.ts";

let directory: string;
let file: string;
let committed: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "process-api-openapi-"));
  file = join(directory, "openapi.full.json");
  committed = await readFile("src/openapi/openapi.full.json", "utf8");
});
afterAll(() => rm(directory, { recursive: true }));

/** PATH, because the comparison is a process of its own. */
const openapi = (...args: string[]) => run(command, args, { env: { PATH: process.env.PATH } });

test("--check accepts the committed document, and the table of operations in the README", async () => {
  const stdout = ["src/openapi/openapi.full.json", "README.md"]
    .map((file) => `${file} is what the code generates.\n`)
    .join("");
  expect(await openapi("--check")).toStrictEqual({ exitCode: 0, stdout, stderr: "" });
});

test("a missing document fails --check, and is written without it", async () => {
  expect((await openapi("--check", file)).exitCode).toBe(1);
  await expect(readFile(file)).rejects.toThrow("ENOENT");
  expect(await openapi(file)).toStrictEqual({ exitCode: 0, stdout: `${file} is written.\n`, stderr: "" });
  expect(await readFile(file, "utf8")).toBe(committed);
});

test("--check fails after a change that breaks nobody, too, and writes nothing", async () => {
  const earlier = JSON.parse(committed);
  earlier.info.description = "As it was.";
  delete earlier.paths["/api-keys/me"].get.responses["405"];
  await writeFile(file, JSON.stringify(earlier));
  const { exitCode, stdout, stderr } = await openapi("--check", file);
  const error = `error: ${file} is not what the code generates. Write it with \`npm run openapi\`.\n`;
  expect([exitCode, stderr]).toStrictEqual([1, error]);
  expect(stdout).toMatch(/^0 major, 1 minor, 1 patch\.$/m);
  // That file is deleted by then.
  expect(stdout).not.toContain("generated.json");
  expect(await readFile(file, "utf8")).toBe(JSON.stringify(earlier));
});

test("without --check, each breaking change is explained and the document is written", async () => {
  const earlier = JSON.parse(committed);
  earlier.components.schemas.Process.properties.color = { type: "string" };
  earlier.components.schemas.Process.properties.port = { type: "integer", minimum: 1, maximum: 65_535 };
  earlier.paths["/sites"] = { get: { ...earlier.paths["/api-keys/me"].get, operationId: "getSites" } };
  earlier.paths["/api-keys/me"].get.operationId = "me";
  earlier.paths["/applications/{id}/processes"].get.parameters[1].schema.maximum = 1_000;
  await writeFile(file, JSON.stringify(earlier));
  const { exitCode, stdout, stderr } = await openapi(file);
  expect([exitCode, stderr]).toStrictEqual([0, ""]);
  expect([...stdout.matchAll(/✖ major .*\n +(.*) \(/g)].map(([_, words]) => words)).toStrictEqual([
    "`operationId` of operation `GET /api-keys/me` changed from 'me' to 'getCurrentApiKeyV3'.",
    "Upper bound changed from '<= 1000' to '<= 100'.",
    "Property `color` of `Process` was removed.",
    "Type of `port` widened from 'integer' to 'integer | null'.",
    "Path `/sites` was removed.",
  ]);
  expect(stdout).toContain(`${file} is written.\n`);
  expect(await readFile(file, "utf8")).toBe(committed);
});
