// What tests write into each table, and what each of its CHECKs lets pass: `fixture.ts` beside the tests of the resource.
import type { PgTable } from "drizzle-orm/pg-core";
import { importAll } from "../../src/node/modules.ts";
import type { Rule } from "./rules.ts";

/** Ids of what rows belong to. */
export interface Owners {
  companyId: string;
  keyId: string;
  applicationId: string;
  processId: string;
}

export interface Fixture {
  table: PgTable;
  /** A row that breaks no rule. */
  row(owners: Owners): object;
  /** The CHECKs of the table, by their names without its own. */
  rules: Record<string, Rule>;
  /** An assignment that changes the row, if the table has `updated_at`. */
  change?: string;
  /**
   * A row with all that it can have, if it belongs to an application. It is there whenever tests ask for what an application has;
   * its id is the parameter of paths of that name.
   */
  example?(owners: Omit<Owners, "keyId">): object;
  parameter?: string;
}

const modules = await importAll<{ fixtures: Fixture[] }>("test/worker/**/fixture.ts");

export const FIXTURES: Fixture[] = modules.flatMap(({ fixtures }) => fixtures);
