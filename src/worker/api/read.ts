import { queryForKey } from "../resources/api-key/access.ts";
import { type CachePolicy, edgeHeaders, edgeNotFoundHeaders, SECRET, UNCACHEABLE } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";
import { KEY_ID_HEADER } from "../shared/internal-headers.ts";
import type { Call } from "./call.ts";
import { NEVER_CACHED, type Read } from "./operation.ts";
import { datesOf, parseValid, tagsOf } from "./payload.ts";

/**
 * Sends the statement of a read, and responds with its payload, its validators and what the edge may do with it.
 *
 * @throws HttpError `invalid_key`, `missing_permission`, `no_such_resource`; `invalid_row` if the payload breaks the
 *   document: the fields are in the log, and nowhere else
 */
export async function read(call: Call, { statement, values, tags, tagsIn, freshWithoutFeed }: Read): Promise<Response> {
  const { operation, path, query, config } = call;
  const row = await queryForKey(call.db, statement(), { ...path, ...query, ...values?.(query), ...call.caller });
  if (row === undefined) throw new HttpError({ reason: "invalid_key" });
  call.note(row);
  const keyHeader = { [KEY_ID_HEADER]: row.keyId };
  if (!row.isPermitted) {
    const permission = operation.permission ?? "";
    throw new HttpError({ reason: "missing_permission", permission }, { ...UNCACHEABLE, ...keyHeader });
  }
  const policy: CachePolicy = {
    ...config.cache,
    ...(freshWithoutFeed && { freshWithoutFeedSeconds: config.cache[freshWithoutFeed] }),
    ...(tags === NEVER_CACHED && { freshSeconds: 0 }),
  };
  const cacheable = (payload?: unknown) => ({
    isFeedHealthy: row.isFeedHealthy && call.isPurgeable,
    secondsLeft: row.secondsLeft,
    tags: tagsOf(
      { key: [row.keyId], company: [row.companyId] },
      tags === NEVER_CACHED ? {} : tags(path, row),
      payload === undefined ? {} : (tagsIn?.(payload) ?? {}),
    ),
  });
  if (row.body === null) {
    const headers = { ...edgeNotFoundHeaders(policy, cacheable()), ...keyHeader };
    throw new HttpError({ reason: "no_such_resource", resource: String(operation.resource) }, headers);
  }
  const payload = parseValid(call, row.body, row);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    etag: `"${row.etag}"`,
    ...(tags === NEVER_CACHED ? SECRET : edgeHeaders(policy, cacheable(payload))),
    ...keyHeader,
  };
  Object.assign(headers, datesOf(row.lastModified));
  // Not the text itself: Postgres keeps `1.0` in jsonb as it was written, and clients read integers.
  return new Response(JSON.stringify(payload), { headers });
}
