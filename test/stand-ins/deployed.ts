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

export class DeployedWorkers {
  /** By the id of the version. */
  readonly faults: Map<string, Fault> = new Map();
  /** Connection strings that lead nowhere any more. */
  readonly revoked: Set<string | undefined> = new Set();
  /** Whether a purge ends at the version that makes it, so that others keep what they have cached. */
  isPurgeOfVersion = false;
  isPurgeRefused = false;
  /** What each version has cached. */
  readonly #caches = new Map<string, Set<string>>();

  respond(version: Version, request: Request): Response {
    const { pathname, search } = new URL(request.url);
    const { PURGE_SECRET = "", PURGE_SECRET_PREVIOUS, DATABASE_URL } = secretsOf(version);
    const key = request.headers.get("authorization")?.replace("Bearer ", "");
    if (this.faults.get(version.id)?.(request) || PURGE_SECRET.length < 32) return failure(500, "Something went wrong");
    switch (pathname) {
      case "/health":
        return Response.json({ status: "ok", version: version.id }, { headers: { "cache-control": "no-store" } });
      case "/docs":
        return new Response("", {
          headers: { "content-type": "text/html", "content-security-policy": "default-src 'none';" },
        });
      case "/v3/openapi.json":
        return Response.json({ openapi: "3.1.0", info: { version: "3.0.0" }, paths: { "/": {} } });
      case "/v3/no-such-endpoint":
        return failure(404, "No such endpoint");
      case "/ops/purge":
        if (this.isPurgeRefused) return failure(429, "Too many purges");
        if (![PURGE_SECRET, PURGE_SECRET_PREVIOUS].includes(key)) return failure(401, "No secret");
        for (const [id, cached] of this.#caches) if (id === version.id || !this.isPurgeOfVersion) cached.clear();
        return Response.json({ purged: [] });
    }
    if (key === undefined) return failure(401, "No key", { "www-authenticate": 'Bearer realm="process-api"' });
    if (this.revoked.has(DATABASE_URL)) return failure(503, "The database is unavailable");
    if (key !== READER.token)
      return failure(401, "No such key", { "www-authenticate": 'Bearer error="invalid_token"' });
    const [, id = READER.processId] = /\/processes\/(.*)$/.exec(pathname) ?? [];
    if (id !== READER.processId) return failure(404, "No such process");
    const cached = this.#caches.get(version.id) ?? new Set();
    const isHit = cached.has(pathname + search);
    this.#caches.set(version.id, cached.add(pathname + search));
    const headers = {
      "cache-control": "private, no-cache",
      vary: "Authorization",
      etag: '"an-etag"',
      "cache-status": `process-api; ${isHit ? "hit" : "fwd=miss"}`,
    };
    if (request.headers.has("if-none-match")) return new Response(null, { status: 304, headers });
    return Response.json({ ...processExample, id }, { headers });
  }
}

function failure(status: number, message: string, others: Record<string, string> = {}): Response {
  const code = randomUUID();
  const headers = { "x-request-id": code, "cache-control": "no-store", ...others };
  return Response.json({ status, message, data: { code } }, { status, headers });
}
