import type { z } from "@hono/zod-openapi";
import type { TypedResponse } from "hono";
import type { Access } from "../db/access.ts";
import { type Cacheable, edgeHeaders, edgeNotFoundHeaders, TAGGED, type Tagged, tagOf } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";
import { KEY_ID_HEADER, REQUEST_ID_HEADER } from "../shared/internal-headers.ts";
import { log } from "../shared/log.ts";
import type { ApiContext } from "./context.ts";

/** What an answer was made of. */
export interface Sources {
  access: Access;
  /** Ids of what it depends on, beside the key and its company. */
  tagged: Partial<Record<Tagged, readonly string[]>>;
}

interface Freshness {
  /** When the newest of its sources changed, in ISO 8601; absent if a change may leave no later moment behind. */
  lastModified?: string;
  /** Other than the policy's. */
  freshSeconds?: number;
}

/**
 * Answers 200 with a payload that is valid by its schema, its validators and what the edge may do with it.
 *
 * @throws HttpError `invalid_row` if the payload breaks the schema; the fields are in the log, and nowhere else
 */
export async function answer<T extends z.ZodType>(
  c: ApiContext,
  schema: T,
  payload: unknown,
  { lastModified, freshSeconds, ...sources }: Sources & Freshness,
): Promise<TypedResponse<z.output<T>, 200, "json">> {
  const result = schema.safeParse(payload);
  if (!result.success) {
    const fields = result.error.issues.flatMap((issue) => fieldsOf(issue));
    log("error", "invalid_row", { requestId: c.req.header(REQUEST_ID_HEADER), ...sources.tagged, fields });
    throw new HttpError({ reason: "invalid_row" });
  }
  const policy = { ...c.env.config.cache, ...(freshSeconds !== undefined && { freshSeconds }) };
  const response = await jsonResponse(JSON.stringify(result.data), {
    ...(lastModified !== undefined && { "last-modified": new Date(lastModified).toUTCString() }),
    ...edgeHeaders(policy, cacheable(sources)),
    [KEY_ID_HEADER]: sources.access.keyId,
  });
  // Hono's types want to see `c.json()`, which would serialise the payload once more.
  return response as unknown as TypedResponse<z.output<T>, 200, "json">;
}

/** The deepest fields that an issue is about; of a union's branches those of the one that got furthest. */
function fieldsOf({ path, ...issue }: z.core.$ZodIssue): string[] {
  const branches = issue.code === "invalid_union" ? issue.errors : [];
  const nested = branches.flat().filter((inner) => inner.path.length > 0);
  if (nested.length === 0) return [path.join(".")];
  return nested.flatMap((inner) => fieldsOf({ ...inner, path: [...path, ...inner.path] }));
}

/** To be thrown when what was asked for does not exist, or not for this key. */
export function notFound(c: ApiContext, resource: string, sources: Sources): HttpError {
  return new HttpError(
    { reason: "no_such_resource", resource },
    { ...edgeNotFoundHeaders(c.env.config.cache, cacheable(sources)), [KEY_ID_HEADER]: sources.access.keyId },
  );
}

function cacheable({ access, tagged }: Sources): Cacheable {
  const ids: Sources["tagged"] = { ...tagged, key: [access.keyId], company: [access.companyId] };
  const tags = TAGGED.flatMap((kind) => ids[kind]?.map((id) => tagOf(kind, id)) ?? []);
  return { secondsLeft: access.secondsLeft, tags: [...new Set(tags)] };
}

/** JSON with a strong ETag: 128 bits of the SHA-256 of its bytes (RFC 9110, section 8.8.3). */
export async function jsonResponse(text: string, headers: Record<string, string>): Promise<Response> {
  const body = new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
  const digest = await crypto.subtle.digest("SHA-256", body);
  const etag = `"${new Uint8Array(digest, 0, 16).toHex()}"`;
  return new Response(body, { headers: { "content-type": "application/json", etag, ...headers } });
}
