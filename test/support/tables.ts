// Every table of the Worker by the name of its constant. They are looked for, so that none is left out.
import { is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { importAll } from "../../src/node/modules.ts";

const modules = await importAll<object>("src/worker/**/table.ts");

/** All that these modules export, enums included. */
export const SCHEMA: Record<string, unknown> = Object.assign({}, ...modules);

export const TABLES = Object.fromEntries(Object.entries(SCHEMA).filter(([, value]) => is(value, PgTable))) as Record<
  string,
  PgTable
>;
