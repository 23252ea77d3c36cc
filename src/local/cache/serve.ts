// Cuts a whole response to a request: all of it, its headers, a part, or word that it has not changed.

/** The parts of a response that a request asks for. */
export interface Ask {
  method: string;
  /** Headers that the cache heeds, by lower-case name. */
  special: ReadonlyMap<string, string>;
}

/** They describe a body, which a 304 has not (RFC 9110, section 15.4.5). */
const BODY_HEADERS = ["content-encoding", "content-language", "content-length", "content-range", "content-type"];

/** entity-tag (RFC 9110, section 8.8.3); commas may be part of one. */
const ENTITY_TAG = /(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

/**
 * Answers from a response.
 *
 * @param head status and headers
 * @param body the whole body; a stream is only ever sent whole
 * @param receivedAt when the response came, in milliseconds since the epoch
 */
export function serve(
  head: Response,
  body: ArrayBuffer | ReadableStream | null,
  ask: Ask,
  receivedAt: number,
): Response {
  if (ask.special.size === 0 && ask.method === "GET") return new Response(body, head);
  if (isNotModified(head, ask, receivedAt)) return answerNotModified(head, body);
  if (ask.method === "HEAD") return answerHead(head, body);
  if (body instanceof ArrayBuffer && wantsRange(ask) && mayBeCut(head)) return answerRange(head, body, ask);
  return new Response(body, head);
}

/** Whether an answer depends on the length of the body. */
export function wantsRange({ method, special }: Ask): boolean {
  return method === "GET" && special.has("range");
}

/**
 * RFC 9111, section 4.3.2, and RFC 9110, section 13: `If-None-Match` hides `If-Modified-Since`, tags compare weakly, and
 * only what would be a success has conditions.
 */
function isNotModified({ headers, ok }: Response, { special }: Ask, receivedAt: number): boolean {
  if (!ok) return false;
  const ifNoneMatch = special.get("if-none-match");
  if (ifNoneMatch !== undefined) return matchesAny(ifNoneMatch, headers.get("etag"));
  const since = Date.parse(special.get("if-modified-since") ?? "");
  return lastModified(headers, receivedAt) <= since;
}

function matchesAny(ifNoneMatch: string, etag: string | null): boolean {
  if (ifNoneMatch.trim() === "*") return true;
  const opaque = etag?.replace(/^W\//, "");
  for (const [, candidate] of ifNoneMatch.matchAll(ENTITY_TAG)) {
    if (candidate === opaque) return true;
  }
  return false;
}

/** `Last-Modified`, else `Date`, else the time of receipt (RFC 9111, section 4.3.2), in whole seconds as HTTP counts. */
function lastModified(headers: Headers, receivedAt: number): number {
  const stated = Date.parse(headers.get("last-modified") ?? headers.get("date") ?? "");
  return Number.isNaN(stated) ? Math.floor(receivedAt / 1_000) * 1_000 : stated;
}

function answerNotModified(head: Response, body: ArrayBuffer | ReadableStream | null): Response {
  discard(body);
  const response = new Response(null, { status: 304, headers: head.headers });
  for (const name of BODY_HEADERS) response.headers.delete(name);
  return response;
}

function answerHead(head: Response, body: ArrayBuffer | ReadableStream | null): Response {
  discard(body);
  const response = new Response(null, head);
  // Not of an encoded body: its length on the wire is for the runtime to know.
  if (body instanceof ArrayBuffer && !head.headers.has("content-encoding")) {
    response.headers.set("content-length", String(body.byteLength));
  }
  return response;
}

/** The runtime may yet encode a body that says so, and a part of it would be encoded by itself. */
function mayBeCut(head: Response): boolean {
  return head.status === 200 && !head.headers.has("content-encoding");
}

/** https://developers.cloudflare.com/workers/cache/configuration/#range-requests */
function answerRange(head: Response, body: ArrayBuffer, ask: Ask): Response {
  const range = ifRangeHolds(head, ask) ? parseRange(ask.special.get("range") ?? "", body.byteLength) : undefined;
  if (range === undefined) return new Response(body, head);
  const satisfiable = range !== "unsatisfiable";
  const response = new Response(satisfiable ? body.slice(range.start, range.end) : null, {
    status: satisfiable ? 206 : 416,
    headers: head.headers,
  });
  response.headers.delete("content-length");
  response.headers.set(
    "content-range",
    satisfiable ? `bytes ${range.start}-${range.end - 1}/${body.byteLength}` : `bytes */${body.byteLength}`,
  );
  return response;
}

/** RFC 9110, section 13.1.5: a strong tag, or the exact date; without a match the whole is sent. */
function ifRangeHolds({ headers }: Response, { special }: Ask): boolean {
  const ifRange = special.get("if-range");
  if (ifRange === undefined) return true;
  return ifRange === headers.get(ifRange.startsWith('"') ? "etag" : "last-modified");
}

/** A part of a body: bytes from `start` up to `end`, not including it. */
interface Range {
  start: number;
  end: number;
}

/**
 * One range in bytes (RFC 9110, section 14.1.2). Lists and other units are ignored, as section 14.2 allows.
 *
 * @returns undefined if the header is to be ignored
 */
function parseRange(header: string, length: number): Range | "unsatisfiable" | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(header.trim()) ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(0, length - Number(last)) : Number(first);
  const end = first === "" || last === "" ? length : Math.min(length, Number(last) + 1);
  return start < end ? { start, end } : "unsatisfiable";
}

function discard(body: ArrayBuffer | ReadableStream | null): void {
  if (body instanceof ReadableStream) void body.cancel();
}
