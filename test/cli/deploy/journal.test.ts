// That no migration can be forgotten: between the schema, the files, the journal and what a database has.
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "process-api-journal-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const journal: { entries: { idx: number; when: number; tag: string }[] } = JSON.parse(
  readFileSync("drizzle/meta/_journal.json", "utf8"),
);
const sqlFiles = (directory: string) => readdirSync(directory).filter((name) => name.endsWith(".sql"));

/** @returns what it says; a failure is thrown */
async function drizzleKit(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("node_modules/.bin/drizzle-kit", args);
  return stdout;
}

test("every migration is in the journal, in the order of its time, and has its file", () => {
  const { entries } = journal;
  expect(entries.map(({ tag }) => `${tag}.sql`)).toStrictEqual(sqlFiles("drizzle").sort());
  expect(entries.map(({ idx }) => idx)).toStrictEqual(entries.map((_, index) => index));
  const times = entries.map(({ when }) => when);
  expect(times).toStrictEqual([...new Set(times)].sort((a, b) => a - b));
});

test("no migration is from the future, before which all that follow would be passed over", () => {
  for (const { tag, when } of journal.entries) expect([tag, when <= Date.now()]).toStrictEqual([tag, true]);
});

test("the migrations agree with each other", async () => {
  expect(await drizzleKit("check")).toContain("Everything's fine");
});

test("the schema has nothing that no migration makes", async () => {
  cpSync("drizzle", folder, { recursive: true });
  const before = sqlFiles(folder);
  // It takes an absolute path for a relative one.
  const out = relative(process.cwd(), folder);
  const said = await drizzleKit("generate", "--dialect=postgresql", "--schema=src/worker/db/schema.ts", `--out=${out}`);
  expect(said).toContain("No schema changes, nothing to migrate");
  expect(sqlFiles(folder)).toStrictEqual(before);
});
