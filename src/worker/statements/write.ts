// How a write to an application is made: one transaction of two statements, in one round trip. The first waits for all that
// the second decides by, and holds it: the application, the process, the key and what it is granted. So the second sees what
// others have left, and nobody changes it before the write is over. One statement would not do: all of it reads the snapshot
// that was taken before it waited.
import { getTableColumns, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { PgTable, QueryBuilder } from "drizzle-orm/pg-core";
import type { WithSubquery } from "drizzle-orm/subquery";
import type { Database } from "../db/client.ts";
import { endOfSecond, isoTimestamp, toArray } from "../db/expressions.ts";
import { etagOf, jsonObject } from "../db/json.ts";
import { defineStatement, type Statement } from "../db/statement.ts";
import {
  type Access,
  accessColumns,
  type Caller,
  holdGrants,
  isAlsoPermitted,
  keyAccess,
} from "../resources/api-key/access.ts";
import { type OwnApplication, ownApplication } from "../resources/application/rows.ts";
import { applications } from "../resources/application/table.ts";
import type { Conditions } from "../shared/conditions.ts";
import { DIRECT_PURGES } from "../shared/limits.ts";
import { apiKeyWrites, type auditedOperation, auditLog, idempotentAnswers, RESPONSES_EXPIRED } from "./table.ts";

/** The outcome of a write. */
export interface WriteRow<Refusal extends string> extends Access {
  /** Why nothing was written; null if all is well. */
  refusal: Refusal | CommonRefusal | null;
  /** Fields that the refusal is about. */
  fields: string[] | null;
  /** Whether this is the answer to an earlier request of the same `Idempotency-Key`. */
  isReplay: boolean;
  /** Whether anything has changed. */
  isEffective: boolean;
  /** The answer as JSON text. */
  body: string;
  /** A strong validator of the body without quotes, and when it last changed in ISO 8601; null where the answer has none. */
  etag: string | null;
  lastModified: string | null;
  /** Whether there is room for one more direct purge beside those of the feed. */
  isPurgeAffordable: boolean;
  /** Seconds until the day ends in UTC, rounded up. */
  secondsLeftToday: number;
}

/**
 * - `overtaken`: the application is there now, and was not when the write could have held it.
 * - `absent`: the application or the process does not exist, or belongs to another company.
 * - `unreadable`: the key is not permitted to read what the answer would show.
 * - `changed`: a condition does not hold.
 * - `idempotency_key_reused`: for another request than this.
 * - `write_quota_reached`: the key has written its `dailyBytes` already.
 */
export type CommonRefusal =
  | "overtaken"
  | "absent"
  | "unreadable"
  | "changed"
  | "idempotency_key_reused"
  | "write_quota_reached";

/** What every write is told, beside what it is about. */
export interface WriteRequest {
  /** Method and path, in canonical form: what an `Idempotency-Key` belongs to. */
  operation: string;
  idempotencyKey: string | null;
  /** What is asked for, as text: an `Idempotency-Key` comes with the same again, or is refused. */
  content: string;
  conditions: Conditions;
  dryRun: boolean;
  /** A key that has left so much behind today may write no more. */
  dailyBytes: number;
}

/** The parts of a write, as SQL over `access`, `application` and its own common table expressions. */
export interface WriteParts<Refusal extends string> {
  /** The common table expression `target`: the process that is written to, locked. Absent where there is none so far. */
  target?: SQL;
  /** Further common table expressions by name, in their order. */
  parts: Record<string, SQL>;
  /** Rows if there is what the write is about. */
  subject: SQL;
  /** The entity tag of what there is at the path of the request, and when it changed; absent if it is nothing that can be read. */
  current?: { etag: SQL; lastModified?: SQL };
  /** Whether the answer shows what the request has not written: then the key must be permitted `APP:READ`, too. */
  reads?: SQL;
  /** When to refuse, in this order. */
  refusals: Partial<Record<Refusal, SQL>>;
  /** Fields that a refusal is about, an array of text. */
  fields?: SQL;
  /** One row: `body`, JSON as text, and `last_modified`; null if the answer is no representation of the process. */
  answer: SQL;
  /** What changes, by name; each of them takes its rows from `written`, which has one if the write is to be done. */
  effects: Record<string, SQL>;
  /** What is told of it: a row, or none where nothing changes. */
  audited: {
    operation: (typeof auditedOperation.enumValues)[number];
    from: SQLWrapper;
    process: SQLWrapper;
    before: SQL;
    after: SQL;
  };
}

const PERMISSION = "APP:UPDATE";
const APPLICATION_ID = sql`${sql.placeholder("id")}::uuid`;
const OPERATION = sql`${sql.placeholder("operation")}::text`;
const IDEMPOTENCY_KEY = sql`${sql.placeholder("idempotencyKey")}::text`;
const FINGERPRINT = sql`sha256(convert_to(${sql.placeholder("content")}::text, 'UTF8'))`;
const IF_MATCH = sql`${sql.placeholder("ifMatch")}::text[]`;
const IF_NONE_MATCH = sql`${sql.placeholder("ifNoneMatch")}::text[]`;
const IF_UNMODIFIED_SINCE = sql`${sql.placeholder("ifUnmodifiedSince")}::timestamptz`;
export const IS_DRY_RUN = sql`${sql.placeholder("dryRun")}::boolean`;
const DAILY_BYTES = sql`${sql.placeholder("dailyBytes")}::bigint`;

const UTC_NOW = sql`statement_timestamp() at time zone 'UTC'`;
const TODAY = sql`(${UTC_NOW})::date`;
/** What a row takes beside its JSON, with its entries in indexes: 600 to 700 bytes were measured. */
const ROW_BYTES = sql.raw("600");

const partOf = (name: string, part: SQL): SQL => sql`${sql.identifier(name)} as (${part})`;
const partsOf = (parts: Record<string, SQL>): SQL[] => Object.entries(parts).map(([name, part]) => partOf(name, part));
const withParts = (first: readonly WithSubquery[], ...others: SQL[]): SQL =>
  sql`with ${sql.join([...first.map(({ _ }) => partOf(_.alias, _.sql)), ...others], sql`, `)}`;

const writerAccess = (query: QueryBuilder) => keyAccess(query, PERMISSION, APPLICATION_ID);

/** Where there is no application, nobody is waited for. */
const ARE_GRANTS_HELD = sql`case when exists (select from application) then exists (select from grants) else true end`;

/** The setting of the transaction that has the id of the application that it holds. */
const HELD = sql`'process_api.application'`;

/**
 * Builds a write when it is first asked for. It checks the key, its permission and its company, repeats an earlier answer of
 * the same `Idempotency-Key`, checks the precondition and the refusals, writes, records who has written what, keeps its
 * answer, and counts how much that is. A write that is refused or only tried (`dryRun`) leaves nothing behind.
 */
export function defineWrite<Refusal extends string>(define: DefineParts<Refusal>): () => WriteStatements<Refusal> {
  const hold = defineHold(define);
  const decide = defineDecision(define);
  return () => [hold(), decide()];
}

type DefineParts<Refusal extends string> = (query: QueryBuilder, application: OwnApplication) => WriteParts<Refusal>;

/** The two statements of a write. */
export type WriteStatements<Refusal extends string> = readonly [
  hold: Statement<unknown>,
  decision: Statement<WriteRow<Refusal>>,
];

/**
 * Waits until it is this write's turn. Key and grants are held last: whoever ends them does not wait for those that wait. What
 * the key may not write to is not held.
 */
const defineHold = (define: DefineParts<string>) =>
  defineStatement<unknown>((query) => {
    const access = writerAccess(query);
    const application = ownApplication(query, access, APPLICATION_ID);
    const { target = sql`select` } = define(query, application);
    const parts = [
      partOf("access", access._.sql),
      partOf("application", sql`${application._.sql} for no key update of ${applications}`),
      partOf("target", target),
      partOf("grants", holdGrants(PERMISSION, APPLICATION_ID)),
    ];
    return sql`with ${sql.join(parts, sql`, `)}
      select set_config(${HELD}, ${application.id}::text, true), (select count(*) from target), (select count(*) from grants)
      from ${application}`;
  });

const defineDecision = <Refusal extends string>(define: DefineParts<Refusal>) =>
  defineStatement<WriteRow<Refusal>>((query) => {
    const access = writerAccess(query);
    const isHeld = sql`${applications.id}::text = current_setting(${HELD}, true)`;
    const application = ownApplication(query, access, APPLICATION_ID, isHeld);
    const write = define(query, application);
    const mayRead = isAlsoPermitted(access, "APP:READ", APPLICATION_ID);
    const { operation, from, process, before, after } = write.audited;
    const parts = withParts(
      [access, application],
      partOf(
        "earlier",
        sql`select body, etag, last_modified, fingerprint = ${FINGERPRINT} as is_same from ${idempotentAnswers}, ${access}
          where api_key_id = ${access.keyId} and operation = ${OPERATION} and key = ${IDEMPOTENCY_KEY}
            and created_at > ${RESPONSES_EXPIRED}`,
      ),
      partOf("visible", ownApplication(query, access, APPLICATION_ID)._.sql),
      // Others than the first statement has held, if they came meanwhile.
      partOf("grants", holdGrants(PERMISSION, APPLICATION_ID)),
      ...partsOf({ ...(write.target && { target: write.target }), ...write.parts }),
      partOf(
        "answer",
        sql`select body, last_modified, case when last_modified is not null then ${etagOf(sql`body`)} end as etag
          from (${write.answer}) as answer`,
      ),
      partOf(
        "audit",
        sql`select ${process} as process_id, ${before}::jsonb as before, ${after}::jsonb as after from answer, ${from}`,
      ),
      partOf(
        "today",
        sql`select bytes from ${apiKeyWrites}, ${access} where api_key_id = ${access.keyId} and day = ${TODAY}`,
      ),
      partOf("verdict", verdictOf(write, mayRead)),
      partOf(
        "written",
        sql`select from verdict where refusal is null and not is_replay and not ${IS_DRY_RUN} and ${ARE_GRANTS_HELD}`,
      ),
      // The first, because Postgres begins with the last: what may wait for others does not hold this key's other writes.
      partOf(
        "counted",
        sql`insert into ${apiKeyWrites} as known (api_key_id, day, bytes)
          select ${access.keyId}, ${TODAY}, sum(left_behind.bytes) from written, ${access}, (
            select 2 * ${ROW_BYTES} + octet_length(body) + coalesce(octet_length(before::text), 0)
              + coalesce(octet_length(after::text), 0) as bytes from audit, answer
            union all select ${ROW_BYTES} + octet_length(body) from answer where ${IDEMPOTENCY_KEY} is not null
          ) as left_behind group by ${access.keyId}
          on conflict (api_key_id) do update set day = excluded.day,
            bytes = excluded.bytes + case known.day when excluded.day then known.bytes else 0 end`,
      ),
      ...partsOf(write.effects),
      partOf(
        "audited",
        sql`insert into ${auditLog} (api_key_id, company_id, application_id, process_id, operation, before, after, request_id)
          select ${access.keyId}, ${access.companyId}, ${application.id}, process_id, ${operation}::audited_operation,
            before, after, ${sql.placeholder("requestId")}::uuid
          from written, ${access}, ${application}, audit returning id`,
      ),
      partOf(
        "kept",
        sql`insert into ${idempotentAnswers} (api_key_id, operation, key, fingerprint, body, etag, last_modified)
          select ${access.keyId}, ${OPERATION}, ${IDEMPOTENCY_KEY}, ${FINGERPRINT}, body, etag, last_modified
          from written, ${access}, answer
          where ${IDEMPOTENCY_KEY} is not null
          on conflict (api_key_id, operation, key) do update set fingerprint = excluded.fingerprint, body = excluded.body,
            etag = excluded.etag, last_modified = excluded.last_modified, created_at = excluded.created_at`,
      ),
    );
    const ofEarlierOr = (column: string) =>
      sql.raw(`case when verdict.is_replay then earlier.${column} else answer.${column} end`);
    const row: { [Name in keyof WriteRow<Refusal>]: SQLWrapper } = {
      ...accessColumns(access),
      isPermitted: sql`${access.isPermitted} and ${ARE_GRANTS_HELD}`,
      refusal: sql`verdict.refusal`,
      fields: write.fields ?? sql`null::text[]`,
      isReplay: sql`verdict.is_replay`,
      isEffective: sql`exists (select from audited)`,
      body: ofEarlierOr("body"),
      etag: ofEarlierOr("etag"),
      lastModified: isoTimestamp(ofEarlierOr("last_modified")),
      isPurgeAffordable: IS_PURGE_AFFORDABLE,
      secondsLeftToday: sql`ceil(extract(epoch from ${TODAY} + 1 - (${UTC_NOW})))::int`,
    };
    const list = Object.entries(row).map(([name, value]) => sql`${value} as ${sql.identifier(name)}`);
    return sql`${parts} select ${sql.join(list, sql`, `)}
      from ${access} left join verdict on true left join answer on true left join earlier on true`;
  });

/** The refusal, if there is one. Preconditions come before what depends on the content (RFC 9110, section 13.2.1). */
function verdictOf<Refusal extends string>(
  { subject, reads = sql`false`, current = { etag: sql`null::text` }, refusals }: WriteParts<Refusal>,
  mayRead: SQL,
): SQL {
  const cases = {
    overtaken: sql`exists (select from visible) and not exists (select from application)`,
    absent: sql`not exists (${subject})`,
    unreadable: sql`(${reads}) and not ${mayRead}`,
    changed: isChanged(current),
    ...refusals,
    // Last: whoever must wait knows that nothing else is against the write.
    write_quota_reached: sql`not ${IS_DRY_RUN} and exists (select from today where bytes >= ${DAILY_BYTES})`,
  };
  const ordered = Object.entries<SQL>(cases).map(
    ([refusal, condition]) => sql`when ${condition} then ${sql.raw(`'${refusal}'`)}`,
  );
  return sql`select coalesce((select is_same from earlier), false) as is_replay, case
    when exists (select from earlier) then (select 'idempotency_key_reused' from earlier where not is_same)
    ${sql.join(ordered, sql` `)} end as refusal`;
}

/** Whether a condition does not hold, in the order of RFC 9110, section 13.2.2. */
function isChanged({ etag, lastModified }: NonNullable<WriteParts<string>["current"]>): SQL {
  const isAmong = (tags: SQL) => sql`(${etag} is not null and array['*', '"' || ${etag} || '"'] && ${tags})`;
  const isNewer = lastModified
    ? sql`coalesce(${endOfSecond(lastModified)} > ${IF_UNMODIFIED_SINCE}, false)`
    : sql`false`;
  return sql`case when ${IF_MATCH} is not null then not ${isAmong(IF_MATCH)} else ${isNewer} end
    or (${IF_NONE_MATCH} is not null and ${isAmong(IF_NONE_MATCH)})`;
}

/**
 * An effect that inserts the rows of a part. Only the columns that this version knows: others have their defaults, where a later
 * one has added them.
 */
export const insertFrom = (part: string, table: PgTable): SQL => {
  const names = Object.values(getTableColumns(table)).map(({ name }) => sql.identifier(name));
  const values = names.map((name) => sql`${sql.identifier(part)}.${name}`);
  return sql`insert into ${table} (${sql.join(names, sql`, `)}) select ${sql.join(values, sql`, `)}
    from ${sql.identifier(part)}, written`;
};

/** The answer of a write that returns no resource. */
export const messageOf = (text: string): SQL =>
  sql`select ${jsonObject({ message: sql`${text}::text` })}::text as body, null::timestamptz as last_modified`;

/** Every write that is audited may have purged: how many there were lately says how much of the platform's bucket is left. */
const IS_PURGE_AFFORDABLE = sql`(select count(*) from (
  select from ${auditLog} where created_at > now() - ${sql.raw(`interval '${DIRECT_PURGES.minutes} minutes'`)}
  limit ${sql.raw(String(DIRECT_PURGES.count))}
) as recent) < ${sql.raw(String(DIRECT_PURGES.count))}`;

/**
 * Sends a write.
 *
 * @param values of the statements' own placeholders, and the `id` of the application
 * @returns undefined if there is no such key, or not any more
 * @throws DatabaseError with `mayHaveRun`, if nobody knows whether it took effect
 */
export async function write<Refusal extends string>(
  db: Database,
  statements: WriteStatements<Refusal>,
  { trace, conditions, ...values }: Caller & WriteRequest & { id: string },
): Promise<WriteRow<Refusal> | undefined> {
  const { ifMatch, ifNoneMatch, ifUnmodifiedSince } = conditions;
  const all = {
    ...values,
    ifMatch: ifMatch ? toArray(ifMatch) : null,
    ifNoneMatch: ifNoneMatch ? toArray(ifNoneMatch) : null,
    ifUnmodifiedSince: ifUnmodifiedSince === undefined ? null : new Date(ifUnmodifiedSince).toISOString(),
    requestId: trace.requestId ?? null,
  };
  const [row] = await db.transact(statements, all, trace);
  return row;
}
