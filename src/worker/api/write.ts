import type { CommonRefusal, WriteRequest, WriteRow } from "../db/write.ts";
import { UNCACHEABLE } from "../shared/cache.ts";
import { entityTagsIn } from "../shared/entity-tag.ts";
import { type Failure, HttpError } from "../shared/errors.ts";
import { KEY_ID_HEADER, PURGED_HEADER } from "../shared/internal-headers.ts";
import { parseValid, type Tags, tagsOf } from "./answer.ts";
import type { Call } from "./call.ts";

interface Write<Refusal extends string> {
  /** The name of the resource, for a failure: `Process`. */
  resource: string;
  /** What is sent, beside the path: the same `Idempotency-Key` must come with the same again. */
  content: unknown;
  send(request: WriteRequest): Promise<WriteRow<Refusal> | undefined>;
  /** The failure that a refusal is answered with. */
  failureOf(refusal: Refusal, fields: readonly string[]): Failure;
  /** What cached answers show of that which has changed. */
  tagsIn(payload: unknown): Tags;
}

/**
 * Writes, purges what depends on it, and answers with what there is now.
 *
 * @throws HttpError `invalid_key`, `missing_permission`, `no_such_resource`, `precondition_failed`, `idempotency_key_reused`,
 *   what `failureOf` makes of other refusals: nothing was written then; `invalid_row` if the payload breaks the document
 */
export async function answerWrite<Refusal extends string>(call: Call, write: Write<Refusal>): Promise<Response> {
  const row = await write.send(requestOf(call, write.content));
  if (row === undefined) throw new HttpError({ reason: "invalid_key" });
  call.recordUse(row);
  const keyHeader = { [KEY_ID_HEADER]: row.keyId };
  const failure = failureIn(row, write);
  if (failure !== undefined) throw new HttpError(failure, { ...UNCACHEABLE, ...keyHeader });
  const payload = parseValid(call, row.body, {});
  const headers: Record<string, string> = { "content-type": "application/json", ...UNCACHEABLE, ...keyHeader };
  if (row.etag !== null) headers.etag = `"${row.etag}"`;
  if (row.lastModified !== null) headers["last-modified"] = new Date(row.lastModified).toUTCString();
  if (row.isReplay) headers["idempotent-replayed"] = "true";
  if (row.isEffective || row.isReplay) headers[PURGED_HEADER] = String(await purge(call, row, write.tagsIn(payload)));
  return new Response(JSON.stringify(payload), { headers });
}

function requestOf({ target, headers, query }: Call, content: unknown): WriteRequest {
  const { idempotencyKey, ifMatch } = headers;
  const tags = ifMatch === null ? "*" : entityTagsIn(ifMatch);
  return {
    operation: target,
    idempotencyKey,
    content: JSON.stringify(content),
    // Without a condition, or with this one, it is enough that the process exists.
    ifMatch: tags === "*" ? null : tags,
    dryRun: query.dry_run === true,
  };
}

function failureIn<Refusal extends string>(
  { isPermitted, refusal, fields }: WriteRow<Refusal>,
  { resource, failureOf }: Write<Refusal>,
): Failure | undefined {
  if (!isPermitted) return { reason: "missing_permission", permission: "APP:UPDATE" };
  switch (refusal) {
    case null:
      return undefined;
    case "absent":
      return { reason: "no_such_resource", resource };
    case "changed":
      return { reason: "precondition_failed", resource };
    case "idempotency_key_reused":
      return { reason: "idempotency_key_reused" };
    default:
      return failureOf(refusal as Exclude<Refusal, CommonRefusal>, fields ?? []);
  }
}

/** The feed makes good what is not purged here: the change is in its outbox. */
async function purge(call: Call, { isEffective, isPurgeAffordable }: WriteRow<string>, tags: Tags): Promise<boolean> {
  return isEffective && isPurgeAffordable && (await call.purge(tagsOf(tags)));
}
