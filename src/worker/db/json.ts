// Payloads are written by Postgres: a row needs no mapping then, and the ETag is known where a precondition must be checked.
import { type SQL, type SQLWrapper, sql } from "drizzle-orm";

/**
 * A JSON object with these members, in this order.
 *
 * @param members names are part of the statement's text, so they must come from the code
 */
export const jsonObject = (members: Record<string, SQLWrapper>): SQL => {
  const pairs = Object.entries(members).map(([name, value]) => sql`${sql.raw(`'${name}'`)}, ${value}`);
  return sql`json_build_object(${sql.join(pairs, sql`, `)})`;
};

/** A JSON array of what a query finds; empty if it finds nothing. */
export const jsonArray = (value: SQLWrapper, ...orderBy: SQLWrapper[]): SQL =>
  sql`coalesce(json_agg(${value} order by ${sql.join(orderBy, sql`, `)}), '[]')`;

/** The members that differ between two JSON objects of the same members: one row of `before` and `after`, both jsonb. */
export const differenceOf = (before: SQLWrapper, after: SQLWrapper): SQL =>
  sql`select jsonb_object_agg(key, old.value) as before, jsonb_object_agg(key, new.value) as after
    from jsonb_each(${before}) as old join jsonb_each(${after}) as new using (key) where old.value <> new.value`;

/** A strong validator of a payload's text: 128 bits of its SHA-256 (RFC 9110, section 8.8.3), without the quotes. */
export const etagOf = (body: SQLWrapper): SQL<string | null> =>
  sql`encode(substring(sha256(convert_to(${body}, 'UTF8')) for 16), 'hex')`;
