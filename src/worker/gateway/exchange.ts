// What stands around every request: its id, the bounds on what it may send, the choice by method, and in the end its data point, its
// line in the log and its response.
import type { Context } from "hono";
import { KEYLESS, UNMATCHED, writeDataPoint } from "../shared/analytics.ts";
import { ConfigError, readConfig } from "../shared/config.ts";
import { type Failure, HttpError } from "../shared/errors.ts";
import { REQUEST_ID_HEADER } from "../shared/internal-headers.ts";
import { ADDRESS_LIMIT, MAX_HEADER_BYTES, MAX_URL_BYTES } from "../shared/limits.ts";
import { describeError, log } from "../shared/log.ts";
import { logIds, type QueryCost } from "../shared/trace.ts";
import { type Answer, answerFailure, COMMON_HEADERS } from "./answer.ts";
import { ApiFailure } from "./api.ts";
import { pageOf } from "./docs.ts";
import { addressBudget, spend } from "./rate-limits.ts";
import { RefusalSampler } from "./refusals.ts";
import { readTraceId } from "./traceparent.ts";

export interface GatewayEnv {
  Bindings: Env;
}

type BoundedHeader = keyof typeof MAX_HEADER_BYTES;

/**
 * A request on its way through the gateway. Its times are in milliseconds. The clock of a Worker stands still while it computes,
 * and moves with each I/O: what is told is the time for which a request has waited, not its CPU.
 *
 * @see https://developers.cloudflare.com/workers/runtime-apis/performance/ (read 2026-11-25)
 */
export class Exchange {
  readonly context: Context<GatewayEnv>;
  /** Of the path; undefined if there is no such endpoint. */
  readonly template: string | undefined;
  readonly requestId = crypto.randomUUID();
  readonly traceId: string | undefined;
  /** What the client has sent of the headers that are bounded. */
  readonly sent: { [Name in BoundedHeader]?: string } = {};
  readonly startedAt = Date.now();
  /** When the Api was asked, and when it answered. */
  askedAt: number | undefined;
  answeredAt: number | undefined;
  /** Absent if no query was made for this request. */
  query: QueryCost | undefined;
  /** `Cf-Cache-Status` in lower case; undefined if no cache was asked. */
  cacheStatus: string | undefined;
  keyId: string | undefined;

  constructor(context: Context<GatewayEnv>, template: string | undefined) {
    this.context = context;
    this.template = template;
    const traceparent = this.request.headers.get("traceparent");
    this.traceId = traceparent === null ? undefined : readTraceId(traceparent);
  }

  get request(): Request {
    return this.context.req.raw;
  }

  get env(): Env {
    return this.context.env;
  }

  get exports(): ExecutionContext["exports"] {
    return (this.context.executionCtx as ExecutionContext).exports;
  }

  /**
   * The value of `Server-Timing`: `key` until the Api is asked, or until the answer where it is not, `query` for the
   * database, and `cache` for what remains of the Api's answer.
   *
   * @see https://www.w3.org/TR/server-timing/
   */
  get serverTiming(): string {
    const { query, startedAt, askedAt, answeredAt } = this;
    const key = `key;dur=${(askedAt ?? Date.now()) - startedAt}`;
    if (askedAt === undefined || answeredAt === undefined) return key;
    const cache = `${key}, cache;dur=${Math.max(0, answeredAt - askedAt - (query?.durationMs ?? 0))}`;
    return query === undefined ? cache : `${cache}, query;dur=${query.durationMs}`;
  }
}

export type Handler = (exchange: Exchange) => Answer | Promise<Answer>;

/** What there is at a path. */
export interface Endpoint {
  template: string;
  /** By method. That of GET answers HEAD, too: Hono drops the body. */
  handlers: ReadonlyMap<string, Handler>;
}

const refusals = new RefusalSampler();

