// The Worker's front: everything that a request passes on the way to the cached Api, and the answer on the way back.
import { type Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { operations } from "#openapi";
import { KEYLESS, UNMATCHED, writeDataPoint } from "../shared/analytics.ts";
import { clientHeaders, UNCACHEABLE, writeHeaders } from "../shared/cache.ts";
import { ConfigError, FEED_BOUND_MS, readConfig, slowMissMs } from "../shared/config.ts";
import { acceptedBy, type Failure, HttpError } from "../shared/errors.ts";
import {
  CONDITIONS_HEADER,
  KEY_HASH_HEADER,
  KEY_ID_HEADER,
  OPERATION_HEADER,
  PURGED_HEADER,
  WEAK_DATE_HEADER,
} from "../shared/internal-headers.ts";
import {
  ADDRESS_LIMIT,
  KEY_LIMIT,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_PURGE_BODY_BYTES,
  MAX_URL_BYTES,
  PURGE_LIMIT,
  WRITE_LIMIT,
} from "../shared/limits.ts";
import { describeError, log, logOncePerMinute } from "../shared/log.ts";
import type { Operation } from "../shared/operations.ts";
import { logIds, type Trace, traceHeaders } from "../shared/trace.ts";
import { type Answer, answerFailure, json, toResponse } from "./answer.ts";
import { ALIASES, ASSET_PATHS, readAsset, readNotFoundPage, redirectAlias, redirectToDocs } from "./assets.ts";
import { hashToken, holdsSecret, readApiKey } from "./bearer.ts";
import { readJson, readText } from "./body.ts";
import { canonicalUrl } from "./canonical-url.ts";
import { evaluate, passesCache, readConditions } from "./conditional.ts";
import { preflightHeaders } from "./cors.ts";
import { readIdempotencyKey } from "./idempotency-key.ts";
import { addressBudget, limitHeaders, spend } from "./limits.ts";
import { OwnWrites } from "./own-writes.ts";
import { purgeChanged } from "./purge.ts";
import { RefusalSampler } from "./refusals.ts";
import { Timing } from "./timing.ts";
import { readTraceId } from "./traceparent.ts";

interface GatewayEnv {
  Bindings: Env;
  Variables: { requestId: string; trace: Trace; timing: Timing; template?: string; keyId?: string };
}
type GatewayContext = Context<GatewayEnv>;
type Handler = (c: GatewayContext) => Answer | Promise<Answer>;

const PURGE_PATH = "/ops/purge";
/** What every live key may ask for. */
const VALIDATE = operations.find(({ id }) => id === "validateApiKeyV3") as Operation;
const ownWrites = new OwnWrites();

/** Every path but those that `publish` names asks for a key or a secret. */
export function createGateway(): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>();
  const publish = (path: string, read: Handler) => app.all(path, handle(byMethod({ GET: read }), path));
  publish("/", (c) => redirectToDocs(acceptedType(c)));
  // Before the files, whose pattern takes /docs/index.html as well.
  for (const [path, location] of Object.entries(ALIASES)) publish(path, () => redirectAlias(location));
  for (const path of ASSET_PATHS) publish(path, (c) => readAsset(c.env.ASSETS, c.req.raw));
  publish("/health", (c) => json({ status: "ok", version: c.env.CF_VERSION_METADATA?.id }));
  app.all(PURGE_PATH, handle(byMethod({ POST: purge }), PURGE_PATH));
  for (const [template, there] of Map.groupBy(operations, (one) => one.template)) {
    app.all(template.replaceAll(/\{(\w+)\}/g, ":$1"), handle(callApi(there), template));
  }
  app.notFound(handle(() => throwFailure({ reason: "no_such_endpoint" })));
  return app;
}

const refusals = new RefusalSampler();

/**
 * Stands around every handler, so that no answer leaves without its id, its headers, its data point and its line in the
 * log.
 *
 * @param template of the path; absent if there is no such endpoint
 */
