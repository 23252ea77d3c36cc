import { EVERY, type PurgeResult, type Tagged, tagOf } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";
import { PURGES } from "../shared/limits.ts";
import { isUuid } from "../shared/uuid.ts";

/** Until the platform's bucket has a token again. */
export const RETRY_AFTER_SECONDS = 60 / PURGES.callsPerMinute;

/** 1134 is what Cloudflare's API for purges says. No page lists the codes of `ctx.cache.purge`. */
const RATE_LIMIT_CODES = [1134, 429];

/** Members of the body, each a list of ids. */
const KIND_OF = {
  companies: "company",
  applications: "application",
  processes: "process",
  keys: "key",
  resource_types: "resource-type",
} satisfies Record<string, Tagged>;

/**
 * Ends the reuse of everything that depends on what a control plane has changed.
 *
 * @param body names what has changed: `{ "applications": ["…"], "keys": ["…"] }`
 * @param purge of the entrypoint whose cache it is
 * @returns the tags that were purged. Typically they are gone everywhere within 150 ms; nothing confirms it
 * @throws HttpError `invalid_body`, `purge_limited`, `purge_failed`; nothing was purged then
 */
export async function purgeChanged(body: string, purge: (tags: string[]) => Promise<PurgeResult>): Promise<string[]> {
  const tags = tagsOf(body);
  const { success, errors } = await purge(tags);
  if (success) return tags;
  const isLimited = errors.some(({ code, message }) => RATE_LIMIT_CODES.includes(code) || /rate.?limit/i.test(message));
  throw new HttpError(
    isLimited ? { reason: "purge_limited", retryAfterSeconds: RETRY_AFTER_SECONDS } : { reason: "purge_failed" },
  );
}

function tagsOf(body: string): string[] {
  const tags = new Set<string>();
  for (const [field, ids] of Object.entries(parseObject(body))) {
    if (!Object.hasOwn(KIND_OF, field)) throw invalidBody(SHAPE);
    if (!Array.isArray(ids)) throw invalidBody(`a list of ids at ${field}`);
    const kind = KIND_OF[field as keyof typeof KIND_OF];
    for (const [index, id] of ids.entries()) {
      if (typeof id !== "string" || !isUuid(id)) throw invalidBody(`a UUID at ${field}.${index}`);
      tags.add(tagOf(kind, id.toLowerCase()));
      // The list of all machine sizes does not carry the tag of a new one.
      if (kind === "resource-type") tags.add(tagOf("resource-type-list", EVERY));
    }
  }
  if (tags.size === 0) throw invalidBody("at least one id");
  if (tags.size > PURGES.maxTagsPerCall) {
    throw invalidBody(`at most ${PURGES.maxTagsPerCall} different ids; send the others in a second call`);
  }
  return [...tags];
}

function parseObject(body: string): object {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw invalidBody("JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalidBody(SHAPE);
  return value;
}

const SHAPE = `an object of lists of ids: ${Object.keys(KIND_OF).join(", ")}`;

const invalidBody = (expected: string): HttpError => new HttpError({ reason: "invalid_body", expected });
