import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../node/database.ts";
import { CommandError } from "../../node/errors.ts";
import { isoTimestamp } from "../../worker/db/expressions.ts";
import {
  apiKeyCapabilities,
  type apiKeyEvent,
  apiKeyEvents,
  apiKeys,
  apiKeyTokens,
} from "../../worker/resources/api-key/table.ts";
import { applications } from "../../worker/resources/application/table.ts";
import { companies } from "../../worker/resources/company/table.ts";
import { isUuid } from "../../worker/shared/uuid.ts";
import { apiKeyWrites } from "../../worker/statements/table.ts";

export type Permission = (typeof apiKeyCapabilities.permission.enumValues)[number];
export type Event = (typeof apiKeyEvent.enumValues)[number];

/** An API key, as `--json` prints it. Moments are ISO 8601 in UTC, to the millisecond. */
export type Key = Awaited<ReturnType<typeof selectKeys>>[number];

type Select = Pick<Database, "select">;

interface Page {
  /** Of all if undefined. */
  companyId?: string | undefined;
  /** The id of the key that the page follows. */
  after?: string | undefined;
  limit: number;
}

/** @throws CommandError if there is no key `after` */
export async function readKeys(db: Select, { companyId, after, limit }: Page): Promise<Key[]> {
  const isOfCompany = companyId === undefined ? undefined : eq(apiKeys.companyId, companyId);
  if (after === undefined) return selectKeys(db, isOfCompany).limit(limit);
  const isLast = and(eq(apiKeys.id, after), isOfCompany);
  const [last] = await db.select().from(apiKeys).where(isLast);
  if (last === undefined) throw new CommandError(`There is no key ${after}${isOfCompany ? " of this company" : ""}.`);
  return selectKeys(db, follows(last, companyId)).limit(limit);
}

type Place = Pick<typeof apiKeys.$inferSelect, "companyId" | "createdAt" | "id">;

/** What comes after a key. With both conditions on the company Postgres would read all of its keys up to this one. */
export function follows(last: Place, ofCompany: string | undefined): SQL {
  const createdAt = sql.param(last.createdAt, apiKeys.createdAt);
  return ofCompany === undefined
    ? sql`(${apiKeys.companyId}, ${apiKeys.createdAt}, ${apiKeys.id}) > (${last.companyId}, ${createdAt}, ${last.id})`
    : sql`${apiKeys.companyId} = ${ofCompany} and (${apiKeys.createdAt}, ${apiKeys.id}) > (${createdAt}, ${last.id})`;
}

/** @throws CommandError if there is no such key */
export async function readKey(db: Select, id: string): Promise<Key> {
  const [key] = await selectKeys(db, eq(apiKeys.id, id));
  if (key === undefined) throw new CommandError(`There is no key ${id}.`);
  return key;
}

const COMPANIES_NAMED = 10;

/**
 * Finds a company by its id or its exact name.
 *
 * @throws CommandError if there is none, or more than one of that name
 */
export async function findCompany(db: Select, idOrName: string): Promise<{ id: string; name: string }> {
  const columns = { id: companies.id, name: companies.name };
  const [company, other] = await db
    .select(columns)
    .from(companies)
    .where(isUuid(idOrName) ? eq(companies.id, idOrName) : eq(companies.name, idOrName))
    .orderBy(asc(companies.createdAt))
    .limit(2);
  const named = JSON.stringify(idOrName);
  if (other !== undefined) {
    throw new CommandError(`More than one company has the name ${named}: give an id, such as ${company?.id}.`);
  }
  if (company !== undefined) return company;
  const all = await db
    .select({ ...columns, count: sql<number>`(count(*) over ())::int` })
    .from(companies)
    .orderBy(asc(companies.name), asc(companies.createdAt))
    .limit(COMPANIES_NAMED);
  const left = (all[0]?.count ?? 0) - all.length;
  const names = all.map(({ id, name }) => `"${name}" (${id})`).join(", ");
  const words =
    all.length === 0
      ? "There are no companies yet: src/cli/README.md says who writes them."
      : `There ${all.length === 1 ? "is" : "are"} ${names}${left === 0 ? "" : ` and ${left} more`}.`;
  throw new CommandError(`There is no company ${named}. ${words}`);
}

