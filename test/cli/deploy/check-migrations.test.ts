// What `npm run check` says of migrations that would make others wait.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { outside, writeMigrations } from "../../support/migrations.ts";

/** @returns its exit code, and what it prints; of a line of squawk only the place and the rule */
async function check(migrations: Record<string, string>): Promise<[number, ...string[]]> {
  const cwd = mkdtempSync(join(tmpdir(), "process-api-check-"));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  writeMigrations(cwd, migrations);
  return new Promise((done) => {
    execFile(process.execPath, [resolve("drizzle/check.ts")], { cwd }, (error, _, stderr) => {
      const lines = stderr.trimEnd().split("\n");
      done([Number(error?.code ?? 0), ...lines.map((line) => line.replace(/^(\S+:\d+: [\w-]+): .*/, "$1"))]);
    });
  });
}

const INDEX = 'CREATE INDEX CONCURRENTLY "x" ON "processes" USING btree ("port")';
const DROP = 'DROP INDEX CONCURRENTLY IF EXISTS "x"';
const VALIDATE = 'ALTER TABLE "processes" VALIDATE CONSTRAINT "c"';
const COLUMN = 'ALTER TABLE "processes" ADD COLUMN "x" integer';
const CONSTRAINT = 'ALTER TABLE "processes" ADD CONSTRAINT "c" CHECK ("processes"."port" > 0)';

test("a migration that makes readers or writers wait for long is refused, with the rule that it breaks", async () => {
  expect(
    await check({
      "1000_index": 'CREATE INDEX "x" ON "processes" USING btree ("port");',
      "1001_check": `${CONSTRAINT};`,
      "1002_key":
        'ALTER TABLE "processes" ADD CONSTRAINT "k" FOREIGN KEY ("x") REFERENCES "public"."companies"("id") NOT VALID;--> statement-breakpoint\nALTER TABLE "processes" ADD CONSTRAINT "l" FOREIGN KEY ("x") REFERENCES "public"."companies"("id");',
      "1003_not_null": 'ALTER TABLE "processes" ALTER COLUMN "port" SET NOT NULL;',
      "1004_unique": 'ALTER TABLE "processes" ADD CONSTRAINT "u" UNIQUE("port");',
      "1005_type": 'ALTER TABLE "processes" ALTER COLUMN "port" SET DATA TYPE bigint;',
      "1006_drop": 'DROP INDEX "x";',
      "1007_validate": `${VALIDATE};`,
      "1008_not_alone": `${DROP};--> statement-breakpoint\n${INDEX};`,
      "1009_no_drop": outside(INDEX),
      "1010_drop_of_another": outside(DROP.replace("x", "y"), INDEX),
      "1011_not_again": outside(COLUMN),
    }),
  ).toStrictEqual([
    1,
    "drizzle/1000_index.sql:1: require-concurrent-index-creation",
    "drizzle/1001_check.sql:1: constraint-missing-not-valid",
    "drizzle/1002_key.sql:2: constraint-missing-not-valid",
    "drizzle/1002_key.sql:2: adding-foreign-key-constraint",
    "drizzle/1003_not_null.sql:1: adding-not-nullable-field",
    "drizzle/1004_unique.sql:1: constraint-missing-not-valid",
    "drizzle/1004_unique.sql:1: disallowed-unique-constraint",
    "drizzle/1005_type.sql:1: changing-column-type",
    "drizzle/1006_drop.sql:1: require-concurrent-index-deletion",
    "drizzle/1008_not_alone.sql:2: ban-concurrent-index-creation-in-transaction",
    "drizzle/1007_validate.sql: VALIDATE CONSTRAINT reads the whole table: begin the migration with -- outside a transaction",
    `drizzle/1009_no_drop.sql: ${INDEX}: put ${DROP}; before it, so that it can be run again`,
    `drizzle/1010_drop_of_another.sql: ${INDEX}: put ${DROP}; before it, so that it can be run again`,
    `drizzle/1011_not_again.sql: ${COLUMN}: move it to a migration in a transaction`,
  ]);
});

test("what makes nobody wait is accepted", async () => {
  expect(
    await check({
      "1000_table":
        'CREATE TABLE "t" ("id" uuid PRIMARY KEY, "n" integer, CONSTRAINT "n" CHECK ("n" > 0));--> statement-breakpoint\nALTER TABLE "t" ADD CONSTRAINT "f" FOREIGN KEY ("id") REFERENCES "public"."processes"("id") ON DELETE cascade;--> statement-breakpoint\nCREATE INDEX "i" ON "t" USING btree ("n");',
      "1001_column": 'ALTER TABLE "processes" ADD COLUMN "x" integer DEFAULT 0 NOT NULL;',
      "1002_not_valid": `${CONSTRAINT} NOT VALID;`,
      "1003_valid": outside(VALIDATE),
      "1004_index": outside(DROP, INDEX, 'drop index concurrently if exists "y"'),
      "1005_excused": `-- There is one row.\n-- squawk-ignore constraint-missing-not-valid\n${CONSTRAINT.replaceAll("processes", "feed")};`,
    }),
  ).toStrictEqual([0, ""]);
});
