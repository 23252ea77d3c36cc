import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Outcome, outcomeOf } from "../support/outcome.ts";

const COMMITTED = "src/openapi/openapi.json";

const committed = await readFile(COMMITTED, "utf8");

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "process-api-openapi-"));
});
afterAll(() => rm(directory, { recursive: true }));

const openapi = (...args: string[]): Promise<Outcome> =>
  outcomeOf(spawn(process.execPath, ["--import", "./test/support/quick-imports.ts", "src/cli/openapi.ts", ...args]));

type Document = {
  info: { description: string };
  paths: Record<
    string,
    { get: { operationId: string; parameters: { schema: object }[]; responses: Record<string, unknown> } }
  >;
  components: { schemas: { Process: { properties: Record<string, object>; required: string[] } } };
};

let files = 0;

/** The document as it was before the code was changed. */
async function earlier(change: (document: Document) => void): Promise<string> {
  const document = JSON.parse(committed) as Document;
  change(document);
  const file = join(directory, `${files++}.json`);
  await writeFile(file, JSON.stringify(document, null, 2));
  return file;
}

describe("npm run openapi -- --check", () => {
  test("takes the committed copy for what the code generates", async () => {
    const outcome = await openapi("--check");
    expect(outcome).toStrictEqual({
      exitCode: 0,
      stdout: `${COMMITTED} is what the code generates.\n`,
      stderr: "",
    });
  });

  test.for<[string, (document: Document) => void, RegExp]>([
    [
      "a field that is gone",
      ({ components: { schemas } }) => {
        schemas.Process.properties.color = { type: "string" };
      },
      /Property `color` of `Process` was removed/,
    ],
    [
      "a field that may be null now",
      ({ components: { schemas } }) => {
        schemas.Process.properties.port = { type: "integer", minimum: 1, maximum: 65_535 };
      },
      /Type of `port` widened from 'integer' to 'integer \| null'/,
    ],
    [
      "an operation that is gone",
      ({ paths }) => {
        paths["/sites"] = paths["/api-keys/me"] as (typeof paths)[string];
      },
      /Path `\/sites` was removed/,
    ],
    [
      "a name that clients call",
      ({ paths }) => {
        Object.assign(paths["/api-keys/me"]?.get ?? {}, { operationId: "me" });
      },
      /`operationId` .* changed from 'me' to 'getCurrentApiKeyV3'/,
    ],
    [
      "a bound that is narrower",
      ({ paths }) => {
        const [, limit] = paths["/applications/{id}/processes"]?.get.parameters ?? [];
        Object.assign(limit?.schema ?? {}, { maximum: 1_000 });
      },
      /Upper bound changed from '<= 1000' to '<= 100'/,
    ],
  ])("says of %s that it breaks clients, and how", async ([_, change, words]) => {
    const file = await earlier(change);
    const { exitCode, stdout, stderr } = await openapi("--check", file);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/✖ major/);
    expect(stdout).toMatch(words);
    expect(stderr).toContain(`${file} is not what the code generates. Write it with \`npm run openapi\`.`);
  });

  test.for<[string, (document: Document) => void]>([
    ["a new response", ({ paths }) => delete paths["/api-keys/me"]?.get.responses["405"]],
    [
      "another description",
      ({ info }) => {
        info.description = "As it was.";
      },
    ],
  ])("says of %s that it breaks nobody, and fails all the same", async ([_, change]) => {
    const { exitCode, stdout } = await openapi("--check", await earlier(change));
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^0 major, (1 minor, 0|0 minor, 1) patch/m);
  });

  test("fails where there is no copy, and writes none", async () => {
    const file = join(directory, "none.json");
    expect((await openapi("--check", file)).exitCode).toBe(1);
    await expect(readFile(file)).rejects.toThrow("ENOENT");
  });
});

test("npm run openapi says what changed, and writes what the code generates", async () => {
  const file = await earlier(({ info }) => {
    info.description = "As it was.";
  });
  const { exitCode, stdout } = await openapi(file);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("0 major, 0 minor, 1 patch.");
  expect(await readFile(file, "utf8")).toBe(committed);
});
