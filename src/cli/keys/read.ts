import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../node/database.ts";
import { CommandError, printable } from "../../node/errors.ts";
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

/** `revoked`: no token is left. `rotating`: more than one is live. */
export type State = "live" | "rotating" | "disabled" | "expired" | "revoked";

/** An API key, as `--json` prints it. Moments are ISO 8601 in UTC, to the millisecond. */
export interface Key {
  id: string;
  company: { id: string; name: string };
  name: string;
  state: State;
  /** The oldest first. */
  tokens: {
    masked_token: string;
    is_expired: boolean;
    expires_at: string | null;
    last_used_at: string | null;
    created_at: string;
  }[];
  capabilities: { permission: Permission; resource_id: string | null; resource_name: string | null }[];
  /** What was done to the key by these commands, the oldest first. */
  history: { event: (typeof apiKeyEvent.enumValues)[number]; made_by: string; created_at: string }[];
  /** The key's own expiry; a token may expire sooner. */
  expires_at: string | null;
  last_used_at: string | null;
  /** What counts towards `KEY_DAILY_WRITE_BYTES`. */
  bytes_written_today: number;
  created_at: string;
  updated_at: string;
}

type Reader = Pick<Database, "select">;

export interface Page {
  /** Of all if undefined. */
  companyId?: string | undefined;
  /** The id of the key that the page follows. */
  after?: string | undefined;
  limit: number;
}

/** @throws CommandError if there is no key `after` */
export async function readKeys(db: Reader, { companyId, after, limit }: Page): Promise<Key[]> {
  const isOfCompany = companyId === undefined ? undefined : eq(apiKeys.companyId, companyId);
  if (after === undefined) return (await selectKeys(db, isOfCompany).limit(limit)).map(toKey);
  const [last] = await db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.id, after), isOfCompany));
  if (last === undefined) throw new CommandError(`There is no key ${after}${isOfCompany ? " of this company" : ""}.`);
  return (await selectKeys(db, follows(last, companyId)).limit(limit)).map(toKey);
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
export async function readKey(db: Reader, id: string): Promise<Key> {
  const [row] = await selectKeys(db, eq(apiKeys.id, id));
  if (row === undefined) throw new CommandError(`There is no key ${id}.`);
  return toKey(row);
}

/**
 * Finds a company by its id or its exact name.
 *
 * @throws CommandError if there is none, or more than one of that name
 */
export async function findCompany(db: Reader, idOrName: string): Promise<{ id: string; name: string }> {
  const found = await db
    .select({ id: companies.id, name: companies.name })
    .from(companies)
    .where(isUuid(idOrName) ? eq(companies.id, idOrName) : eq(companies.name, idOrName))
    .orderBy(asc(companies.createdAt))
    .limit(2);
  const [company, other] = found;
  if (company === undefined) {
    throw new CommandError(`There is no company ${JSON.stringify(idOrName)}. ${await describeCompanies(db)}`);
  }
  if (other !== undefined) {
    throw new CommandError(
      `More than one company has the name ${JSON.stringify(idOrName)}: give an id, such as ${company.id}.`,
    );
  }
  return company;
}

const COMPANIES_NAMED = 10;

/** A sentence on the companies that there are. */
async function describeCompanies(db: Reader): Promise<string> {
  const found = await db
    .select({ id: companies.id, name: companies.name, count: sql<number>`(count(*) over ())::int` })
    .from(companies)
    .orderBy(asc(companies.name), asc(companies.createdAt))
    .limit(COMPANIES_NAMED);
  const [first] = found;
  if (first === undefined) return "There are no companies yet: src/cli/README.md says who writes them.";
  const names = found.map(({ id, name }) => `"${printable(name)}" (${id})`).join(", ");
  const left = first.count - found.length;
  return `There ${first.count === 1 ? "is" : "are"} ${names}${left === 0 ? "" : ` and ${left} more`}.`;
}

const isExpired = (expiresAt: SQL | typeof apiKeys.expiresAt): SQL<boolean> =>
  sql<boolean>`coalesce(${expiresAt} <= clock_timestamp(), false)`;

const tokens = sql<Key["tokens"]>`(
  select coalesce(json_agg(json_build_object(
    'masked_token', token.masked,
    'is_expired', ${isExpired(sql`token.expires_at`)},
    'expires_at', ${isoTimestamp(sql`token.expires_at`)},
    'last_used_at', ${isoTimestamp(sql`token.last_used_at`)},
    'created_at', ${isoTimestamp(sql`token.created_at`)}
  ) order by token.created_at, token.masked), '[]')
  from ${apiKeyTokens} token
  where token.api_key_id = ${apiKeys.id}
)`;

const capabilities = sql<Key["capabilities"]>`(
  select coalesce(json_agg(json_build_object(
    'permission', capability.permission,
    'resource_id', capability.resource_id,
    'resource_name', application.name
  ) order by capability.permission, application.name, capability.resource_id), '[]')
  from ${apiKeyCapabilities} capability
  left join ${applications} application on application.id = capability.resource_id
  where capability.api_key_id = ${apiKeys.id}
)`;

const history = sql<Key["history"]>`(
  select coalesce(json_agg(json_build_object(
    'event', past.event,
    'made_by', past.made_by,
    'created_at', ${isoTimestamp(sql`past.created_at`)}
  ) order by past.id), '[]')
  from ${apiKeyEvents} past
  where past.api_key_id = ${apiKeys.id}
)`;

const bytesWrittenToday = sql<number>`coalesce((
  select bytes from ${apiKeyWrites}
  where ${apiKeyWrites.apiKeyId} = ${apiKeys.id} and day = (now() at time zone 'UTC')::date
), 0)::float8`;

/** By company and age, in the order of an index: what is read of it is what is shown. */
export const selectKeys = (db: Reader, condition: SQL | undefined) =>
  db
    .select({
      id: apiKeys.id,
      company: { id: companies.id, name: companies.name },
      name: apiKeys.name,
      isEnabled: apiKeys.isEnabled,
      isExpired: isExpired(apiKeys.expiresAt),
      tokens,
      capabilities,
      history,
      expiresAt: isoTimestamp(apiKeys.expiresAt),
      lastUsedAt: isoTimestamp(apiKeys.lastUsedAt),
      bytesWrittenToday,
      createdAt: isoTimestamp(apiKeys.createdAt),
      updatedAt: isoTimestamp(apiKeys.updatedAt),
    })
    .from(apiKeys)
    .innerJoin(companies, eq(companies.id, apiKeys.companyId))
    .where(condition)
    .orderBy(asc(apiKeys.companyId), asc(apiKeys.createdAt), asc(apiKeys.id));

function toKey(row: Awaited<ReturnType<typeof selectKeys>>[number]): Key {
  return {
    id: row.id,
    company: row.company,
    name: row.name,
    state: stateOf(row),
    tokens: row.tokens,
    capabilities: row.capabilities,
    history: row.history,
    expires_at: row.expiresAt,
    last_used_at: row.lastUsedAt,
    bytes_written_today: row.bytesWrittenToday,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  };
}

function stateOf({
  tokens,
  isEnabled,
  isExpired,
}: Pick<Key, "tokens"> & { isEnabled: boolean; isExpired: boolean }): State {
  if (tokens.length === 0) return "revoked";
  if (!isEnabled) return "disabled";
  const live = tokens.filter((token) => !token.is_expired).length;
  if (isExpired || live === 0) return "expired";
  return live === 1 ? "live" : "rotating";
}
