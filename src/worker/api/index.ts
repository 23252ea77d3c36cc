import { WorkerEntrypoint } from "cloudflare:workers";
import { operations } from "#openapi";
import { type Database, openDatabase } from "../db/client.ts";
import type { Access } from "../resources/api-key/access.ts";
import { UsageRecorder } from "../resources/api-key/usage.ts";
import { type Config, readConfig } from "../shared/config.ts";
import { HttpError, outcomeOf } from "../shared/errors.ts";
import { CONDITIONS_HEADER, KEY_HASH_HEADER, OPERATION_HEADER, QUERY_HEADER } from "../shared/internal-headers.ts";
import { logOncePerMinute } from "../shared/log.ts";
import type { Operation, Parameter } from "../shared/operations.ts";
import { costHeader, logIds, readTrace, type Trace } from "../shared/trace.ts";
import type { ApiProps } from "./call.ts";
import { failureOf } from "./failure.ts";
import { respond } from "./respond.ts";

const OPERATIONS = new Map(operations.map((one) => [one.id, one]));

/**
 * The cached entrypoint: behind the edge's cache, reached by the gateway alone, through `ctx.exports`, with a URL in
 * canonical form. A failure goes back as data: the gateway alone knows the id of the request that it ends.
 */
export class Api extends WorkerEntrypoint<Env, ApiProps> {
  override fetch(request: Request): Promise<Response> {
    return this.fetchUncached(request);
  }

  /** Answers without the cache, which stands in front of `fetch` alone, and leaves what is stored as it is. */
  async fetchUncached(request: Request): Promise<Response> {
    const trace = readTrace(request.headers);
    let response: Response;
    try {
      response = await this.#answer(request, trace);
    } catch (error) {
      const { failure, cacheHeaders } =
        error instanceof HttpError ? error : new HttpError(failureOf(error, request.method, trace));
      response = Response.json(failure, { status: outcomeOf(failure).status, headers: cacheHeaders });
    }
    const cost = costHeader(trace);
    if (cost !== undefined) response.headers.set(QUERY_HEADER, cost);
    response.headers.set(KEY_HASH_HEADER, this.ctx.props.keyHash ?? "");
    return response;
  }

  async #answer(request: Request, trace: Trace): Promise<Response> {
    const { keyHash } = this.ctx.props;
    // Fails closed: the gateway has not looked at a caller without one.
    if (keyHash === undefined) throw new HttpError({ reason: "missing_key" });
    const operation = OPERATIONS.get(request.headers.get(OPERATION_HEADER) ?? "");
    if (operation?.method !== request.method) throw new Error("The gateway has named no operation of this method");
    const url = new URL(request.url);
    const config = readConfig(this.env);
    const { db, usage } = databaseOf(config);
    const isPurgeable = this.#isPurgeable;
    if (!isPurgeable) logOncePerMinute("no_cache", logIds(trace));
    return respond({
      operation,
      path: readPath(operation.path, url),
      query: Object.fromEntries(operation.query.map((parameter) => [parameter.name, readValue(parameter, url)])),
      target: `${request.method} ${url.pathname}`,
      headers: {
        idempotencyKey: request.headers.get("idempotency-key"),
        conditions: JSON.parse(request.headers.get(CONDITIONS_HEADER) ?? "{}"),
      },
      body: () => request.text(),
      caller: { keyHash, trace },
      config,
      isPurgeable,
      db,
      purge: async (tags) => (await this.purge({ tags }).catch(() => undefined))?.success ?? false,
      note: ({ isUseDue, isFeedSilent }: Access) => {
        if (isUseDue) usage.record(keyHash, trace, (work) => this.ctx.waitUntil(work));
        if (isFeedSilent) logOncePerMinute("feed_silent", logIds(trace));
      },
    });
  }

  /**
   * Ends the reuse of cached answers. Here because a purge reaches the cache of the entrypoint that calls it alone.
   *
   * @see https://developers.cloudflare.com/workers/cache/purge/
   */
  async purge(options: CachePurgeOptions): Promise<CachePurgeResult> {
    if (this.ctx.cache !== undefined) return this.ctx.cache.purge(options);
    if (this.#isPurgeable) return { success: true, errors: [] };
    logOncePerMinute("no_cache");
    return { success: false, errors: [] };
  }

  /**
   * Whether what the edge stores can be purged, or it stores nothing. The runtime leaves `ctx.cache` undefined where the
   * platform does not enable it, which says nothing of what is stored: until July 2026 `[assets]` switched it off
   * (cloudflare/workerd#6865).
   */
  get #isPurgeable(): boolean {
    return this.ctx.cache !== undefined || readConfig(this.env).cache.freshSeconds === 0;
  }
}

function readPath(parameters: Operation["path"], { pathname }: URL): Record<string, string> {
  const segments = pathname.split("/");
  return Object.fromEntries(parameters.map(({ name, place }) => [name, segments[place] as string]));
}

function readValue({ name, schema }: Parameter, { searchParams }: URL): number | boolean {
  const text = searchParams.get(name) ?? String("default" in schema ? schema.default : undefined);
  return schema.type === "boolean" ? text === "true" : Number(text);
}

interface IsolateDatabase {
  db: Database;
  usage: UsageRecorder;
}

const databases = new WeakMap<Config, IsolateDatabase>();

/** One for the life of the isolate. It holds no connection. */
function databaseOf(config: Config): IsolateDatabase {
  const known = databases.get(config);
  if (known !== undefined) return known;
  const db = openDatabase(config);
  const opened = { db, usage: new UsageRecorder(db) };
  databases.set(config, opened);
  return opened;
}
