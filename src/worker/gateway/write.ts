import { operations } from "#openapi";
import { writeHeaders } from "../shared/cache.ts";
import { FEED_BOUND_MS, readConfig, slowMissMs } from "../shared/config.ts";
import { type Failure, HttpError } from "../shared/errors.ts";
import { CONDITIONS_HEADER, PURGED_HEADER } from "../shared/internal-headers.ts";
import { IDEMPOTENCY_KEY_EXPECTED, IDEMPOTENCY_KEY_PATTERN, MAX_BODY_BYTES, WRITE_LIMIT } from "../shared/limits.ts";
import type { Operation } from "../shared/operations.ts";
import type { Answer } from "./answer.ts";
import { type Ask, ask, failureIn } from "./api.ts";
import { readKeyHash } from "./bearer.ts";
import { canonicalUrl } from "./canonical-url.ts";
import { readConditions } from "./conditional.ts";
import type { Exchange } from "./exchange.ts";
import { ownWrites } from "./own-writes.ts";
import { limitHeaders, spend } from "./rate-limits.ts";
import { readJson } from "./request-body.ts";

const LIMIT_HEADERS = limitHeaders(WRITE_LIMIT);
/** What every live key may ask for. */
const VALIDATE = operations.find(({ id }) => id === "validateApiKeyV3") as Operation;

/** Answers POST, PATCH and DELETE, past the cache. */
export const write =
  (operation: Operation) =>
  async (exchange: Exchange): Promise<Answer> => {
    const { context, env, request, sent } = exchange;
    const keyHash = await readKeyHash(sent.authorization);
    await spend(WRITE_LIMIT, env, keyHash);
    try {
      const idempotencyKey = readIdempotencyKey(request.headers);
      const headers = {
        ...(idempotencyKey !== null && { "idempotency-key": idempotencyKey }),
        [CONDITIONS_HEADER]: JSON.stringify(readConditions(sent)),
      };
      const body = operation.bodyFields ? await readJson(context, MAX_BODY_BYTES) : null;
      const url = canonicalUrl(operation, context.req.path, request.url);
      return await send(exchange, { operation, keyHash, url, headers, body, isCached: false });
    } catch (error) {
      if (isAboutContent(error)) await requireKey(exchange, keyHash);
      throw error;
    }
  };

async function send(exchange: Exchange, asked: Ask): Promise<Answer> {
  const response = await ask(exchange, asked);
  const headers = writeHeaders(response.headers);
  if (!response.ok) throw await failureIn(response, headers["cache-status"]);
  const purged = response.headers.get(PURGED_HEADER);
  if (purged !== null) {
    ownWrites.add(asked.keyHash, purged === "true" ? slowMissMs(readConfig(exchange.env)) : FEED_BOUND_MS);
  }
  return { status: 200, headers: { ...headers, ...LIMIT_HEADERS }, body: response.body };
}

const ABOUT_CONTENT: readonly Failure["reason"][] = [
  "invalid_header",
  "invalid_body",
  "invalid_fields",
  "body_too_large",
  "unsupported_media_type",
  "unsupported_content_coding",
];
const isAboutContent = (error: unknown): boolean =>
  error instanceof HttpError && ABOUT_CONTENT.includes(error.failure.reason);

/** A stranger is told that, and nothing of what was sent. @throws ApiFailure if the Api has not found the key */
async function requireKey(exchange: Exchange, keyHash: string): Promise<void> {
  if (exchange.keyId !== undefined) return;
  const url = VALIDATE.template;
  const response = await ask(exchange, { operation: VALIDATE, keyHash, url, isCached: false });
  if (!response.ok) throw await failureIn(response, writeHeaders(response.headers)["cache-status"]);
}

const PATTERN = new RegExp(IDEMPOTENCY_KEY_PATTERN);

/**
 * Reads `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header). It is compared as it is written, quotes included.
 *
 * @returns null if there is none. An empty value or string is none: forms and importers send the header of a field that nobody
 *   filled in
 * @throws HttpError `invalid_header`
 */
function readIdempotencyKey(headers: Headers): string | null {
  const key = headers.get("idempotency-key");
  if (key === null || key === "" || key === '""') return null;
  if (PATTERN.test(key)) return key;
  throw new HttpError({ reason: "invalid_header", header: "Idempotency-Key", expected: IDEMPOTENCY_KEY_EXPECTED });
}
