// What clients of any deployment may rely on, one claim after another: of the Worker of a test, of a version before it has
// traffic, of production after each release, and of production every half hour.
import { randomBytes, randomUUID } from "node:crypto";
import { context } from "../../node/context.ts";
import { RefusedError, type Reply } from "../../node/http.ts";
import {
  ask,
  expectContract,
  expectError,
  expectMatch,
  expectSame,
  expectStatus,
  Failure,
  persist,
  processPath,
  read,
  readerOf,
  type Target,
} from "./deployment.ts";

export interface Check {
  /** A sentence about the deployment. */
  claim: string;
  /** What it cannot be tried without. */
  needs?: Need;
  /** What an operator can do if it does not hold. */
  advice?: string;
  /** Throws a {@link Failure} unless the claim is true. */
  holds(target: Target): Promise<unknown>;
}

export type Need = "version" | "reader" | "cache" | "purges" | "writes";

/** Whether a claim holds cannot be said, as only the deployment knows. */
export class Skipped extends Error {}

/** So many responses in a row must come from the new version: the data centres do not change at the same moment. */
const AGREEMENTS = 3;
const PAUSE_MS = 1_000;
const FROM_DATABASE = { "cache-control": "no-cache" };
const HIT = /^process-api; hit/;
const MISS = /^process-api; fwd=miss/;

