// How a write to an application is made: one transaction of two statements, in one round trip. The first waits until no
// other write to the application is under way, so that the second sees what those have left. One statement would not do:
// all of it reads the snapshot that was taken before it waited.
import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import type { WithSubquery } from "drizzle-orm/subquery";
import { DIRECT_PURGES } from "../shared/limits.ts";
import { type Access, accessColumns, type Caller, keyAccess } from "./access.ts";
import type { Database } from "./client.ts";
import { isoTimestamp, toArray } from "./expressions.ts";
import { etagOf } from "./json.ts";
import { type auditedOperation, auditLog, idempotentAnswers } from "./schema.ts";
import { defineStatement, type Statement } from "./statement.ts";
import { type OwnApplication, ownApplication } from "./tenant.ts";

/** How many seconds an answer is kept for an `Idempotency-Key`. */
const ANSWERS_LIVE = sql`interval '24 hours'`;
/** Old answers that a write sweeps away: more than it adds, and too few to be noticed. */
const SWEPT = 10;

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
}

/**
 * - `absent`: the application or the process does not exist, or belongs to another company.
 * - `changed`: the precondition does not hold.
 * - `idempotency_key_reused`: for another request than this.
 */
export type CommonRefusal = "absent" | "changed" | "idempotency_key_reused";

/** What every write is told, beside what it is about. */
export interface WriteRequest {
  /** Method and path, in canonical form: what an `Idempotency-Key` belongs to. */
  operation: string;
  idempotencyKey: string | null;
  /** What is asked for, as text: an `Idempotency-Key` comes with the same again, or is refused. */
  content: string;
  /** Entity tags without quotes, of which the current one must be one; null: there is no condition. */
  ifMatch: readonly string[] | null;
  dryRun: boolean;
}

