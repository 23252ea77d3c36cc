import { validateResponse } from "#openapi";
import type { Permission } from "../db/access.ts";
import type { PayloadRow } from "../db/payload.ts";
import { edgeHeaders, edgeNotFoundHeaders, TAGGED, type Tagged, tagOf, UNCACHEABLE } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";
import { KEY_ID_HEADER, WEAK_DATE_HEADER } from "../shared/internal-headers.ts";
import { log } from "../shared/log.ts";
import type { Validator } from "../shared/operations.ts";
import { logIds } from "../shared/trace.ts";
import type { Call } from "./call.ts";

/** Ids of what an answer depends on, beside the key and its company. */
export type Tags = Partial<Record<Tagged, readonly string[]>>;

interface Read<T> {
  /** The permission that the key needs; null if every live key will do. */
  permission: Permission | null;
  /** The name of the resource, for a 404: `Process`. */
  resource: string;
  /** The things that the answer depends on, whether or not there is a payload. */
  tags: Tags;
  /** Further things that it depends on, read from the payload. */
  tagsIn?(payload: T): Tags;
  /** Other than the policy's. */
  freshWithoutFeedSeconds?: number;
}

/**
 * Answers a read with the payload that a statement has found, its validators and what the edge may do with it.
 *
 * @param row what the statement returned; undefined if no live key asks
 * @throws HttpError `invalid_key`, `missing_permission`, `no_such_resource`; `invalid_row` if the payload breaks the
 *   document: the fields are in the log, and nowhere else
 */
export function answer<T>(call: Call, row: PayloadRow | undefined, read: Read<T>): Response {
  if (row === undefined) throw new HttpError({ reason: "invalid_key" });
  call.note(row);
  const { permission, resource, tags, tagsIn, freshWithoutFeedSeconds } = read;
  const keyHeader = { [KEY_ID_HEADER]: row.keyId };
  if (permission !== null && !row.isPermitted) {
    throw new HttpError({ reason: "missing_permission", permission }, { ...UNCACHEABLE, ...keyHeader });
  }
  const policy = { ...call.config.cache, ...(freshWithoutFeedSeconds !== undefined && { freshWithoutFeedSeconds }) };
  const cacheable = (more: Tags = {}) => ({
    isFeedHealthy: row.isFeedHealthy && call.isPurgeable,
    secondsLeft: row.secondsLeft,
    tags: tagsOf({ key: [row.keyId], company: [row.companyId] }, tags, more),
  });
  if (row.body === null) {
    const headers = { ...edgeNotFoundHeaders(policy, cacheable()), ...keyHeader };
    throw new HttpError({ reason: "no_such_resource", resource }, headers);
  }
  const payload = parseValid<T>(call, row.body, tags);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    etag: `"${row.etag}"`,
    ...edgeHeaders(policy, cacheable(tagsIn?.(payload))),
    ...keyHeader,
  };
  Object.assign(headers, datesOf(row.lastModified));
  // Not the text itself: Postgres keeps `1.0` in jsonb as it was written, and clients read integers.
  return new Response(JSON.stringify(payload), { headers });
}

/** A transaction that takes longer may change something at a moment that has been told already. */
const SETTLED_MS = 60_000;

/**
 * `Last-Modified`: the end of the second of the last change, once it is sure that nothing else changes until then. So whoever
 * has it knows that nothing has changed since (RFC 9110, section 8.8.2.2). Before that it is the second itself, which says no more
 * than that it has changed.
 *
 * @param changedAt in ISO 8601; null if it is not known
 */
export function datesOf(changedAt: string | null): Record<string, string> {
  if (changedAt === null) return {};
  const end = Math.ceil(Date.parse(changedAt) / 1_000) * 1_000;
  if (Date.now() >= end + SETTLED_MS) return { "last-modified": new Date(end).toUTCString() };
  return { "last-modified": new Date(end - 1_000).toUTCString(), [WEAK_DATE_HEADER]: "true" };
}

/** Nothing is trusted because it is ours: a row that breaks the document is a fault, and no payload. */
export function parseValid<T>({ operation, caller }: Call, body: string, tags: Tags): T {
  const payload: unknown = JSON.parse(body);
  const isValid = validateResponse[operation.id] as Validator;
  if (isValid(payload)) return payload as T;
  log("error", "invalid_row", { ...logIds(caller.trace), ...tags, fields: invalidFields(isValid) });
  throw new HttpError({ reason: "invalid_row" });
}

/** The deepest fields that a validator complains about: where branches of a union fail, that of the closest branch. */
function invalidFields({ errors }: Validator): string[] {
  const paths = errors?.map(({ instancePath }) => instancePath.slice(1).replaceAll("/", ".")) ?? [];
  const depth = Math.max(...paths.map((path) => path.split(".").length));
  return [...new Set(paths.filter((path) => path.split(".").length === depth))];
}

export function tagsOf(...sources: readonly Tags[]): string[] {
  const tags = TAGGED.flatMap((kind) => sources.flatMap((ids) => ids[kind]?.map((id) => tagOf(kind, id)) ?? []));
  return [...new Set(tags)];
}
