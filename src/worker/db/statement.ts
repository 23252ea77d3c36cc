// Statements are written with Drizzle, and built once: putting SQL together takes longer than sending it.
import { fillPlaceholders, type SQL, sql } from "drizzle-orm";
import { PgDialect, QueryBuilder } from "drizzle-orm/pg-core";

/** A statement that is ready to be sent. Values come with each call, by the names of its placeholders. */
export interface Statement<Row> {
  readonly text: string;
  bind(values: object): unknown[];
  /** For the compiler alone. */
  readonly row?: Row;
}

/** A select, in which every column has the name that the row has it by: {@link columns}. Or SQL that returns no rows. */
interface Select<Row> {
  _: { result: Row[] };
  getSQL(): SQL;
}

const dialect = new PgDialect();
const queryBuilder = new QueryBuilder(dialect);

/** Builds a statement when it is first asked for: what is built at the top level makes every cold start slower. */
export function defineStatement<Row = never>(build: (query: QueryBuilder) => Select<Row> | SQL): () => Statement<Row> {
  let statement: Statement<Row> | undefined;
  return () => {
    statement ??= toStatement(build(queryBuilder).getSQL());
    return statement;
  };
}

function toStatement<Row>(built: SQL): Statement<Row> {
  const { sql: text, params } = dialect.sqlToQuery(built);
  return { text, bind: (values) => fillPlaceholders(params, values as Record<string, unknown>) };
}

type Expression<T> = { _: { data: T } } | SQL<T> | SQL.Aliased<T>;

/** Names each expression of a select list as the row has it. */
export const columns = <T extends object>(expressions: { [Name in keyof T]: Expression<T[Name]> }) =>
  Object.fromEntries(Object.entries(expressions).map(([name, expression]) => [name, sql`${expression}`.as(name)])) as {
    [Name in keyof T]: SQL.Aliased<T[Name]>;
  };
