// What clients of any deployment may rely on, one claim after another: of the Worker of a test, of a version before it has
// traffic, of production after each release, and of production every half hour.
import { randomBytes, randomUUID } from "node:crypto";
import { context } from "../../node/context.ts";
import { purgeAll } from "../support/purge.ts";
import {
  type Answer,
  bearer,
  type Deployment,
  expectMatch,
  expectProcess,
  expectSame,
  expectStatus,
  Failure,
  parse,
} from "./deployment.ts";

export interface Check {
  /** A sentence about the deployment. */
  claim: string;
  /** What it cannot be tried without. */
  needs?: Need;
  /** What an operator can do if it does not hold. */
  advice?: string;
  /** Throws a {@link Failure} unless the claim is true. */
  holds(deployment: Deployment): Promise<void>;
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
    holds: expectHealthy,
  },
  {
    claim: "is the version that was deployed, and no other",
    needs: "version",
    async holds(deployment) {
      for (let answers = 0; answers < AGREEMENTS; answers++) {
        if (answers > 0 && deployment.target.waitSeconds > 0) await context().sleep(PAUSE_MS);
        await expectVersion(deployment);
      }
    },
  },
  {
    claim: "describes itself",
    async holds(deployment) {
      const { openapi, info, paths = {} } = await deployment.document();
      expectMatch(openapi, /^3\.1\./, "openapi");
      expectMatch(info?.version, /^\d+\.\d+\.\d+/, "info.version");
      if (Object.keys(paths).length === 0) throw new Failure("it has no paths");
    },
  },
  {
    claim: "shows its documentation",
    async holds(deployment) {
      const answer = await deployment.ask("/docs");
      expectStatus(answer, 200);
      expectMatch(answer.headers.get("content-type"), /^text\/html\b/, "content-type");
      expectMatch(answer.headers.get("content-security-policy"), /^default-src 'none';/, "content-security-policy");
    },
  },
  {
    claim: "refuses a request without a key",
    async holds(deployment) {
      const answer = await deployment.ask(anyProcess());
      await deployment.expectError(answer, 401);
      expectMatch(answer.headers.get("www-authenticate"), /^Bearer realm="[^"]+"$/, "www-authenticate");
    },
  },
  {
    // Only the database knows that nobody has it: this is the check that it responds.
    claim: "refuses an unknown key",
    async holds(deployment) {
      const answer = await deployment.ask(anyProcess(), { headers: bearer(anyToken()) });
      await deployment.expectError(answer, 401);
      expectMatch(answer.headers.get("www-authenticate"), /error="invalid_token"/, "www-authenticate");
    },
  },
  {
    claim: "has no endpoint that it does not describe",
    async holds(deployment) {
      await deployment.expectError(await deployment.ask("/v3/no-such-endpoint"), 404);
    },
  },
  {
    claim: "allows no method that it does not describe",
    async holds(deployment) {
      const answer = await deployment.ask(anyProcess(), { method: "PUT" });
      await deployment.expectError(answer, 405);
      expectMatch(answer.headers.get("allow"), /\bGET, HEAD\b/, "allow");
    },
  },
  {
    claim: "responds to every read as it describes",
    needs: "reader",
    async holds(deployment) {
      const { paths = {}, servers } = await deployment.document();
      const { applicationId, processId } = deployment.reader;
      const ids: Record<string, string> = { id: applicationId, process_id: processId };
      for (const [template, { get }] of Object.entries(paths)) {
        const path = (servers?.[0]?.url ?? "") + template.replaceAll(/\{(\w+)\}/g, (all, name) => ids[name] ?? all);
        if (get === undefined || path.includes("{")) continue;
        const answer = await deployment.read(path);
        // A key need not be permitted all.
        if (answer.status === 403) await deployment.expectError(answer, 403);
        else await about(path, deployment.expect(answer, 200));
      }
    },
  },
  {
    claim: "responds with the full details of a process",
    needs: "reader",
    async holds(deployment) {
      const body = parse(await readProcess(deployment));
      expectProcess(body);
      expectSame(body.id, deployment.reader.processId, "id");
    },
  },
  {
    claim: "lets clients store a response, but makes them revalidate",
    needs: "reader",
    async holds(deployment) {
      const { headers } = await readProcess(deployment);
      expectSame(headers.get("cache-control"), "private, no-cache", "cache-control");
      // An edge that compresses may add to it.
      expectMatch(headers.get("vary"), /(?:^|, ?)Authorization(?:,|$)/i, "vary");
      expectMatch(headers.get("etag"), /^(?:W\/)?"[^"]+"$/, "etag");
    },
  },
  {
    claim: "says that nothing has changed",
    needs: "reader",
    async holds(deployment) {
      const etag = String((await readProcess(deployment)).headers.get("etag"));
      const answer = await readProcess(deployment, { "if-none-match": etag }, 304);
      expectSame(opaqueTag(answer), etag.replace(/^W\//, ""), "etag");
    },
  },
  {
    claim: "responds to HEAD as to GET, without a body",
    needs: "reader",
    async holds(deployment) {
      const get = await readProcess(deployment);
      const head = await deployment.read(deployment.processPath(), { method: "HEAD" });
      expectStatus(head, 200);
      expectSame(head.text, "", "the body");
      expectSame(opaqueTag(head), opaqueTag(get), "etag");
      expectSame(head.headers.get("content-type"), get.headers.get("content-type"), "content-type");
    },
  },
  {
    claim: "finds no process that does not exist",
    needs: "reader",
    async holds(deployment) {
      await deployment.expectError(await deployment.read(deployment.processPath(randomUUID())), 404);
    },
  },
  {
    claim: "responds from the cache",
    needs: "cache",
    advice:
      'Workers Caching is not active in front of the Api. To release without it, at one query per request, set EDGE_FRESH_SECONDS = "0" under [vars] in wrangler.toml.',
    holds: (deployment) => store(deployment),
  },
  {
    claim: "serves a cached response only to the key that it was made for",
    needs: "cache",
    advice: 'Set EDGE_FRESH_SECONDS = "0" under [vars] in wrangler.toml and release again: nothing is cached then.',
    async holds(deployment) {
      await store(deployment);
      const path = deployment.processPath();
      await deployment.expectError(await deployment.ask(path), 401);
      const answer = await deployment.ask(path, { headers: bearer(anyToken()) });
      await deployment.expectError(answer, 401);
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
    async holds(deployment) {
      await store(deployment);
      await purgeReader(deployment);
      await expectForgotten(deployment);
    },
  },
  {
    claim: "accepts a dry-run write",
    needs: "writes",
    async holds(deployment) {
      const before = await readProcess(deployment, FROM_DATABASE);
      // It changes nothing of the process, and not even that for good.
      const tried = await deployment.read(`${deployment.processPath()}?dry_run=true`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      if (tried.status === 403) throw new Skipped("the key may not write");
      await deployment.expect(tried, 200);
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
const opaqueTag = ({ headers }: Answer): string | undefined => headers.get("etag")?.replace(/^W\//, "");

async function expectHealthy(deployment: Deployment): Promise<void> {
  const answer = await deployment.ask("/health");
  expectStatus(answer, 200);
  const { status, version } = parse(answer) as { status?: string; version?: string };
  deployment.answeredBy = version;
  expectSame(status, "ok", "status");
  expectSame(answer.headers.get("cache-control"), "no-store", "cache-control");
}

async function expectVersion(deployment: Deployment): Promise<void> {
  await expectHealthy(deployment);
  expectSame(deployment.answeredBy, deployment.target.version, "the version");
}

async function readProcess(deployment: Deployment, headers = {}, status = 200): Promise<Answer> {
  const answer = await deployment.read(deployment.processPath(), { headers });
  await deployment.expect(answer, status);
  return answer;
}

/** Names the path in a failure. */
async function about(path: string, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw error instanceof Failure ? new Failure(`${path}: ${error.message}`) : error;
  }
}

/** What the cache did about the reader's process, or another path. @throws Failure */
export async function readCacheStatus(deployment: Deployment, path = deployment.processPath()): Promise<string> {
  const answer = await deployment.read(path);
  expectStatus(answer, 200);
  return answer.headers.get("cache-status") ?? "";
}

/** Sees to it that the cache holds the reader's process, or another path. @throws Failure */
export async function store(deployment: Deployment, path?: string): Promise<void> {
  await readCacheStatus(deployment, path);
  expectMatch(await readCacheStatus(deployment, path), HIT, "cache-status");
}

/** The id of the reader's key. @throws Failure */
export async function readKeyId(deployment: Deployment): Promise<string> {
  const answer = await deployment.read("/v3/api-keys/me");
  await deployment.expect(answer, 200);
  return String(parse(answer).id);
}

/**
 * Purges what was stored for the reader's key, and nothing of anybody else.
 *
 * @throws Failure
 * @throws Skipped if others of the account have spent the platform's purges for longer than the target waits
 */
export async function purgeReader(deployment: Deployment): Promise<void> {
  const { origin, purgeSecret = "", headers = {}, waitSeconds } = deployment.target;
  const changed = { keys: [await readKeyId(deployment)] };
  const worker = { origin, secret: purgeSecret, headers };
  const { error } = await purgeAll(worker, changed, { waitSeconds, onWait: () => {} });
  if (error === undefined) return;
  // Not the Worker's own limit, which is `rate_limited`.
  throw error.reason === "purge_limited" ? new Skipped(error.message) : new Failure(error.message);
}

/**
 * Waits until the cache has lost a response: of the reader's process, or of another path.
 *
 * @throws Failure if it has not within the time that a purge may take
 */
export async function expectForgotten(
  deployment: Deployment,
  { seconds = PURGE_SECONDS, path }: { seconds?: number; path?: string } = {},
): Promise<void> {
  const deadline = context().now() + seconds * 1_000;
  while (!MISS.test(await readCacheStatus(deployment, path))) {
    if (context().now() + PAUSE_MS > deadline)
      throw new Failure(`the purged response is still cached after ${seconds} s`);
    await context().sleep(PAUSE_MS);
  }
}

/** The median is 150 ms: https://blog.cloudflare.com/instant-purge (read 2026-11-30) */
const PURGE_SECONDS = 10;
