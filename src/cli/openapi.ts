// `npm run openapi`: the OpenAPI document as a file, for whoever does not run the Worker.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { context } from "../node/context.ts";
import { CommandError } from "../node/errors.ts";
import { createDocument } from "../openapi/document.ts";
import { print } from "./support/output.ts";
import { command, createProgram } from "./support/program.ts";

const COMMITTED = "src/openapi/openapi.full.json";
const REDOCLY = new URL("../../node_modules/.bin/redocly", import.meta.url).pathname;

async function update(file: string, { check = false }: { check?: boolean }): Promise<void> {
  const generated = `${JSON.stringify(createDocument(), null, 2)}\n`;
  const kept = await read(file);
  if (kept === generated) return print(`${file} is what the code generates.`);
  if (kept !== undefined) await print(await changesBetween(file, generated));
  if (check) throw new CommandError(`${file} is not what the code generates. Write it with \`npm run openapi\`.`);
  await writeFile(file, generated);
  await print(`${file} is written.`);
}

/** @returns undefined if there is no such file */
async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Nothing looked up, reported or announced. */
const QUIET = { REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", REDOCLY_SUPPRESS_NOTIFICATIONS: "true", NO_COLOR: "1" };

/** Each change with the step of the version that it asks for: what is `major` breaks clients. Examples are not compared. */
async function changesBetween(file: string, generated: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "openapi-"));
  try {
    const revision = join(directory, "generated.json");
    await writeFile(revision, generated);
    const { stdout } = await promisify(execFile)(REDOCLY, ["diff", file, revision, "--fail-on=none"], {
      env: { ...context().env, ...QUIET },
    });
    // It points into a file that is gone by now.
    return stdout.trim().replaceAll(/\n\s+at \S*generated\.json:[\d:]+/g, "");
  } finally {
    await rm(directory, { recursive: true });
  }
}

export default await command(import.meta, () =>
  createProgram("openapi")
    .description(
      "Writes the OpenAPI document that the code generates, and says what changed and whether it breaks clients.",
    )
    .argument("[file]", "where it is kept", COMMITTED)
    .option("--check", "write nothing; fail if the file is not what the code generates")
    .action(update),
);
