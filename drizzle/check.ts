// A part of `npm run check`: refuses migrations that would make the readers or writers of a large table wait.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Migration, OUTSIDE_MARK, readMigrations } from "./migrate.ts";

const SQUAWK = fileURLToPath(import.meta.resolve("squawk-cli/js/bin/squawk"));
const CONFIG = join(import.meta.dirname, "../.squawk.toml");
const FOLDER = "drizzle";

/** As far as it is read here. Lines count from 0. */
interface Violation {
  file: string;
  line: number;
  rule_name: string;
  message: string;
  help: string | null;
}

/** Asks squawk, whose rules .squawk.toml chooses. */
function checkWithSquawk(migrations: readonly Migration[]): string[] {
  const files = migrations.map(({ tag }) => `${FOLDER}/${tag}.sql`);
  const options = ["--config", CONFIG, "--reporter", "json", "--no-error-on-unmatched-pattern"];
  const { stdout, stderr, error } = spawnSync(process.execPath, [SQUAWK, ...options, ...files], { encoding: "utf8" });
  if (error !== undefined || !stdout.startsWith("[")) throw new Error(`squawk has failed: ${stderr}`, { cause: error });
  const violations: Violation[] = JSON.parse(stdout);
  return violations.map(
    ({ file, line, rule_name, message, help }) => `${file}:${line + 1}: ${rule_name}: ${message} ${help ?? ""}`,
  );
}

/**
 * Migrations that are pending together share a transaction, which keeps the lock of the one that has added the constraint while
 * this one reads the table. Squawk sees one file at a time.
 */
const checkTogether = ({ tag, statements }: Migration): string[] =>
  statements.some((statement) => /\bvalidate constraint\b/i.test(statement))
    ? [`${FOLDER}/${tag}.sql: VALIDATE CONSTRAINT reads the whole table: begin the migration with ${OUTSIDE_MARK}`]
    : [];

const BUILD = /^create (?:unique )?index concurrently "([^"]+)" on /i;
/** Beside a build: what stops nobody, and can be run again. */
const OTHERS = [/^drop index concurrently if exists "[^"]+"$/i, /^alter table "[^"]+" validate constraint "[^"]+"$/i];

function checkOutside({ tag, statements }: Migration): string[] {
  const bare = statements.map((statement) =>
    statement
      .replaceAll(/^--.*$/gm, "")
      .trim()
      .replace(/;$/, ""),
  );
  return bare.flatMap((statement, index) => {
    const name = BUILD.exec(statement)?.[1];
    const drop = `DROP INDEX CONCURRENTLY IF EXISTS "${name}"`;
    if (name !== undefined && bare[index - 1]?.toLowerCase() === drop.toLowerCase()) return [];
    if (OTHERS.some((pattern) => pattern.test(statement))) return [];
    const instead =
      name === undefined
        ? "move it to a migration in a transaction"
        : `put ${drop}; before it, so that it can be run again`;
    return [`${FOLDER}/${tag}.sql: ${statement}: ${instead}`];
  });
}

const migrations = readMigrations(FOLDER);
const together = migrations.filter(({ isOutside }) => !isOutside);
const outside = migrations.filter(({ isOutside }) => isOutside);
const complaints = [...checkWithSquawk(together), ...together.flatMap(checkTogether), ...outside.flatMap(checkOutside)];
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;
