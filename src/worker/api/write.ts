import { UNCACHEABLE } from "../shared/cache.ts";
import { type Failure, HttpError } from "../shared/errors.ts";
import { KEY_ID_HEADER, PURGED_HEADER } from "../shared/internal-headers.ts";
import { type CommonRefusal, write as send, type WriteRequest, type WriteRow } from "../statements/write.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { OVERLOADED_RETRY_AFTER_SECONDS } from "./failure.ts";
import type { Tags, Write } from "./operation.ts";
import { datesOf, parseValid, tagsOf } from "./payload.ts";

/**
 * Reads what is sent, writes it, purges what depends on it, and responds with what there is now.
 *
 * @throws HttpError `invalid_body`, `invalid_fields`, `invalid_key`, `missing_permission`, `no_such_resource`,
 *   `precondition_failed`, `idempotency_key_reused`, `write_quota_reached`, what `failureOf` makes of other refusals: nothing was
 *   written then; `invalid_row` if the payload breaks the document
 */
export async function write(call: Call, operation: Write): Promise<Response> {
  const { statements, canonical = (body) => body, values, tags } = operation;
  const body = call.operation.bodyFields === undefined ? null : canonical(await readBody(call, operation));
  const all = { id: "", ...call.path, ...(body !== null && values?.(body)), ...requestOf(call, body), ...call.caller };
  const row = await send(call.db, statements(), all);
  if (row === undefined) throw new HttpError({ reason: "invalid_key" });
  call.note(row);
  const keyHeader = { [KEY_ID_HEADER]: row.keyId };
  const failure = failureIn(call, row, operation);
  if (failure !== undefined) throw new HttpError(failure, { ...UNCACHEABLE, ...keyHeader });
  const payload = parseValid(call, row.body, row);
  const headers: Record<string, string> = { "content-type": "application/json", ...UNCACHEABLE, ...keyHeader };
  if (row.etag !== null) headers.etag = `"${row.etag}"`;
  Object.assign(headers, datesOf(row.lastModified));
  if (row.isReplay) headers["idempotent-replayed"] = "true";
  if (row.isEffective || row.isReplay) headers[PURGED_HEADER] = String(await purge(call, row, tags(call.path)));
  return new Response(JSON.stringify(payload), { headers });
}

function requestOf({ target, headers, query, config }: Call, content: unknown): WriteRequest {
  const { idempotencyKey, conditions } = headers;
  return {
    operation: target,
    idempotencyKey,
    content: canonicalJson(content),
    conditions,
    dryRun: query.dry_run === true,
    dailyBytes: config.keyDailyWriteBytes,
  };
}

/** The same text for the same members, in whatever order they are. The body is valid, and so not deep. */
const canonicalJson = (content: unknown): string =>
  JSON.stringify(content, (_, value: unknown) => {
    const isPlain = typeof value === "object" && value !== null && !Array.isArray(value);
    return isPlain ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;
  });

function failureIn(
  { config, operation }: Call,
  { isPermitted, refusal, fields, secondsLeftToday }: WriteRow<string>,
  { failureOf }: Write,
): Failure | undefined {
  if (!isPermitted) return { reason: "missing_permission", permission: operation.permission ?? "" };
  switch (refusal as CommonRefusal | null) {
    case null:
      return undefined;
    case "overtaken":
      return { reason: "overloaded", retryAfterSeconds: OVERLOADED_RETRY_AFTER_SECONDS };
    case "absent":
      return { reason: "no_such_resource", resource: String(operation.resource) };
    case "unreadable":
      return { reason: "missing_permission", permission: "APP:READ" };
    case "changed":
      return { reason: "precondition_failed" };
    case "idempotency_key_reused":
      return { reason: "idempotency_key_reused" };
    case "write_quota_reached":
      return { reason: "write_quota_reached", bytes: config.keyDailyWriteBytes, retryAfterSeconds: secondsLeftToday };
    default:
      return failureOf(String(refusal), fields ?? []) ?? { reason: "unexpected" };
  }
}

/** The feed makes good what is not purged here: the change is in its outbox. */
async function purge(call: Call, { isEffective, isPurgeAffordable }: WriteRow<string>, tags: Tags): Promise<boolean> {
  return isEffective && isPurgeAffordable && (await call.purge(tagsOf(tags)));
}
