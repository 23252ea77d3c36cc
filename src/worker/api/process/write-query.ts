import { eq, type SQL, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import type { Database } from "../../db/client.ts";
import { latest } from "../../db/expressions.ts";
import { differenceOf, etagOf, jsonObject } from "../../db/json.ts";
import {
  candidate,
  changeCandidate,
  createCandidate,
  createRun,
  deleteProcess,
  hasSecondWebProcess,
  hasUnknownResourceType,
  insertProcess,
  insertRun,
  isChanged,
  lockProcess,
  target,
  updateProcess,
} from "../../db/process-rows.ts";
import { type OwnApplication, processResourceTypes } from "../../db/tenant.ts";
import { defineWrite, IS_DRY_RUN, type OfApplication, write } from "../../db/write.ts";
import { PAGE } from "../../shared/limits.ts";
import { ONLY_FOR } from "./fields.ts";
import { listPayload, processJson } from "./query.ts";

/** What a client sends, as columns by their names, in JSON. */
const columns = sql`${sql.placeholder("columns")}::jsonb`;
const processId = sql`${sql.placeholder("processId")}::uuid`;

/** A part of the statement with the payload of a process. */
const payloadOf = (query: QueryBuilder, process: typeof target | typeof candidate, application: OwnApplication): SQL =>
  query
    .select({
      body: sql`${processJson(process, application)}::text`.as("body"),
      lastModified: latest(process.updatedAt, application.updatedAt, processResourceTypes.updatedAt).as(
        "last_modified",
      ),
    })
    // Not the alias itself: Drizzle would read the table under that name.
    .from(sql`${process}`)
    .innerJoin(application, sql`true`)
    .leftJoin(processResourceTypes, eq(processResourceTypes.id, process.resourceTypeId))
    .getSQL();

const messageOf = (text: string): SQL =>
  sql`select ${jsonObject({ message: sql`${text}::text` })}::text as body, null::timestamptz as last_modified`;

const answerJson = sql`answer.body::jsonb`;
const beforeJson = sql`before.body::jsonb`;
const current = {
  etag: sql`(select ${etagOf(sql`before.body`)} from before)`,
  lastModified: sql`(select before.last_modified from before)`,
};

/** Fields that are sent, and not for a process of this type; but false and null are what it has there. */
const foreignFields = sql`array(
  select sent.key from target, jsonb_each(${columns}) as sent, jsonb_each(${JSON.stringify(ONLY_FOR)}::jsonb) as rule
  where sent.key = rule.key and not coalesce(rule.value ? target.type::text, false)
    and sent.value not in ('false', 'null')
  order by sent.key
)`;

const scalesByItself = sql`exists (select from candidate where scaling_strategy ->> 'type' = 'horizontal'
  and type is distinct from 'web' and type is distinct from 'worker')`;

const createStatement = defineWrite((query, application) => ({
  parts: {
    candidate: createCandidate(application, columns, sql`${sql.placeholder("slug")}::text`),
    list: listPayload(query, application).getSQL(),
  },
  subject: sql`select from ${application}`,
  current: { etag: sql`(select ${etagOf(sql`list.json::text`)} from list)` },
  refusals: {
    unknown_resource_type: hasUnknownResourceType,
    second_web_process: hasSecondWebProcess,
    no_room_for_key: sql`exists (select from candidate where key is null)`,
  },
  answer: payloadOf(query, candidate, application),
  effects: { created: insertProcess },
  audited: { operation: "create", from: candidate, process: candidate.id, before: sql`null`, after: answerJson },
}));

const updateStatement = defineWrite((query, application) => ({
  target: lockProcess(application, processId),
  parts: {
    before: payloadOf(query, target, application),
    candidate: changeCandidate(columns),
  },
  subject: sql`select from target`,
  reads: sql`${IS_DRY_RUN} or not exists (select from target, candidate where ${isChanged})`,
  current,
  refusals: {
    foreign_fields: sql`${foreignFields} <> '{}'`,
    unknown_resource_type: hasUnknownResourceType,
    manual_scaling_only: scalesByItself,
  },
  fields: foreignFields,
  answer: payloadOf(query, candidate, application),
  effects: { updated: updateProcess },
  audited: {
    operation: "update",
    from: sql`(select target.id, difference.* from target, candidate, before, answer,
      lateral (${differenceOf(beforeJson, answerJson)}) as difference where ${isChanged}) as changed`,
    process: sql`changed.id`,
    before: sql`changed.before`,
    after: sql`changed.after`,
  },
}));

const deleteStatement = defineWrite((query, application) => ({
  target: lockProcess(application, processId),
  parts: { before: payloadOf(query, target, application) },
  subject: sql`select from target`,
  current,
  refusals: { web_process: sql`exists (select from target where type = 'web')` },
  answer: messageOf("Process deleted"),
  effects: { deleted: deleteProcess },
  audited: {
    operation: "delete",
    from: sql`(select target.id, before.body from target, before) as before`,
    process: sql`before.id`,
    before: beforeJson,
    after: sql`null`,
  },
}));

const triggerStatement = defineWrite((_query, application) => ({
  target: lockProcess(application, processId),
  parts: { run: createRun },
  subject: sql`select from target`,
  refusals: { no_cron_process: sql`exists (select from target where type is distinct from 'cron')` },
  answer: messageOf("Cron job triggered"),
  effects: { requested: insertRun },
  audited: {
    operation: "trigger",
    from: sql`run`,
    process: sql`run.process_id`,
    before: sql`null`,
    after: sql`to_jsonb(run)`,
  },
}));

/** What there is at the path of a new process. */
const FIRST_PAGE = { limit: PAGE.defaultLimit, offset: 0 };

interface OfProcess extends OfApplication {
  processId: string;
}

/**
 * Creates a process.
 *
 * @param params `columns` of the table by their names; `slug`, what the key is made of
 * @throws DatabaseError with `mayHaveRun`, if nobody knows whether it took effect
 */
export const createProcessForKey = (
  db: Database,
  { columns, ...params }: OfApplication & { columns: object; slug: string },
) => write(db, createStatement(), { ...params, ...FIRST_PAGE, columns: JSON.stringify(columns) });

/**
 * Changes a process, by its columns by their names.
 *
 * @throws DatabaseError with `mayHaveRun`, if nobody knows whether it took effect
 */
export const updateProcessForKey = (db: Database, { columns, ...params }: OfProcess & { columns: object }) =>
  write(db, updateStatement(), { ...params, columns: JSON.stringify(columns) });

/**
 * Deletes a process, but not the web process.
 *
 * @throws DatabaseError with `mayHaveRun`, if nobody knows whether it took effect
 */
export const deleteProcessForKey = (db: Database, params: OfProcess) => write(db, deleteStatement(), params);

/**
 * Asks for a run of a cron process.
 *
 * @throws DatabaseError with `mayHaveRun`, if nobody knows whether it took effect
 */
export const triggerProcessForKey = (db: Database, params: OfProcess) => write(db, triggerStatement(), params);