/** The parts of a write, as SQL over `access`, `application` and its own common table expressions. */
export interface WriteParts<Refusal extends string> {
  /** Common table expressions by name, in their order. */
  parts: Record<string, SQL>;
  /** Rows if there is what the write is about. */
  subject: SQL;
  /** The current entity tag, for the precondition; absent where there can be none. */
  currentEtag?: SQL;
  /** When to refuse, in this order. */
  refusals: Record<Refusal, SQL>;
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

const APPLICATION_ID = sql`${sql.placeholder("applicationId")}::uuid`;
const OPERATION = sql`${sql.placeholder("operation")}::text`;
const IDEMPOTENCY_KEY = sql`${sql.placeholder("idempotencyKey")}::text`;
const FINGERPRINT = sql`sha256(convert_to(${sql.placeholder("content")}::text, 'UTF8'))`;
const IF_MATCH = sql`${sql.placeholder("ifMatch")}::text[]`;
const IS_DRY_RUN = sql`${sql.placeholder("dryRun")}::boolean`;

const partOf = (name: string, part: SQL): SQL => sql`${sql.identifier(name)} as (${part})`;
const partsOf = (parts: Record<string, SQL>): SQL[] => Object.entries(parts).map(([name, part]) => partOf(name, part));
const withParts = (first: readonly WithSubquery[], ...others: SQL[]): SQL =>
  sql`with ${sql.join([...first.map(({ _ }) => partOf(_.alias, _.sql)), ...others], sql`, `)}`;

function begin(query: QueryBuilder) {
  const access = keyAccess(query, "APP:UPDATE", APPLICATION_ID);
  return { access, application: ownApplication(query, access, APPLICATION_ID) };
}

/** Waits until it is this write's turn. */
const lockStatement = defineStatement<unknown>((query) => {
  const { access, application } = begin(query);
  return sql`${withParts([access, application])}
    select pg_advisory_xact_lock(hashtextextended(${application.id}::text, 0)) from ${application}`;
});

/**
 * Builds a write when it is first asked for. It checks the key, its permission and its company, repeats an earlier answer of
 * the same `Idempotency-Key`, checks the precondition and the refusals, writes, records who has written what, and keeps its
 * answer. A write that is refused or only tried (`dryRun`) leaves nothing behind.
 */
export function defineWrite<Refusal extends string>(
  define: (query: QueryBuilder, application: OwnApplication) => WriteParts<Refusal>,
): () => Statement<WriteRow<Refusal>> {
  return defineStatement<WriteRow<Refusal>>((query) => {
    const { access, application } = begin(query);
    const write = define(query, application);
    const { operation, from, process, before, after } = write.audited;
    const parts = withParts(
      [access, application],
      partOf(
        "earlier",
        sql`select body, etag, last_modified, fingerprint = ${FINGERPRINT} as is_same from ${idempotentAnswers}, ${access}
          where api_key_id = ${access.keyId} and operation = ${OPERATION} and key = ${IDEMPOTENCY_KEY}
            and created_at > now() - ${ANSWERS_LIVE}`,
      ),
      ...partsOf(write.parts),
      partOf(
        "answer",
        sql`select body, last_modified, case when last_modified is not null then ${etagOf(sql`body`)} end as etag
          from (${write.answer}) as answer`,
      ),
      partOf("verdict", verdictOf(write)),
      partOf("written", sql`select from verdict where refusal is null and not is_replay and not ${IS_DRY_RUN}`),
      ...partsOf(write.effects),
      partOf(
        "audited",
        sql`insert into ${auditLog} (api_key_id, company_id, application_id, process_id, operation, before, after, request_id)
          select ${access.keyId}, ${access.companyId}, ${application.id}, ${process}, ${operation}::audited_operation,
            ${before}, ${after}, ${sql.placeholder("requestId")}::uuid
          from written, ${access}, ${application}, answer, ${from} returning id`,
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
      partOf("swept", SWEEP),
    );
    const ofEarlierOr = (column: string) =>
      sql.raw(`case when verdict.is_replay then earlier.${column} else answer.${column} end`);
    const row: { [Name in keyof WriteRow<Refusal>]: SQLWrapper } = {
      ...accessColumns(access),
      refusal: sql`verdict.refusal`,
      fields: write.fields ?? sql`null::text[]`,
      isReplay: sql`verdict.is_replay`,
      isEffective: sql`exists (select from audited)`,
      body: ofEarlierOr("body"),
      etag: ofEarlierOr("etag"),
      lastModified: isoTimestamp(ofEarlierOr("last_modified")),
      isPurgeAffordable: IS_PURGE_AFFORDABLE,
    };
    const list = Object.entries(row).map(([name, value]) => sql`${value} as ${sql.identifier(name)}`);
    return sql`${parts} select ${sql.join(list, sql`, `)}
      from ${access} left join verdict on true left join answer on true left join earlier on true`;
  });
}

/** The refusal, if there is one. Preconditions come before what depends on the content (RFC 9110, section 13.2.1). */
function verdictOf<Refusal extends string>({ subject, currentEtag, refusals }: WriteParts<Refusal>): SQL {
  const isChanged = currentEtag && sql`${IF_MATCH} is not null and not (${currentEtag} = any (${IF_MATCH}))`;
  const cases = { absent: sql`not exists (${subject})`, ...(isChanged && { changed: isChanged }), ...refusals };
  const ordered = Object.entries<SQL>(cases).map(
    ([refusal, condition]) => sql`when ${condition} then ${sql.raw(`'${refusal}'`)}`,
  );
  return sql`select coalesce((select is_same from earlier), false) as is_replay, case
    when exists (select from earlier) then (select 'idempotency_key_reused' from earlier where not is_same)
    ${sql.join(ordered, sql` `)} end as refusal`;
}

/** Not the one that this write may replace: Postgres lets a statement change a row once. */
const SWEEP = sql`delete from ${idempotentAnswers} where ctid in (
  select old.ctid from ${idempotentAnswers} as old, written
  where old.created_at < now() - ${ANSWERS_LIVE} and old.key is distinct from ${IDEMPOTENCY_KEY}
  order by old.created_at limit ${sql.raw(String(SWEPT))} for update of old skip locked
)`;

/** Every write that is audited may have purged: how many there were lately says how much of the platform's bucket is left. */
const IS_PURGE_AFFORDABLE = sql`(select count(*) from (
  select from ${auditLog} where created_at > now() - ${sql.raw(`interval '${DIRECT_PURGES.minutes} minutes'`)}
  limit ${sql.raw(String(DIRECT_PURGES.count))}
) as recent) < ${sql.raw(String(DIRECT_PURGES.count))}`;

/** Who writes, what is asked of every write, and to which application. */
export interface OfApplication extends Caller, WriteRequest {
  applicationId: string;
}

/**
 * Sends a write.
 *
 * @param params and the values of the statement's own placeholders
 *
 * @param deadlineMs of the database
 * @returns undefined if there is no such key, or not any more
 * @throws DatabaseError with `mayHaveRun`, if nobody knows whether it took effect
 */
export async function write<Refusal extends string, Params extends OfApplication>(
  db: Database,
  statement: Statement<WriteRow<Refusal>>,
  { trace, ...values }: Params,
): Promise<WriteRow<Refusal> | undefined> {
  const ifMatch = values.ifMatch && toArray(values.ifMatch);
  const all = { ...values, ifMatch, requestId: trace.requestId ?? null };
  const [row] = await db.transact([lockStatement(), statement], all, trace);
  return row;
}
