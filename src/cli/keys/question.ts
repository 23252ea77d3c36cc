import type { Database, DatabaseTarget } from "../../node/database.ts";
import { printable } from "../../node/errors.ts";
import { readKey } from "./read.ts";

/** Names the key and the database, so that nobody says yes to another one. */
export async function questionAbout(db: Database, target: DatabaseTarget, id: string, act: string): Promise<string> {
  const { name, company, tokens } = await readKey(db, id);
  const masked = tokens.map(({ masked_token }) => masked_token).join(", ");
  return `${act} "${printable(name)}" of ${printable(company.name)} (${masked || "no token"}) on ${target.name}?`;
}