export const CHECKS: readonly Check[] = [
  {
    claim: "is up",
    holds: readVersion,
  },
  {
    claim: "is the version that was deployed, and no other",
    needs: "version",
    async holds(target) {
      for (let answers = 0; answers < AGREEMENTS; answers++) {
        if (answers > 0 && target.waitSeconds > 0) await context().sleep(PAUSE_MS);
        await expectVersion(target);
      }
    },
  },
  {
    claim: "shows its document and its reference",
    async holds(target) {
      const { openapi, info } = await readDocument(target);
      expectMatch(openapi, /^3\.1\./, "openapi");
      expectMatch(info?.version, /^\d+\.\d+\.\d+/, "info.version");
      const page = await ask(target, "/docs");
      expectStatus(page, 200);
      expectMatch(page.headers.get("content-type"), /^text\/html\b/, "content-type");
      expectMatch(page.headers.get("content-security-policy"), /^default-src 'none';/, "content-security-policy");
    },
  },
  {
    // Only the database knows that nobody has a key: this is the check that it responds.
    claim: "refuses a request without a key, and with an unknown one",
    async holds(target) {
      const without = await ask(target, anyProcess());
      expectError(without, 401);
      expectMatch(without.headers.get("www-authenticate"), /^Bearer realm="[^"]+"$/, "www-authenticate");
      const unknown = await ask(target, anyProcess(), { token: anyToken() });
      expectError(unknown, 401);
      expectMatch(unknown.headers.get("www-authenticate"), /error="invalid_token"/, "www-authenticate");
    },
  },
  {
    claim: "responds to every read that it describes",
    needs: "reader",
    async holds(target) {
      const { paths, servers } = await readDocument(target);
      const { applicationId, processId } = readerOf(target);
      const ids: Record<string, string> = { id: applicationId, process_id: processId };
      for (const [template, { get }] of Object.entries(paths)) {
        const path = (servers?.[0]?.url ?? "") + template.replaceAll(/\{(\w+)\}/g, (all, name) => ids[name] ?? all);
        if (get === undefined || path.includes("{")) continue;
        const reply = await read(target, path);
        // A key need not be permitted all. A body that breaks the document is 500.
        if (reply.status !== 403) expectStatus(reply, 200, path);
      }
    },
  },
  {
    claim: "responds with the full details of a process",
    needs: "reader",
    async holds(target) {
      const reply = await readProcess(target);
      expectContract("process", reply);
      expectSame((reply.json as { id: string }).id, readerOf(target).processId, "id");
    },
  },
  {
    claim: "lets clients store a response, but makes them revalidate",
    needs: "reader",
    async holds(target) {
      const { headers } = await readProcess(target);
      expectSame(headers.get("cache-control"), "private, no-cache", "cache-control");
      // An edge that compresses may add to it.
      expectMatch(headers.get("vary"), /(?:^|, ?)Authorization(?:,|$)/i, "vary");
      expectMatch(headers.get("etag"), /^(?:W\/)?"[^"]+"$/, "etag");
    },
  },
  {
    claim: "says that nothing has changed",
    needs: "reader",
    async holds(target) {
      const etag = String((await readProcess(target)).headers.get("etag"));
      const answer = await readProcess(target, { "if-none-match": etag }, 304);
      expectSame(opaqueTag(answer), etag.replace(/^W\//, ""), "etag");
    },
  },
  {
    claim: "responds to HEAD as to GET, without a body",
    needs: "reader",
    async holds(target) {
      const get = await readProcess(target);
      const head = await read(target, processPath(target), { method: "HEAD" });
      expectStatus(head, 200);
      expectSame(head.text, "", "the body");
      expectSame(opaqueTag(head), opaqueTag(get), "etag");
      expectSame(head.headers.get("content-type"), get.headers.get("content-type"), "content-type");
    },
  },
  {
    claim: "finds no process that does not exist",
    needs: "reader",
    async holds(target) {
      expectError(await read(target, processPath(target, randomUUID())), 404);
    },
  },
  {
    claim: "responds from the cache",
    needs: "cache",
    advice:
      'Workers Caching is not active in front of the Api. To release without it, at one query per request, set EDGE_FRESH_SECONDS = "0" under [vars] in wrangler.toml.',
    holds: (target) => store(target),
  },
  {
    claim: "serves a cached response only to the key that it was made for",
    needs: "cache",
    advice: 'Set EDGE_FRESH_SECONDS = "0" under [vars] in wrangler.toml and release again: nothing is cached then.',
    async holds(target) {
      await store(target);
      const path = processPath(target);
      expectError(await ask(target, path), 401);
      const answer = await ask(target, path, { token: anyToken() });
      expectError(answer, 401);
      // The gateway has noticed, and has asked Postgres.
      if (/detail=foreign-response/.test(answer.headers.get("cache-status") ?? "")) {
        throw new Failure("the cache ignores the key");
      }
    },
  },
  {
    claim: "drops purged responses",
    needs: "purges",
    advice:
      'Set EDGE_FRESH_SECONDS = "30" under [vars] in wrangler.toml and release again: responses are cached for only 30 seconds then.',
    async holds(target) {
      await store(target);
      await purgeReader(target);
      await expectForgotten(target);
    },
  },
  {
    claim: "accepts a dry-run write",
    needs: "writes",
    async holds(target) {
      const before = await readProcess(target, FROM_DATABASE);
      // It changes nothing of the process, and not even that for good.
      const tried = await read(target, `${processPath(target)}?dry_run=true`, {
        method: "PATCH",
        body: {},
      });
      if (tried.status === 403) throw new Skipped("the key may not write");
      expectStatus(tried, 200);
      expectSame(opaqueTag(tried), opaqueTag(before), "its etag");
    },
  },
  {
    // Or else an older one may have passed some of the above.
    claim: "is still the deployed version",
    needs: "version",
    holds: expectVersion,
  },
];

const anyProcess = (): string => `/v3/applications/${randomUUID()}/processes/${randomUUID()}`;
const anyToken = (): string => `svl_${randomBytes(32).toString("hex")}`;

/**
 * The tag without what an edge adds that compresses: it makes a strong tag weak.
 *
 * @see https://developers.cloudflare.com/cache/reference/etag-headers/ (read 2026-11-30)
 */
const opaqueTag = ({ headers }: Reply): string | undefined => headers.get("etag")?.replace(/^W\//, "");

/** @returns the version that responds, if it says so. @throws Failure */
export async function readVersion(target: Target): Promise<string | undefined> {
  const answer = await ask(target, "/health");
  expectStatus(answer, 200);
  const { status, version } = (answer.json ?? {}) as { status?: string; version?: string };
  expectSame(status, "ok", "status");
  expectSame(answer.headers.get("cache-control"), "no-store", "cache-control");
  return version;
}

async function expectVersion(target: Target): Promise<void> {
  expectSame(await readVersion(target), target.version, "the version");
}

interface Document {
  openapi?: string;
  info?: { version?: string };
  servers?: { url: string }[];
  paths: Record<string, { get?: object }>;
}

async function readDocument(target: Target): Promise<Document> {
  const answer = await ask(target, "/v3/openapi.full.json");
  expectStatus(answer, 200);
  const document = answer.json as Partial<Document> | undefined;
  if (document?.paths === undefined) throw new Failure("it has no paths");
  return document as Document;
}

async function readProcess(target: Target, headers = {}, status = 200): Promise<Reply> {
  const answer = await read(target, processPath(target), { headers });
  expectStatus(answer, status);
  return answer;
}

/** What the cache did about the reader's process, or another path. @throws Failure */
async function readCacheStatus(target: Target, path = processPath(target)): Promise<string> {
  const answer = await read(target, path);
  expectStatus(answer, 200);
  return answer.headers.get("cache-status") ?? "";
}

/** Sees to it that the cache holds the reader's process, or another path. @throws Failure */
export async function store(target: Target, path?: string): Promise<void> {
  await readCacheStatus(target, path);
  expectMatch(await readCacheStatus(target, path), HIT, "cache-status");
}

/** The id of the reader's key. @throws Failure */
export async function readKeyId(target: Target): Promise<string> {
  const answer = await read(target, "/v3/api-keys/me");
  expectStatus(answer, 200);
  return String((answer.json as { id?: unknown } | undefined)?.id);
}

/**
 * Purges what was stored for the reader's key, and nothing of anybody else.
 *
 * @throws Failure
 * @throws Skipped if others of the account have spent the platform's purges for longer than the target waits
 */
export async function purgeReader(target: Target): Promise<void> {
  const body = { keys: [await readKeyId(target)] };
  const answer = await ask(target, "/ops/purge", { method: "POST", token: target.purgeSecret, body });
  if (answer.status === 200) return;
  const { message } = new RefusedError(answer);
  // Not the Worker's own limit, which is `rate_limited`.
  if (answer.headers.get("error-reason") !== "purge_limited") throw new Failure(message);
  const seconds = Math.max(1, answer.retryAfterSeconds ?? Number.POSITIVE_INFINITY);
  if (seconds > target.waitSeconds) throw new Skipped(message);
  await context().sleep(seconds * 1_000);
  await purgeReader({ ...target, waitSeconds: target.waitSeconds - seconds });
}

/** Waits until the cache has lost a response: of the reader's process, or of another path. @throws Failure */
export async function expectForgotten(target: Target, path?: string): Promise<void> {
  await persist(PURGE_SECONDS, async () => {
    if (MISS.test(await readCacheStatus(target, path))) return;
    throw new Failure(`the purged response is still cached after ${PURGE_SECONDS} s`);
  });
}

/** The median is 150 ms: https://blog.cloudflare.com/instant-purge (read 2026-11-30) */
const PURGE_SECONDS = 10;
