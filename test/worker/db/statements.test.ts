// The text of every statement, so that a reviewer sees what a change sends, and a newcomer reads one file.
import { globSync, readFileSync } from "node:fs";
import { format } from "sql-formatter";
import { expect, test } from "vitest";
import { operations } from "../../support/operations.ts";
import { captureStatements } from "../../support/statement.ts";
import { statementsOf } from "../../support/statements.ts";

const STATEMENTS = statementsOf({ keyHash: "", id: "", process_id: "", limit: 25, offset: 0 });
// What the formatter writes one below the other: columns, and a member of an object and its value.
const COLUMNS = /^( *)"[\w".]+",\n(?:\1"[\w".]+",?\n)+/gm;
const NAME = /^( *'\w+',)\n */gm;

function formatted(text: string): string {
  const lines = format(text, { language: "postgresql", expressionWidth: 120 });
  return lines
    .replaceAll(COLUMNS, (columns, indent) => `${indent}${columns.trim().replaceAll(/\n */g, " ")}\n`)
    .replaceAll(NAME, "$1 ");
}

test.for(Object.entries(STATEMENTS))("what is sent for %s", async ([name, ask]) => {
  const sent = await captureStatements(ask);
  // `npx vitest run -u --project suite test/worker/db/statements.test.ts` writes them.
  await expect(sent.map(({ text }) => `${formatted(text)};\n`).join("\n")).toMatchFileSnapshot(
    `statements/${name}.sql`,
  );
});

test("no statement is left out, and no file is left over", () => {
  const sources = [...globSync("src/worker/feed/*.ts"), "src/worker/resources/api-key/usage.ts"];
  const defined = sources.flatMap((file) => readFileSync(file, "utf8").match(/ = defineStatement\b/g) ?? []);
  const names = Object.keys(STATEMENTS);
  expect(names).toHaveLength(operations.length + defined.length);
  const files = names.map((name) => `test/worker/db/statements/${name}.sql`);
  expect(globSync("test/worker/db/statements/*").filter((file) => !files.includes(file))).toStrictEqual([]);
});
