import { type Context, Hono, type MiddlewareHandler } from "hono";
import { clientHeaders, UNCACHEABLE } from "../shared/cache.ts";
import { ConfigError, readConfig } from "../shared/config.ts";
import { errorResponse, type Failure, HttpError } from "../shared/errors.ts";
import { KEY_ID_HEADER, REQUEST_ID_HEADER } from "../shared/internal-headers.ts";
import { describeError, log } from "../shared/log.ts";
import type { Route } from "../shared/route.ts";
import { ASSET_PATHS, redirectToDocs, serveAsset } from "./assets.ts";
import { hashToken, holdsSecret, readApiKey } from "./bearer.ts";
import { isNotModified } from "./conditional.ts";
import { ALLOWED_METHODS, CORS_HEADERS, optionsResponse } from "./cors.ts";
import { ADDRESS_LIMIT, addressBudget, KEY_LIMIT, limitHeaders, PURGE_LIMIT, spend } from "./limits.ts";
import { purgeChanged } from "./purge.ts";

interface GatewayEnv {
  Bindings: Env;
  Variables: { requestId: string; failure?: Failure; template?: string; keyId?: string };
}
type GatewayContext = Context<GatewayEnv>;

/** Every other path asks for a key. */
const PUBLIC_TEMPLATES: ReadonlySet<string> = new Set(["/v3/openapi.json"]);

const PURGE_PATH = "/ops/purge";

/** RFC 9110, section 4.1, asks for 8,000 at least. */
const MAX_URL_BYTES = 8_000;
/** Of the headers that are read; the others cost nothing. The runtime bounds their sum. */
const MAX_HEADER_BYTES = [
  ["authorization", 1_024],
  ["if-none-match", 8_192],
  ["if-modified-since", 128],
] as const;

const SECURITY_HEADERS: Record<string, string> = {
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "cross-origin",
  "referrer-policy": "no-referrer",
};
const CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** The Worker's front: everything that a request passes on the way to the cached Api, and the answer on the way back. */
export function createGateway(routes: readonly Route[]): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>();
  app.use(finish, refuseAbsurd, limitAddress);
  const endpoint = (path: string, handler: (c: GatewayContext) => Response | Promise<Response>) => {
    app.get(path, handler);
    app.options(path, optionsResponse);
    app.all(path, () => fail({ reason: "method_not_allowed", allowed: ALLOWED_METHODS }));
  };
  endpoint("/", redirectToDocs);
  for (const path of ASSET_PATHS) endpoint(path, (c) => serveAsset(c.env.ASSETS, c.req.raw));
  endpoint("/health", (c) => c.json({ status: "ok" }, 200, UNCACHEABLE));
  app.post(PURGE_PATH, purge);
  app.all(PURGE_PATH, () => fail({ reason: "method_not_allowed", allowed: ["POST"] }));
  for (const route of routes) endpoint(toPattern(route.template), (c) => forward(c, route));
  app.notFound(() => fail({ reason: "no_such_endpoint" }));
  app.onError((error, c) => answerFailure(c, failureOf(error, c)));
  return app;
}

/** `/a/{id}` as Hono writes it: `/a/:id`. */
const toPattern = (template: string): string => template.replaceAll(/\{(\w+)\}/g, ":$1");

/** Stands around all that follows, so that no answer leaves without its id, its headers and its line in the log. */
const finish: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  const startedAt = Date.now();
  const requestId = crypto.randomUUID();
  c.set("requestId", requestId);
  await next();
  const { headers, status } = c.res;
  headers.set(REQUEST_ID_HEADER, requestId);
  setAll(headers, SECURITY_HEADERS);
  setAll(headers, CORS_HEADERS);
  // The page of the documentation brings one of its own (src/docs/_headers).
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", CONTENT_SECURITY_POLICY);
  if (status < 400) return;
  log(status < 500 ? "info" : "error", "request", {
    requestId,
    route: c.var.template,
    method: c.req.method,
    status,
    reason: c.var.failure?.reason,
    keyId: c.var.keyId,
    cacheStatus: headers.get("cache-status") ?? undefined,
    durationMs: Date.now() - startedAt,
  });
};

