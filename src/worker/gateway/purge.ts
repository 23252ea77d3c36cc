import { z } from "zod";
import { EVERY, type Tagged, tagOf } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";

/**
 * Tags that one call to the platform takes.
 *
 * @see https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits
 */
export const MAX_TAGS = 100;
const MAX_BODY_BYTES = 16_384;
/** On any plan, Workers Caching has the limits of the free one: 5 calls a minute, 25 at once. */
export const RETRY_AFTER_SECONDS = 12;

const ids = z.array(z.uuid({ error: "a UUID" }).toLowerCase(), { error: "a list of ids" }).optional();

const purgeRequest = z.strictObject(
  {
    companies: ids,
    applications: ids,
    processes: ids,
    keys: ids,
    resource_types: ids,
  },
  { error: "an object of lists of ids: companies, applications, processes, keys, resource_types" },
);

type PurgeRequest = z.infer<typeof purgeRequest>;

const KIND_OF: Record<keyof PurgeRequest, Tagged> = {
  companies: "company",
  applications: "application",
  processes: "process",
  keys: "key",
  resource_types: "resource-type",
};

/** What the platform answers to a purge. */
interface PurgeResult {
  success: boolean;
  errors: readonly { code: number; message: string }[];
}

/**
 * Ends the reuse of all that depends on what a control plane has changed.
 *
 * @param request its body names what has changed: `{ "applications": ["…"], "keys": ["…"] }`
 * @param purge of the entrypoint whose cache it is
 * @returns the tags that were purged, everywhere, within about 150 ms
 * @throws HttpError `invalid_body`, `body_too_large`, `purge_limited`, `purge_failed`; nothing was purged then
 */
export async function purgeChanged(
  request: Request,
  purge: (tags: string[]) => Promise<PurgeResult>,
): Promise<string[]> {
  const tags = tagsOf(parseBody(await readBody(request)));
  const { success, errors } = await purge(tags);
  if (success) return tags;
  // The codes are not documented; of what the messages say, only this much is.
  const isLimited = errors.some(({ code, message }) => code === 429 || /rate.?limit/i.test(message));
  throw new HttpError(
    isLimited ? { reason: "purge_limited", retryAfterSeconds: RETRY_AFTER_SECONDS } : { reason: "purge_failed" },
  );
}

async function readBody(request: Request): Promise<string> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  const body = announced > MAX_BODY_BYTES ? undefined : await request.arrayBuffer();
  if (body === undefined || body.byteLength > MAX_BODY_BYTES) {
    throw new HttpError({ reason: "body_too_large", maxBytes: MAX_BODY_BYTES });
  }
  return new TextDecoder().decode(body);
}

function parseBody(body: string): PurgeRequest {
  const result = purgeRequest.safeParse(parseJson(body));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".");
  throw invalidBody(field ? `${issue?.message} at ${field}` : String(issue?.message));
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw invalidBody("JSON");
  }
}

function tagsOf(changed: PurgeRequest): string[] {
  const tags = new Set<string>();
  for (const [field, kind] of Object.entries(KIND_OF) as [keyof PurgeRequest, Tagged][]) {
    for (const id of changed[field] ?? []) {
      tags.add(tagOf(kind, id));
      // The list of them all does not carry the tag of one that is new.
      if (kind === "resource-type") tags.add(tagOf(kind, EVERY));
    }
  }
  if (tags.size === 0) throw invalidBody("at least one id");
  if (tags.size > MAX_TAGS) throw invalidBody(`at most ${MAX_TAGS} different ids; send the others in a second call`);
  return [...tags];
}

const invalidBody = (expected: string): HttpError => new HttpError({ reason: "invalid_body", expected });