const handle =
  (handler: Handler, template?: string) =>
  async (c: GatewayContext): Promise<Response> => {
    const timing = new Timing();
    const requestId = crypto.randomUUID();
    const trace = { requestId, traceId: readTraceId(c.req.raw.headers.get("traceparent")) };
    c.set("requestId", requestId);
    c.set("trace", trace);
    c.set("timing", timing);
    c.set("template", template);
    let failure: Failure | undefined;
    let answer: Answer;
    try {
      readConfig(c.env);
      refuseAbsurd(c.req.raw);
      await limitAddress(c);
      answer = await handler(c);
    } catch (error) {
      failure = failureOf(error, trace);
      answer = (await pageOf(failure, c)) ?? answerFailure(failure, requestId);
      answer.headers["error-reason"] = failure.reason;
      if (error instanceof ApiFailure && error.cacheStatus) answer.headers["cache-status"] = error.cacheStatus;
    }
    if (failure !== undefined) logFailure(c, answer, failure);
    count(c, answer, failure);
    return toResponse(answer, requestId, timing.serverTiming);
  };

/** All of what is our fault, and a sample of what is the client's. */
function logFailure(c: GatewayContext, { status, headers }: Answer, { reason }: Failure): void {
  const leftOut = status < 500 ? refusals.admit(reason) : 0;
  if (leftOut === undefined) return;
  log(status < 500 ? "info" : "error", "request", {
    ...logIds(c.var.trace),
    route: c.var.template,
    method: c.req.method,
    status,
    reason,
    keyId: c.var.keyId,
    cacheStatus: headers["cache-status"],
    durationMs: c.var.timing.durationMs,
    leftOut: leftOut === 0 ? undefined : leftOut,
  });
}

function count(c: GatewayContext, { status }: Answer, failure: Failure | undefined): void {
  const { template, keyId, timing } = c.var;
  writeDataPoint(c.env, {
    keyId: keyId ?? KEYLESS,
    route: template ?? UNMATCHED,
    method: c.req.method,
    statusClass: `${Math.floor(status / 100)}xx`,
    cacheStatus: timing.cacheStatus ?? "none",
    reason: failure?.reason ?? "",
    version: c.env.CF_VERSION_METADATA?.id,
    dataCentre: c.req.raw.cf?.colo as string | undefined,
    status,
    durationMs: timing.durationMs,
    queryMs: timing.query?.durationMs,
    attempts: timing.query?.attempts,
  });
}

/** Chooses by method. GET answers HEAD, too: Hono drops the body. */
const byMethod =
  (handlers: Partial<Record<"GET" | "POST", Handler>>): Handler =>
  (c) => {
    const { method } = c.req;
    const handler = handlers[(method === "HEAD" ? "GET" : method) as "GET" | "POST"];
    if (handler !== undefined) return handler(c);
    // What cannot be read is not for browsers, either.
    const allowed = handlers.GET === undefined ? Object.keys(handlers) : allowedMethods(Object.keys(handlers));
    if (method === "OPTIONS" && handlers.GET !== undefined) return answerOptions(allowed);
    return throwFailure({ reason: "method_not_allowed", allowed });
  };

/** The value of `Allow` for a path that takes these methods. */
const allowedMethods = (methods: readonly string[]): string[] => [
  ...(methods.includes("GET") ? ["GET", "HEAD"] : []),
  ...methods.filter((method) => method !== "GET"),
  "OPTIONS",
];

/** Answers OPTIONS, a preflight or not (RFC 9110, section 9.3.7). */
const answerOptions = (allowed: readonly string[], there: readonly Operation[] = []): Answer => ({
  status: 204,
  headers: Object.assign(
    { allow: allowed.join(", "), ...preflightHeaders(allowed), ...UNCACHEABLE },
    ...there.map(({ bodyFields, method }) => bodyFields && acceptedBy(method)),
  ),
  body: null,
});

/** A client that does not say what it accepts is taken for a machine. */
const acceptedType = (c: GatewayContext) =>
  accepts(c, {
    header: "Accept",
    supports: ["text/html", "application/json"],
    default: "application/json",
  }) as "text/html" | "application/json";

/** The page that a person is shown for a failure instead of the contract's error, if there is one. */
async function pageOf({ reason }: Failure, c: GatewayContext): Promise<Answer | undefined> {
  if (reason !== "no_such_endpoint" || acceptedType(c) !== "text/html") return undefined;
  return readNotFoundPage(c.env.ASSETS, c.req.url).catch(() => undefined);
}