const refuseAbsurd: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  readConfig(c.env);
  const { url, headers } = c.req.raw;
  // Past the scheme and the authority, whose length is not the client's to choose.
  if (url.length - url.indexOf("/", "https://".length) > MAX_URL_BYTES) {
    fail({ reason: "uri_too_long", maxBytes: MAX_URL_BYTES });
  }
  for (const [header, maxBytes] of MAX_HEADER_BYTES) {
    if ((headers.get(header)?.length ?? 0) > maxBytes) fail({ reason: "header_too_large", header, maxBytes });
  }
  await next();
};

function setAll(headers: Headers, values: Record<string, string>): void {
  for (const name in values) headers.set(name, values[name] as string);
}

/** Before any key is looked at: a flood of keys that nobody has must not reach the database. */
const limitAddress: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  const budget = addressBudgetOf(c);
  if (budget !== undefined) await spend(ADDRESS_LIMIT, c.env, budget);
  await next();
};

/** Cloudflare says the address of every client; without it, this is not Cloudflare. */
function addressBudgetOf(c: GatewayContext): string | undefined {
  const address = c.req.header("cf-connecting-ip");
  return address === undefined ? undefined : addressBudget(address);
}

async function forward(c: GatewayContext, route: Route): Promise<Response> {
  c.set("template", route.template);
  const isPublic = PUBLIC_TEMPLATES.has(route.template);
  const props = isPublic ? {} : { keyHash: await readKeyHash(c) };
  if (props.keyHash !== undefined) await spend(KEY_LIMIT, c.env, props.keyHash);
  const target = route.canonicalize(c.req.param(), c.req.url);
  const { exports } = c.executionCtx as ExecutionContext;
  const response = await exports.Api({ props }).fetch(`https://api${target}`, {
    // Authorization stays behind: it would switch the cache off. The id is not part of the cache's key.
    headers: { [REQUEST_ID_HEADER]: c.get("requestId") },
  });
  const keyId = response.headers.get(KEY_ID_HEADER);
  if (keyId !== null) c.set("keyId", keyId);
  const headers = clientHeaders(response.headers, { isPublic });
  if (!isPublic) setAll(headers, limitHeaders(KEY_LIMIT));
  if (!response.ok) {
    const answer = answerFailure(c, await response.json<Failure>());
    const cacheStatus = headers.get("cache-status");
    if (cacheStatus !== null) answer.headers.set("cache-status", cacheStatus);
    return answer;
  }
  if (isNotModified(c.req.raw.headers, headers)) {
    for (const name of ["content-type", "content-length", "last-modified"]) headers.delete(name);
    return new Response(null, { status: 304, headers });
  }
  return new Response(response.body, { headers });
}

async function readKeyHash(c: GatewayContext): Promise<string> {
  const key = readApiKey(c.req.header("authorization") ?? null);
  if (key === "missing") return fail({ reason: "missing_key" });
  if (key === "malformed") return fail({ reason: "invalid_key" });
  return hashToken(key.token);
}

/** Outside the public API: for the control plane, after it has written. */
async function purge(c: GatewayContext): Promise<Response> {
  c.set("template", PURGE_PATH);
  await spend(PURGE_LIMIT, c.env, addressBudgetOf(c) ?? "local");
  const { purgeSecret } = readConfig(c.env);
  const authorization = c.req.header("authorization") ?? null;
  if (purgeSecret === undefined || !(await holdsSecret(authorization, purgeSecret))) {
    return fail(authorization === null ? { reason: "missing_key" } : { reason: "invalid_key" });
  }
  const { exports } = c.executionCtx as ExecutionContext;
  const purged = await purgeChanged(c.req.raw, (tags) => exports.Api({ props: {} }).purge(tags));
  return c.json({ purged }, 200, UNCACHEABLE);
}

function answerFailure(c: GatewayContext, failure: Failure): Response {
  c.set("failure", failure);
  return errorResponse(failure, c.var.requestId);
}

function failureOf(error: Error, c: GatewayContext): Failure {
  if (error instanceof HttpError) return error.failure;
  if (error instanceof ConfigError) {
    log("error", "misconfigured", { requestId: c.var.requestId, settings: error.message });
    return { reason: "misconfigured" };
  }
  log("error", "unexpected_error", { requestId: c.var.requestId, ...describeError(error) });
  return { reason: "unexpected" };
}

function fail(failure: Failure): never {
  throw new HttpError(failure);
}
