// The tables whose rows belong to companies: those that lead to `companies` by foreign keys.
import { getTableConfig, type PgTable } from "drizzle-orm/pg-core";
import { companies } from "../../src/worker/resources/company/table.ts";
import { TABLES } from "./tables.ts";

interface OwnedTable {
  name: string;
  /** Whether its rows have an `id`. */
  hasId: boolean;
  /** SQL, for the part after `from`: the table, and `companies` with the row's company. */
  from: string;
}

export const OWNED_TABLES: readonly OwnedTable[] = Object.values(TABLES).flatMap((table) => {
  const joins = joinsOf(table);
  const { name, columns } = getTableConfig(table);
  return joins === undefined ? [] : { name, hasId: columns.some((one) => one.name === "id"), from: name + joins };
});

/** The joins from a table to `companies`; undefined if none lead there. */
function joinsOf(table: PgTable): string | undefined {
  if (table === companies) return "";
  const { name, foreignKeys } = getTableConfig(table);
  for (const key of foreignKeys) {
    const { columns, foreignColumns, foreignTable } = key.reference();
    const joins = joinsOf(foreignTable);
    if (joins === undefined) continue;
    const parent = getTableConfig(foreignTable).name;
    return ` join ${parent} on ${parent}.${foreignColumns[0]?.name} = ${name}.${columns[0]?.name}${joins}`;
  }
  return undefined;
}
