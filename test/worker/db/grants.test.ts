// What the Worker's role may do with each column and function: a list that reviews show. The role itself is tried in
// grants.postgres.test.ts.
import { expect, test } from "vitest";
import { grantRights } from "../../../src/cli/deploy/worker-role.ts";
import { useRecords } from "../../support/records.ts";

const records = useRecords();

test("the Worker's role has the rights of grants.txt, and no others: what is new is added to it, with or without", async () => {
  const client = await records.pool.connect();
  try {
    await client.query("begin; do $$ begin create role worker_rights; exception when duplicate_object then end $$");
    await grantRights(client as never);
    const allowed = (kind: string, names: string[], args: string) =>
      names
        .map((name) => `case when has_${kind}_privilege('worker_rights', ${args}, '${name}') then '${name}' end`)
        .join();
    const { rows } = await client.query<{
      line: string;
    }>(`select name || ': ' || coalesce(nullif(rights, ''), '–') as line from (
      select 1 as section, oid::regclass::text as name, 0 as position,
        concat_ws(' ', ${allowed("table", ["delete", "truncate", "trigger"], "oid")}) as rights
      from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
      union all
      select 1, attrelid::regclass || '.' || attname, attnum,
        concat_ws(' ', ${allowed("column", ["select", "insert", "update", "references"], "attrelid, attnum")})
      from pg_attribute join pg_class on pg_class.oid = attrelid
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f') and attnum > 0 and not attisdropped
      union all
      select 2, oid::regprocedure::text, 0, concat_ws(' ', ${allowed("function", ["execute"], "oid")})
      from pg_proc where pronamespace = 'public'::regnamespace
    ) as lines order by section, split_part(name, '.', 1) collate "C", position`);
    // `npx vitest run -u --project suite test/worker/db/grants.test.ts` writes it.
    await expect(`${rows.map(({ line }) => line).join("\n")}\n`).toMatchFileSnapshot("grants.txt");
  } finally {
    await client.query("rollback");
    client.release();
  }
});