const isExpired = (expiresAt: SQL | typeof apiKeys.expiresAt): SQL<boolean> =>
  sql<boolean>`coalesce(${expiresAt} <= clock_timestamp(), false)`;

/** Rows that belong to a key, each as an object. */
const listOf = <Row>(fields: SQL, order: SQL, from: SQL) =>
  sql<Row[]>`(select coalesce(json_agg(json_build_object(${fields}) order by ${order}), '[]') from ${from})`;

interface Token {
  masked_token: string;
  is_expired: boolean;
  expires_at: string | null;
  last_used_at: string | null;
  created_at: string;
}

/** The oldest first. */
const tokens = listOf<Token>(
  sql`'masked_token', token.masked, 'is_expired', ${isExpired(sql`token.expires_at`)},
    'expires_at', ${isoTimestamp(sql`token.expires_at`)}, 'last_used_at', ${isoTimestamp(sql`token.last_used_at`)},
    'created_at', ${isoTimestamp(sql`token.created_at`)}`,
  sql`token.created_at, token.masked`,
  sql`${apiKeyTokens} token where token.api_key_id = ${apiKeys.id}`,
);

const capabilities = listOf<{ permission: Permission; resource_id: string | null; resource_name: string | null }>(
  sql`'permission', capability.permission, 'resource_id', resource_id, 'resource_name', application.name`,
  sql`capability.permission, application.name, resource_id`,
  sql`${apiKeyCapabilities} capability left join ${applications} application on application.id = resource_id
    where capability.api_key_id = ${apiKeys.id}`,
);

/** What was done to the key by these commands, the oldest first. */
const history = listOf<{ event: Event; made_by: string; created_at: string }>(
  sql`'event', past.event, 'made_by', past.made_by, 'created_at', ${isoTimestamp(sql`past.created_at`)}`,
  sql`past.id`,
  sql`${apiKeyEvents} past where past.api_key_id = ${apiKeys.id}`,
);

/** `revoked`: no token is left. `rotating`: more than one is live. */
const state = sql<"live" | "rotating" | "disabled" | "expired" | "revoked">`(
  select case
    when count(*) = 0 then 'revoked'
    when not ${apiKeys.isEnabled} then 'disabled'
    when ${isExpired(apiKeys.expiresAt)} or count(*) = count(*) filter (where is_over) then 'expired'
    when count(*) - count(*) filter (where is_over) = 1 then 'live'
    else 'rotating'
  end from (
    select ${isExpired(sql`token.expires_at`)} as is_over from ${apiKeyTokens} token where token.api_key_id = ${apiKeys.id}
  ) as tokens
)`;

/** What counts towards `KEY_DAILY_WRITE_BYTES`. */
const bytesWrittenToday = sql<number>`coalesce((
  select bytes from ${apiKeyWrites}
  where ${apiKeyWrites.apiKeyId} = ${apiKeys.id} and day = (now() at time zone 'UTC')::date
), 0)::float8`;

/** By company and age, in the order of an index: what is read of it is what is shown. */
export const selectKeys = (db: Select, condition: SQL | undefined) =>
  db
    .select({
      id: apiKeys.id,
      company: { id: companies.id, name: companies.name },
      name: apiKeys.name,
      state,
      tokens,
      capabilities,
      history,
      expires_at: sql<string | null>`${isoTimestamp(apiKeys.expiresAt)}`,
      last_used_at: sql<string | null>`${isoTimestamp(apiKeys.lastUsedAt)}`,
      bytes_written_today: bytesWrittenToday,
      created_at: isoTimestamp(apiKeys.createdAt),
      updated_at: isoTimestamp(apiKeys.updatedAt),
    })
    .from(apiKeys)
    .innerJoin(companies, eq(companies.id, apiKeys.companyId))
    .where(condition)
    .orderBy(asc(apiKeys.companyId), asc(apiKeys.createdAt), asc(apiKeys.id));
