import { UNCACHEABLE } from "../shared/cache.ts";
import { errorBody, type Failure, outcomeOf } from "../shared/errors.ts";
import { CORS_HEADERS } from "./cors.ts";

/** The answer to a request. Plain data: each call into `Headers` leaves JavaScript and costs about 0.3 µs. */
export interface Answer {
  status: number;
  /** By lower-case name. */
  headers: Record<string, string>;
  body: string | ReadableStream | null;
}

/** Of every response. */
export const COMMON_HEADERS: Record<string, string> = {
  ...CORS_HEADERS,
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "cross-origin",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

export const json = (body: object, status = 200): Answer => ({
  status,
  headers: { "content-type": "application/json", ...UNCACHEABLE },
  body: JSON.stringify(body),
});

/** Answers with the contract's error body. No cache may keep it: `data.code` is the id of this request alone. */
export function answerFailure(failure: Failure, requestId: string): Answer {
  const { status, headers } = outcomeOf(failure);
  const answer = json(errorBody(failure, requestId), status);
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
