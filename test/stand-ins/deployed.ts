// What versions of the Worker respond at the edge, as far as a release asks: they keep the contract, each with a cache of its
// own, until a fault is put into them.
import { randomUUID } from "node:crypto";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import { processExample } from "../support/contract.ts";
import { secretsOf, type Version } from "./cloudflare.ts";

/** A process, and the key that may read it. */
export const [READER] = SEED_PROCESSES;

/** Whether code fails at a request. */
export type Fault = (request: Request) => boolean;

/** What a platform may not do as it is taken to. */
export type PlatformFault =
  | "no cache"
  | "cached for every key"
  | "purges of own props alone"
  | "purges of own version alone"
  | "purges refused"
  | "feed's purges of own props alone"
  | "feed's purges refused"
  | "feed late";

const KEY_ID = "00000000-0000-4000-8000-000000000201";

export class DeployedWorkers {
  /** By the id of the version. */
  readonly faults: Map<string, Fault> = new Map();
  /** Connection strings that lead nowhere any more. */
  readonly revoked: Set<string | undefined> = new Set();
  platform: PlatformFault | undefined;
  /** What each version has cached. */
  readonly #caches = new Map<string, Set<string>>();

  respond(version: Version, request: Request): Response {
    const { pathname, search } = new URL(request.url);
    const { method, headers: asked } = request;
    const { PURGE_SECRET = "", PURGE_SECRET_PREVIOUS, DATABASE_URL } = secretsOf(version);
    const key = asked.get("authorization")?.replace("Bearer ", "");
    if (this.faults.get(version.id)?.(request) || PURGE_SECRET.length < 32) return failure(500, "Something went wrong");
    switch (pathname) {
      case "/health":
        return Response.json({ status: "ok", version: version.id }, { headers: { "cache-control": "no-store" } });
      case "/docs":
        return new Response("", {
          headers: { "content-type": "text/html", "content-security-policy": "default-src 'none';" },
        });
      case "/v3/openapi.full.json":
        return Response.json(DOCUMENT);
      case "/ops/purge":
        if (this.platform === "purges refused") {
          return failure(429, "The platform takes no more purges for now.", { "error-reason": "purge_limited" });
        }
        if (this.platform === "no cache") return failure(503, "The platform refused the purge.");
        if (![PURGE_SECRET, PURGE_SECRET_PREVIOUS].includes(key)) return failure(401, "No secret");
        this.purge(version);
        return Response.json({ purged: [] });
    }
    const cached = this.#caches.get(version.id) ?? new Set();
    this.#caches.set(version.id, cached);
    const isHit = cached.has(pathname + search) && method !== "PATCH";
    if (!(isHit && this.platform === "cached for every key")) {
      if (key === undefined) return failure(401, "No key", { "www-authenticate": 'Bearer realm="process-api"' });
      if (this.revoked.has(DATABASE_URL)) return failure(503, "The database is unavailable");
      if (key !== READER.token)
        return failure(401, "No such key", { "www-authenticate": 'Bearer error="invalid_token"' });
    }
    const [, id = READER.processId] = /\/processes\/([^/]*)$/.exec(pathname) ?? [];
    if (id !== READER.processId) return failure(404, "No such process");
    if (this.platform !== "no cache") cached.add(pathname + search);
    const headers: Record<string, string> = {
      "content-type": "application/json",
      "cache-control": "private, no-cache",
      vary: "Authorization",
      etag: '"an-etag"',
      ...(this.platform !== "no cache" && { "cache-status": `process-api; ${isHit ? "hit" : "fwd=miss"}` }),
    };
    if (asked.has("if-none-match")) return new Response(null, { status: 304, headers });
    const body = pathname.endsWith("/me") ? { id: KEY_ID } : { ...processExample, id };
    return new Response(method === "HEAD" ? null : JSON.stringify(body), { headers });
  }

  /** @param by the version that purges; undefined: the feed does */
  purge(by?: Version): void {
    const { platform } = this;
    const isVain = by === undefined ? "feed's purges of own props alone" : "purges of own props alone";
    if (platform === isVain) return;
    const isOwn = platform === "purges of own version alone";
    for (const [id, cached] of this.#caches) if (by === undefined || id === by.id || !isOwn) cached.clear();
  }
}

const DOCUMENT = {
  openapi: "3.1.0",
  info: { version: "3.0.0" },
  servers: [{ url: "/v3" }],
  paths: {
    "/api-keys/me": { get: {} },
    "/applications/{id}/processes/{process_id}": { get: {}, patch: {} },
  },
};

function failure(status: number, message: string, others: Record<string, string> = {}): Response {
  const code = randomUUID();
  const headers = { "x-request-id": code, "cache-control": "no-store", ...others };
  return Response.json({ status, message, data: { code } }, { status, headers });
}
