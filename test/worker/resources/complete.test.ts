// What the compiler cannot see is missing of a resource. Each message says what to write, and where.
import { existsSync, globSync } from "node:fs";
import { getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import { RESOURCES } from "../../../src/worker/resources/index.ts";
import { FIXTURES } from "../../support/fixtures.ts";
import { operations } from "../../support/operations.ts";
import { tablesOf } from "../../support/statements.ts";

const folders = globSync("src/worker/**/table.ts").map((file) => file.replace("/table.ts", ""));
/** For these, tests have functions of their own (test/support/records.ts). */
const MADE = ["companies", "applications", "processes", "process_resource_types", "api_keys"];

async function importTable(folder: string): Promise<{ tables: string[]; RIGHTS: string[] }> {
  const { RIGHTS = [], ...exported } = await import(`../../../${folder}/table.ts`);
  return { tables: Object.values(exported).flatMap((one) => (is(one, PgTable) ? [getTableName(one)] : [])), RIGHTS };
}

test.for(Object.keys(RESOURCES))("%s has a test of its own", (name) => {
  const folder = `test/worker/resources/${name}`;
  expect(globSync(`${folder}/*.test.ts`).length, `Write ${folder}/list.test.ts, or what fits`).toBeGreaterThan(0);
});

test.for(folders)("%s has its parts", async (folder) => {
  const { tables, RIGHTS } = await importTable(folder);
  const asked = new Set(operations.flatMap(({ id }) => tablesOf(id)));
  const mirror = folder.replace("src/", "test/");
  for (const table of tables.filter((name) => asked.has(name))) {
    const isNamed = RIGHTS.some((right) => right.endsWith(` on ${table}`));
    expect(isNamed, `RIGHTS in ${folder}/table.ts must say what the Worker may do with ${table}`).toBe(true);
    if (MADE.includes(table) || !folder.includes("/resources/") || folder.endsWith("/api-key")) continue;
    expect(existsSync(`${mirror}/fixture.ts`), `Write ${mirror}/fixture.ts`).toBe(true);
    const fixture = FIXTURES.find((one) => getTableName(one.table) === table);
    expect(
      fixture?.example,
      `Give the fixture of ${table} an example, so that all tests ask for its rows`,
    ).toBeDefined();
  }
});
