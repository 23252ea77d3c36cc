// What columns and their rules are made of.
import { type SQL, sql } from "drizzle-orm";
import { type AnyPgColumn, customType, timestamp, uuid } from "drizzle-orm/pg-core";
import { LOWER_CASE_UUID_PATTERN } from "../shared/uuid.ts";
import { arrayOf, type Shape } from "./jsonpath.ts";

/** Text in and out is hexadecimal without a prefix. */
export const hexBytes = customType<{ data: string; driverData: string }>({
  dataType: () => "bytea",
  toDriver: (hex) => `\\x${hex}`,
});

/** Millisecond precision: what is stored is what a client reads. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
export const createdAt = () => moment("created_at").notNull().defaultNow();
/** Kept current by a trigger (drizzle/0001_updated_at.sql), because not every writer is ours. */
export const updatedAt = () => moment("updated_at").notNull().defaultNow();
export const id = () => uuid("id").primaryKey().defaultRandom();

/** A label of RFC 1123, as Kubernetes wants it of a namespace. */
const DNS_LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/** Postgres itself takes any 128 bits. */
export const isUuid = (column: AnyPgColumn): SQL => sql`${column}::text ~ ${sql.raw(`'${LOWER_CASE_UUID_PATTERN}'`)}`;
export const isDnsLabel = (column: AnyPgColumn): SQL => sql`${column} ~ ${sql.raw(`'${DNS_LABEL_PATTERN}'`)}`;
export const isBetween = (column: AnyPgColumn, low: number, high: number): SQL =>
  sql`${column} between ${sql.raw(String(low))} and ${sql.raw(String(high))}`;
export const hasLength = (column: AnyPgColumn, low: number, high: number): SQL =>
  sql`char_length(${column}) between ${sql.raw(String(low))} and ${sql.raw(String(high))}`;
/** Years of four digits; Postgres itself knows infinity, 4713 BC and 294276. */
export const isIsoMoment = (column: AnyPgColumn): SQL =>
  sql`${column} >= '0001-01-01T00:00:00Z' and ${column} < '10000-01-01T00:00:00Z'`;
export const isShaped = (column: AnyPgColumn, shape: Shape): SQL =>
  sql`${column} is null or (${column} @@ ${sql.raw(`'strict ${shape("$")}'`)}) is true`;
/** `type` may be null, hence no plain `=`, which would let a null pass. */
export const isOnlyFor = (type: string, typeColumn: AnyPgColumn, condition: SQL): SQL =>
  sql`${typeColumn} is not distinct from ${sql.raw(`'${type}'`)} or (${condition})`;

/** JSON null would pass for SQL null in a client, but it is neither a list. */
export const isListOf = (column: AnyPgColumn, item: Shape): SQL =>
  sql`(${column} @@ ${sql.raw(`'strict ${arrayOf(item)("$")}'`)}) is true`;

export const MAX_SAFE_INTEGER = 9007199254740991;
