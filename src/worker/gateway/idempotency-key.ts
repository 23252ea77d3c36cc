import { HttpError } from "../shared/errors.ts";
import { IDEMPOTENCY_KEY_EXPECTED, IDEMPOTENCY_KEY_PATTERN } from "../shared/limits.ts";

const PATTERN = new RegExp(IDEMPOTENCY_KEY_PATTERN);

/**
 * Reads `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header). It is compared as it is written, quotes included.
 *
 * @returns null if there is none. An empty value or string is none: forms and importers send the header of a field that nobody
 *   filled in
 * @throws HttpError `invalid_header`
 */
export function readIdempotencyKey(headers: Headers): string | null {
  const key = headers.get("idempotency-key");
  if (key === null || key === "" || key === '""') return null;
  if (PATTERN.test(key)) return key;
  throw new HttpError({ reason: "invalid_header", header: "Idempotency-Key", expected: IDEMPOTENCY_KEY_EXPECTED });
}
