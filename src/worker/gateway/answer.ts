// The last word on an answer: what the gateway adds to all of them, and the response made of it at once.
import { UNCACHEABLE } from "../shared/cache.ts";
import { errorBody, type Failure, outcomeOf } from "../shared/errors.ts";
import { REQUEST_ID_HEADER } from "../shared/internal-headers.ts";
import { CORS_HEADERS } from "./cors.ts";

/** The answer to a request. Plain data: each call into `Headers` leaves JavaScript and costs about 0.3 µs. */
export interface Answer {
  status: number;
  /** By lower-case name. */
  headers: Record<string, string>;
  body: string | ReadableStream | null;
}

export const COMMON_HEADERS: Record<string, string> = {
  ...CORS_HEADERS,
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "cross-origin",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

/** Makes the response. An answer's own header stands before a common one: the documentation has a policy of its own. */
export function toResponse({ status, headers, body }: Answer, requestId: string, serverTiming: string): Response {
  return new Response(body, {
    status,
    headers: { ...COMMON_HEADERS, ...headers, [REQUEST_ID_HEADER]: requestId, "server-timing": serverTiming },
  });
}

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
