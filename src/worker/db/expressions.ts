import { type SQL, type SQLWrapper, sql } from "drizzle-orm";

/**
 * A timestamptz as `YYYY-MM-DDTHH:mm:ss.sssZ`, written by Postgres: `new Date()` takes the text of the years 1 to 99 for
 * 1951 to 2050, and that text depends on the session's time zone.
 */
export const isoTimestamp = (moment: SQLWrapper): SQL<string> =>
  sql<string>`to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The first whole second that is not before a moment. */
export const endOfSecond = (moment: SQLWrapper): SQL =>
  sql`date_trunc('second', ${moment} + interval '999999 microseconds')`;

/** The latest of several moments; nulls do not count. */
export const latest = (...moments: SQLWrapper[]): SQL => sql`greatest(${sql.join(moments, sql`, `)})`;

/** The earliest of several moments; nulls do not count. */
export const earliest = (...moments: SQLWrapper[]): SQL => sql`least(${sql.join(moments, sql`, `)})`;

/** An array as Postgres reads it, of elements as it reads them. */
export const toArray = (elements: readonly string[]): string =>
  `{${elements.map((element) => JSON.stringify(element)).join(",")}}`;
