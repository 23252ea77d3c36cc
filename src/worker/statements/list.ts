// A list is read in two steps: of all that is in it only what its order depends on, by the index that has it in this order, and
// of the rows only those of the page.
import { type Placeholder, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { PgTable, QueryBuilder } from "drizzle-orm/pg-core";
import type { WithSubquery } from "drizzle-orm/subquery";
import { jsonObject } from "../db/json.ts";
import { PAGE } from "../shared/limits.ts";

interface List {
  limit(rows: number | Placeholder): { offset(rows: Placeholder): { as(alias: "listed"): unknown }; getSQL(): SQL };
}
export type PageOf<L extends List> = ReturnType<ReturnType<ReturnType<L["limit"]>["offset"]>["as"]>;

/** The page of a list that the placeholders `limit` and `offset` choose. Takes the list: Drizzle changes it. */
export const pageOf = <L extends List>(list: L): PageOf<L> =>
  list.limit(sql.placeholder("limit")).offset(sql.placeholder("offset")).as("listed") as PageOf<L>;

/** How many rows a list has, as far as a page can be asked for. */
const countOf = (list: List): SQL => sql`(select count(*) from (${list.limit(PAGE.maxTotal).getSQL()}) as counted)`;

/**
 * The payload of one page of a list, which the placeholders `limit` and `offset` choose.
 *
 * @param from has one row if the list is there at all
 */
export const pagePayload = (query: QueryBuilder, data: SQLWrapper, list: List, from: WithSubquery) =>
  query
    .select({
      json: jsonObject({
        data: sql`(${data})`,
        total: countOf(list),
        offset: sql`${sql.placeholder("offset")}::int`,
        limit: sql`${sql.placeholder("limit")}::int`,
      }).as("json"),
    })
    .from(from as unknown as PgTable)
    .limit(1);
