import {
  and,
  desc,
  eq,
  getTableColumns,
  isNull,
  not,
  type Placeholder,
  type SQL,
  type SQLWrapper,
  sql,
} from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import type { PageOf } from "../../statements/list.ts";
import type { KeyAccess, Permission } from "../api-key/access.ts";
import { apiKeyCapabilities } from "../api-key/table.ts";
import { applications } from "./table.ts";

/**
 * The application of that id, if it belongs to the key's company: any other is as absent as one that does not exist. Absent,
 * too, for a key that is not permitted: a statement that goes on from here cannot forget it.
 */
export const ownApplication = (query: QueryBuilder, access: KeyAccess, id: SQL, condition?: SQL) =>
  query.$with("application").as(
    query
      .select(getTableColumns(applications))
      .from(applications)
      .innerJoin(access, and(eq(access.companyId, applications.companyId), access.isPermitted))
      .where(and(eq(applications.id, id), condition)),
  );

export type OwnApplication = ReturnType<typeof ownApplication>;

/**
 * The applications of the key's company that the key is permitted, the newest first: `rows` of them. Of two parts one is empty.
 * For a key that is granted all of them Postgres walks the index; one that is granted some has so many rows to sort.
 */
export const ownApplications = (
  query: QueryBuilder,
  access: KeyAccess,
  permission: Permission,
  rows: number | Placeholder,
) => {
  const { apiKeyId, resourceId } = apiKeyCapabilities;
  const ofKey = sql`${apiKeyId} = (select ${access.keyId} from ${access}) and ${eq(apiKeyCapabilities.permission, permission)}`;
  const ofCompany = sql`${applications.companyId} = (select ${access.companyId} from ${access})`;
  const areAllGranted = sql`exists (select from ${apiKeyCapabilities} where ${ofKey} and ${isNull(resourceId)})`;
  const { id, createdAt } = applications;
  const newestFirst = (row: { id: SQLWrapper; createdAt: SQLWrapper }) => [desc(row.createdAt), desc(row.id)];
  const all = query
    .select({ id, createdAt })
    .from(applications)
    .where(and(ofCompany, areAllGranted))
    .orderBy(...newestFirst(applications))
    .limit(rows);
  const some = query
    .select({ id, createdAt })
    .from(apiKeyCapabilities)
    .innerJoin(applications, eq(id, resourceId))
    .where(and(ofKey, ofCompany, not(areAllGranted)))
    .orderBy(...newestFirst(applications))
    .limit(rows);
  const both = all.unionAll(some).as("listed");
  return query
    .select()
    .from(both)
    .orderBy(...newestFirst(both));
};

/** The rows of a page of {@link ownApplications}. */
export const applicationsIn = (query: QueryBuilder, page: PageOf<ReturnType<typeof ownApplications>>) =>
  query
    .select(getTableColumns(applications))
    .from(page)
    .innerJoin(applications, eq(applications.id, page.id))
    .as("application");

/** A row of `applications`, of the key's company. */
export type ApplicationRow = OwnApplication | ReturnType<typeof applicationsIn>;
