import { eq, type SQL, sql } from "drizzle-orm";
import type { QueryBuilder } from "drizzle-orm/pg-core";
import { latest } from "../../db/expressions.ts";
import { differenceOf, etagOf } from "../../db/json.ts";
import { defineWrite, IS_DRY_RUN, messageOf } from "../../statements/write.ts";
import type { OwnApplication } from "../application/rows.ts";
import { processResourceTypes } from "../process-resource-type/rows.ts";
import { ONLY_FOR } from "./fields.ts";
import { listPayload, processJson } from "./reads.ts";
import type { Refusal } from "./refusals.ts";
import {
  candidate,
  changeCandidate,
  createCandidate,
  deleteProcess,
  hasSecondWebProcess,
  hasUnknownResourceType,
  insertProcess,
  isChanged,
  lockProcess,
  target,
  updateProcess,
} from "./rows.ts";

/** What a client sends, as columns by their names, in JSON. */
const columns = sql`${sql.placeholder("columns")}::jsonb`;
const processId = sql`${sql.placeholder("process_id")}::uuid`;

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

export const createStatement = defineWrite<Refusal>((query, application) => ({
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

export const updateStatement = defineWrite<Refusal>((query, application) => ({
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

export const deleteStatement = defineWrite<Refusal>((query, application) => ({
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
