// `npm run openapi`: the OpenAPI document as a file, for whoever does not run the Worker, and its operations in the README.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { context } from "../node/context.ts";
import { CommandError } from "../node/errors.ts";
import { CONTRACTS, createDocument } from "../openapi/document.ts";
import { print } from "./support/output.ts";
import { command, createProgram } from "./support/program.ts";

const COMMITTED = "src/openapi/openapi.full.json";
const README = "README.md";
const REDOCLY = new URL("../../node_modules/.bin/redocly", import.meta.url).pathname;

/** Between these lines stands the table of operations. */
const TABLE = /(?<=<!-- written by `npm run openapi` -->\n\n)[\s\S]*?(?=\n\n<!-- end -->)/;

async function update(file: string, { check = false }: { check?: boolean }): Promise<void> {
  await replace(file, `${JSON.stringify(createDocument(), null, 2)}\n`, check, changesBetween);
  if (file !== COMMITTED) return;
  const readme = await readFile(README, "utf8");
  await replace(README, readme.replace(TABLE, tableOfOperations), check);
}

/** Writes what the code generates, where a file has something else. @param describe says what changes */
async function replace(
  file: string,
  generated: string,
  check: boolean,
  describe?: (file: string, generated: string) => Promise<string>,
): Promise<void> {
  const kept = existsSync(file) ? await readFile(file, "utf8") : undefined;
  if (kept === generated) return print(`${file} is what the code generates.`);
  if (kept !== undefined && describe) await print(await describe(file, generated));
  if (check) throw new CommandError(`${file} is not what the code generates. Write it with \`npm run openapi\`.`);
  await writeFile(file, generated);
  await print(`${file} is written.`);
}

/** Every operation, and the permission that it needs. */
function tableOfOperations(): string {
  const rows = [...CONTRACTS.values()].map(({ route: { method, path, summary }, permission }) => {
    return `| \`${method.toUpperCase()} /v3${path}\` | ${summary} | ${permission === null ? "" : `\`${permission}\``} |`;
  });
  return ["| | | needs |", "| --- | --- | --- |", ...rows].join("\n");
}

/** Nothing looked up, reported or announced. */
const QUIET = { REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", REDOCLY_SUPPRESS_NOTIFICATIONS: "true", NO_COLOR: "1" };

/** Each change with the step of the version that it asks for: what is `major` breaks clients. Examples are not compared. */
async function changesBetween(file: string, generated: string): Promise<string> {
  await using directory = await mkdtempDisposable(join(tmpdir(), "openapi-"));
  const revision = join(directory.path, "generated.json");
  await writeFile(revision, generated);
  const env = { ...context().env, ...QUIET };
  const { stdout } = await promisify(execFile)(REDOCLY, ["diff", file, revision, "--fail-on=none"], { env });
  // It points into a file that is gone by now.
  return stdout.trim().replaceAll(/\n\s+at \S*generated\.json:[\d:]+/g, "");
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
