// The functions and triggers that are in force, one file each: migrations replace some, so no migration says it.
import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { useRecords } from "../../support/records.ts";

const records = useRecords();

interface Defined {
  name: string;
  definition: string;
  triggers: string[];
}

test("drizzle/functions has what migrations make", async () => {
  const { rows } = await records.pool.query<Defined>(
    `select proname as name, pg_get_functiondef(pg_proc.oid) as definition,
       array_remove(array_agg(pg_get_triggerdef(pg_trigger.oid) || ';'
         || case tgenabled when 'A' then ' -- ENABLE ALWAYS' else '' end order by tgrelid::regclass::text, tgname), null) as triggers
     from pg_proc left join pg_trigger on tgfoid = pg_proc.oid
     where pronamespace = 'public'::regnamespace
       and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
     group by pg_proc.oid order by proname`,
  );
  for (const { name, definition, triggers } of rows) {
    const text = `${[`${definition.trim()};`, ...triggers].join("\n\n").replace(/[ \t]+$/gm, "")}\n`;
    // `npx vitest run -u --project suite test/worker/db/functions.test.ts` writes it.
    await expect(text).toMatchFileSnapshot(`../../../drizzle/functions/${name}.sql`);
  }
  const names = rows.map(({ name }) => `drizzle/functions/${name}.sql`);
  expect(globSync("drizzle/functions/*").filter((file) => !names.includes(file))).toStrictEqual([]);
});