/** Where a request begins and ends. No answer leaves without its id, its headers, its data point and its line in the log. */
export const handle =
  (endpoint?: Endpoint) =>
  async (context: Context<GatewayEnv>): Promise<Response> => {
    const exchange = new Exchange(context, endpoint?.template);
    let failure: Failure | undefined;
    let answer: Answer;
    try {
      readConfig(exchange.env);
      refuseAbsurd(exchange);
      // Before any key is looked at: a flood of keys that nobody has must not reach the database. Cloudflare tells the address of
      // every client; without it, this is not Cloudflare.
      const address = exchange.request.headers.get("cf-connecting-ip");
      if (address !== null) await spend(ADDRESS_LIMIT, exchange.env, addressBudget(address));
      answer = await answerByMethod(exchange, endpoint);
    } catch (error) {
      failure = failureBehind(error, exchange);
      answer = (await pageOf(failure, exchange.context)) ?? answerFailure(failure, exchange.requestId);
      answer.headers["error-reason"] = failure.reason;
      if (error instanceof ApiFailure && error.cacheStatus) answer.headers["cache-status"] = error.cacheStatus;
      logFailure(exchange, answer, failure);
    }
    count(exchange, answer, failure);
    const { status, headers, body } = answer;
    return new Response(body, {
      status,
      // An answer's own header stands before a common one: the documentation has a policy of its own.
      headers: {
        ...COMMON_HEADERS,
        ...headers,
        [REQUEST_ID_HEADER]: exchange.requestId,
        "server-timing": exchange.serverTiming,
      },
    });
  };

const BOUNDED_HEADERS = Object.entries(MAX_HEADER_BYTES) as [BoundedHeader, number][];

function refuseAbsurd({ request: { url, headers }, sent }: Exchange): void {
  // Past the scheme and the authority, whose length is not the client's to choose.
  if (url.length - url.indexOf("/", "https://".length) > MAX_URL_BYTES) {
    throw new HttpError({ reason: "uri_too_long", maxBytes: MAX_URL_BYTES });
  }
  for (const [header, maxBytes] of BOUNDED_HEADERS) {
    const value = headers.get(header);
    if (value === null) continue;
    if (value.length > maxBytes) throw new HttpError({ reason: "header_too_large", header, maxBytes });
    sent[header] = value;
  }
}

function answerByMethod(exchange: Exchange, endpoint: Endpoint | undefined): Answer | Promise<Answer> {
  if (endpoint === undefined) throw new HttpError({ reason: "no_such_endpoint" });
  const { method } = exchange.request;
  const handler = endpoint.handlers.get(method === "HEAD" ? "GET" : method);
  if (handler === undefined)
    throw new HttpError({ reason: "method_not_allowed", allowed: allowedBy(endpoint.handlers) });
  return handler(exchange);
}

/** The value of `Allow`. */
export const allowedBy = (handlers: ReadonlyMap<string, unknown>): string[] =>
  [...handlers.keys()].flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method));

function failureBehind(error: unknown, { requestId, traceId }: Exchange): Failure {
  if (error instanceof HttpError) return error.failure;
  const ids = logIds({ requestId, traceId });
  if (error instanceof ConfigError) {
    log("error", "misconfigured", { ...ids, settings: error.message });
    return { reason: "misconfigured" };
  }
  log("error", "unexpected_error", { ...ids, ...describeError(error) });
  return { reason: "unexpected" };
}

/** All of what is our fault, and a sample of what is the client's. */
function logFailure(exchange: Exchange, { status, headers }: Answer, { reason }: Failure): void {
  const leftOut = status < 500 ? refusals.admit(reason) : 0;
  if (leftOut === undefined) return;
  log(status < 500 ? "info" : "error", "request", {
    ...logIds(exchange),
    route: exchange.template,
    method: exchange.request.method,
    status,
    reason,
    keyId: exchange.keyId,
    cacheStatus: headers["cache-status"],
    durationMs: Date.now() - exchange.startedAt,
    leftOut: leftOut === 0 ? undefined : leftOut,
  });
}

function count(exchange: Exchange, { status }: Answer, failure?: Failure): void {
  const { env, request } = exchange;
  writeDataPoint(env, {
    keyId: exchange.keyId ?? KEYLESS,
    route: exchange.template ?? UNMATCHED,
    method: request.method,
    statusClass: `${Math.floor(status / 100)}xx`,
    cacheStatus: exchange.cacheStatus ?? "none",
    reason: failure?.reason ?? "",
    version: env.CF_VERSION_METADATA?.id,
    dataCentre: request.cf?.colo as string | undefined,
    status,
    durationMs: Date.now() - exchange.startedAt,
    queryMs: exchange.query?.durationMs,
    attempts: exchange.query?.attempts,
  });
}