function refuseAbsurd({ url, headers }: Request): void {
  // Past the scheme and the authority, whose length is not the client's to choose.
  if (url.length - url.indexOf("/", "https://".length) > MAX_URL_BYTES) {
    throwFailure({ reason: "uri_too_long", maxBytes: MAX_URL_BYTES });
  }
  for (const header in MAX_HEADER_BYTES) {
    const maxBytes = MAX_HEADER_BYTES[header as keyof typeof MAX_HEADER_BYTES];
    if ((headers.get(header)?.length ?? 0) > maxBytes) throwFailure({ reason: "header_too_large", header, maxBytes });
  }
}

/** Before any key is looked at: a flood of keys that nobody has must not reach the database. */
async function limitAddress(c: GatewayContext): Promise<void> {
  const address = c.req.header("cf-connecting-ip");
  // Cloudflare tells the address of every client; without it, this is not Cloudflare.
  if (address !== undefined) await spend(ADDRESS_LIMIT, c.env, addressBudget(address));
}

/** The methods of the Api that the gateway calls. Named here, because the types of RPC get lost in a Response. */
interface ApiStub {
  fetch(request: Request): Promise<Response>;
  fetchUncached(request: Request): Promise<Response>;
}

/** The Api answered with a failure. */
class ApiFailure extends HttpError {
  readonly cacheStatus: string | undefined;

  constructor(failure: Failure, cacheStatus: string | undefined) {
    super(failure);
    this.cacheStatus = cacheStatus;
  }
}

/** Passes requests for the operations of a path on to the cached Api, in the one form that names what was asked for. */
function callApi(there: readonly Operation[]): Handler {
  const allowed = allowedMethods(there.map(({ method }) => method));
  return async (c) => {
    const { method, headers } = c.req.raw;
    const operation = there.find((one) => one.method === (method === "HEAD" ? "GET" : method));
    if (operation === undefined) {
      return method === "OPTIONS"
        ? answerOptions(allowed, there)
        : throwFailure({ reason: "method_not_allowed", allowed });
    }
    const keyHash = await readKeyHash(headers);
    const { exports } = c.executionCtx as ExecutionContext;
    const api: ApiStub = exports.Api({ props: { keyHash } });
    return operation.method === "GET"
      ? readThrough(c, operation, api, keyHash)
      : writeThrough(c, operation, api, keyHash);
  };
}

const apiHeaders = (c: GatewayContext, { id }: Operation): Record<string, string> => ({
  ...traceHeaders(c.var.trace),
  [OPERATION_HEADER]: id,
});

async function readThrough(c: GatewayContext, operation: Operation, api: ApiStub, keyHash: string): Promise<Answer> {
  const { url, headers: requestHeaders } = c.req.raw;
  await spend(KEY_LIMIT, c.env, keyHash);
  const ask = (forwarded: string | null): Promise<Response> => {
    // Authorization stays behind: the cache has rules of its own for it, and the Api needs only its hash.
    const request = new Request(`https://api${canonicalUrl(operation, c.req.param(), url)}`, {
      headers: apiHeaders(c, operation),
    });
    const asked = forwarded === null ? api.fetch(request) : api.fetchUncached(request);
    return c.var.timing.ask(c.var.requestId, asked);
  };
  let forwarded = passesCache(requestHeaders) ? "request" : ownWrites.has(keyHash) ? "bypass; detail=own-write" : null;
  let response = await ask(forwarded);
  // The platform promises that the hash is a part of the cache's key. If it is not, one key would see another's response.
  if (forwarded === null && response.headers.get(KEY_HASH_HEADER) !== keyHash) {
    logOncePerMinute("foreign_response", logIds(c.var.trace));
    forwarded = "bypass; detail=foreign-response";
    response = await ask(forwarded);
  }
  const headers = clientHeaders(response.headers, forwarded);
  await passFailure(c, response, headers);
  Object.assign(headers, limitHeaders(KEY_LIMIT));
  const outcome = evaluate(readConditions(requestHeaders), headers, response.headers.has(WEAK_DATE_HEADER));
  if (outcome === "failed") throw new ApiFailure({ reason: "precondition_failed" }, headers["cache-status"]);
  if (outcome === "proceed") return { status: 200, headers, body: response.body };
  const { "content-type": _type, "last-modified": _modified, ...validators } = headers;
  return { status: 304, headers: validators, body: null };
}

