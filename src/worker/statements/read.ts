// How a statement that reads ends: with one row for a live key, which holds what it may do and the payload as text.
import { type SQL, sql } from "drizzle-orm";
import type { PgTable, QueryBuilder } from "drizzle-orm/pg-core";
import type { Subquery, WithSubquery } from "drizzle-orm/subquery";
import { isoTimestamp } from "../db/expressions.ts";
import { etagOf } from "../db/json.ts";
import { columns } from "../db/statement.ts";
import { type Access, accessColumns, type KeyAccess } from "../resources/api-key/access.ts";

/** The access of the key, and a payload. */
export interface PayloadRow extends Access {
  /** JSON text; null if there is no such thing in the key's company. */
  body: string | null;
  /** A strong validator of the body, without quotes. */
  etag: string | null;
  /** When the newest part of the payload changed, in ISO 8601; null if a change may leave no later moment behind. */
  lastModified: string | null;
}

/** A subquery with a row or none. With LIMIT or an aggregate, lest Postgres write the JSON once for each use of it. */
type Payload = Subquery & { json: SQL.Aliased; lastModified?: SQL.Aliased };

/** Completes a statement that begins with {@link keyAccess}. */
export function selectPayload(
  query: QueryBuilder,
  access: KeyAccess,
  others: readonly WithSubquery[],
  payload: Payload,
) {
  const body = sql<string | null>`${payload.json}::text`;
  return query
    .with(access, ...others)
    .select(
      columns<PayloadRow>({
        ...accessColumns(access),
        body,
        etag: etagOf(body),
        lastModified: payload.lastModified === undefined ? sql<null>`null` : isoTimestamp(payload.lastModified),
      }),
    )
    .from(access as unknown as PgTable)
    .leftJoin(payload, sql`true`);
}
