import type { Database } from "./client.ts";

/**
 * A statement that is built once for each database: putting SQL together takes longer than mapping its rows. Values
 * come in through `sql.placeholder`.
 */
export function defineStatement<T>(build: (db: Database) => T): (db: Database) => T {
  const built = new WeakMap<Database, T>();
  return (db) => {
    const known = built.get(db);
    if (known !== undefined) return known;
    const statement = build(db);
    built.set(db, statement);
    return statement;
  };
}
