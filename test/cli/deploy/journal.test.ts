// That no migration can be forgotten: between the schema, the files, the journal and their snapshots.
import { globSync, readdirSync, readFileSync } from "node:fs";
import { type DrizzleSnapshotJSON, generateDrizzleJson, generateMigration } from "drizzle-kit/api";
import { expect, test } from "vitest";
import { triggersFor } from "../../../drizzle/generate.ts";
import journal from "../../../drizzle/meta/_journal.json" with { type: "json" };
import config from "../../../drizzle.config.ts";
import { SCHEMA } from "../../support/tables.ts";

const snapshots: DrizzleSnapshotJSON[] = readdirSync("drizzle/meta")
  .filter((name) => name.endsWith("_snapshot.json"))
  .sort()
  .map((name) => JSON.parse(readFileSync(`drizzle/meta/${name}`, "utf8")));

test("every migration is in the journal, in the order of its time, and has its file", () => {
  const { entries } = journal;
  const sqlFiles = readdirSync("drizzle").filter((name) => name.endsWith(".sql"));
  expect(entries.map(({ tag }) => `${tag}.sql`)).toStrictEqual(sqlFiles.sort());
  expect(entries.map(({ idx }) => idx)).toStrictEqual(entries.map((_, index) => index));
  const times = entries.map(({ when }) => when);
  expect(times).toStrictEqual([...new Set(times)].sort((a, b) => a - b));
});

test("no migration is from the future, before which all that follow would be passed over", () => {
  for (const { tag, when } of journal.entries) expect([tag, when <= Date.now()]).toStrictEqual([tag, true]);
});

test("each migration has a snapshot, which follows the one before", () => {
  const known = snapshots.map(({ id }) => id);
  expect(known).toHaveLength(journal.entries.length);
  const before = ["00000000-0000-0000-0000-000000000000", ...known.slice(0, -1)];
  expect(snapshots.map(({ prevId }) => prevId)).toStrictEqual(before);
});

test("a migration that makes a table is generated with the trigger for its updated_at", () => {
  const triggers = triggersFor(readFileSync("drizzle/0000_tables.sql", "utf8"));
  const tables = ["api_keys", "applications", "companies", "process_resource_types", "processes"];
  expect([...triggers.matchAll(/BEFORE UPDATE ON "(\w+)"/g)].map(([, table]) => table).sort()).toStrictEqual(tables);
  expect(triggersFor(readFileSync("drizzle/0006_writes.sql", "utf8"))).toBe("");
});

test("the schema has nothing that no migration makes", async () => {
  const tables = globSync("src/worker/**/table.ts");
  expect([tables.length > 0, globSync(String(config.schema))]).toStrictEqual([true, tables]);
  const [last] = snapshots.slice(-1);
  if (last === undefined) throw new Error("There is no snapshot");
  expect(await generateMigration(last, generateDrizzleJson(SCHEMA, last.id))).toStrictEqual([]);
});