async function writeThrough(c: GatewayContext, operation: Operation, api: ApiStub, keyHash: string): Promise<Answer> {
  const { url, method, headers: requestHeaders } = c.req.raw;
  await spend(WRITE_LIMIT, c.env, keyHash);
  try {
    const idempotencyKey = readIdempotencyKey(requestHeaders);
    const headers = {
      ...apiHeaders(c, operation),
      ...(idempotencyKey !== null && { "idempotency-key": idempotencyKey }),
      [CONDITIONS_HEADER]: JSON.stringify(readConditions(requestHeaders)),
    };
    const body = operation.bodyFields ? await readJson(c, MAX_BODY_BYTES) : null;
    const request = new Request(`https://api${canonicalUrl(operation, c.req.param(), url)}`, { method, headers, body });
    return await answerWrite(c, keyHash, await c.var.timing.ask(c.var.requestId, api.fetchUncached(request)));
  } catch (error) {
    if (isAboutContent(error)) await requireKey(c, api);
    throw error;
  }
}

async function answerWrite(c: GatewayContext, keyHash: string, response: Response): Promise<Answer> {
  const headers = writeHeaders(response.headers);
  await passFailure(c, response, headers);
  const purged = response.headers.get(PURGED_HEADER);
  if (purged !== null) ownWrites.add(keyHash, purged === "true" ? slowMissMs(readConfig(c.env)) : FEED_BOUND_MS);
  return { status: 200, headers: { ...headers, ...limitHeaders(WRITE_LIMIT) }, body: response.body };
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
async function requireKey(c: GatewayContext, api: ApiStub): Promise<void> {
  if (c.var.keyId !== undefined) return;
  const request = new Request(`https://api${VALIDATE.template}`, { headers: apiHeaders(c, VALIDATE) });
  const response = await c.var.timing.ask(c.var.requestId, api.fetchUncached(request));
  await passFailure(c, response, writeHeaders(response.headers));
}

/** @throws ApiFailure if the Api answered with one */
async function passFailure(c: GatewayContext, response: Response, headers: Record<string, string>): Promise<void> {
  const keyId = response.headers.get(KEY_ID_HEADER);
  if (keyId !== null) c.set("keyId", keyId);
  if (!response.ok) throw new ApiFailure(await response.json<Failure>(), headers["cache-status"]);
}

async function readKeyHash(headers: Headers): Promise<string> {
  const key = readApiKey(headers.get("authorization"));
  if (key === "missing") return throwFailure({ reason: "missing_key" });
  if (key === "malformed") return throwFailure({ reason: "invalid_key" });
  return hashToken(key.token);
}

async function purge(c: GatewayContext): Promise<Answer> {
  const address = c.req.header("cf-connecting-ip");
  await spend(PURGE_LIMIT, c.env, address === undefined ? "local" : addressBudget(address));
  const { purgeSecrets } = readConfig(c.env);
  const authorization = c.req.header("authorization") ?? null;
  if (!(await holdsSecret(authorization, purgeSecrets))) {
    return throwFailure(authorization === null ? { reason: "missing_secret" } : { reason: "invalid_secret" });
  }
  const body = await readText(c, MAX_PURGE_BODY_BYTES);
  const { exports } = c.executionCtx as ExecutionContext;
  return json({ purged: await purgeChanged(body, (tags) => exports.Api({ props: {} }).purge({ tags })) });
}

function failureOf(error: unknown, trace: Trace): Failure {
  if (error instanceof HttpError) return error.failure;
  if (error instanceof ConfigError) {
    log("error", "misconfigured", { ...logIds(trace), settings: error.message });
    return { reason: "misconfigured" };
  }
  log("error", "unexpected_error", { ...logIds(trace), ...describeError(error) });
  return { reason: "unexpected" };
}

function throwFailure(failure: Failure): never {
  throw new HttpError(failure);
}
