import { WorkerEntrypoint } from "cloudflare:workers";
import { tryGetContext } from "hono/context-storage";
import { type Database, openDatabase, type QueryOutcome } from "../db/client.ts";
import { type Config, readConfig } from "../shared/config.ts";
import { REQUEST_ID_HEADER } from "../shared/internal-headers.ts";
import { log } from "../shared/log.ts";
import { app } from "./app.ts";
import type { ApiEnv, ApiProps } from "./context.ts";

export { routes } from "./app.ts";

/** The cached entrypoint: behind the edge's cache, reached by the gateway alone, through `ctx.exports`. */
export class Api extends WorkerEntrypoint<Env, ApiProps> {
  override fetch(request: Request): Response | Promise<Response> {
    const config = readConfig(this.env);
    return app.fetch(request, { config, db: databaseOf(config), props: this.ctx.props }, this.ctx);
  }

  /**
   * Ends the reuse of what is tagged so. Here because a purge reaches the cache of the entrypoint that calls it alone.
   *
   * @see https://developers.cloudflare.com/workers/cache/purge/
   */
  async purge(tags: string[]): Promise<CachePurgeResult> {
    const { cache } = this.ctx;
    if (cache === undefined) return { success: false, errors: [{ code: 0, message: "There is no cache" }] };
    return cache.purge({ tags });
  }
}

const MAX_ATTEMPTS = 3;
const SLOW_QUERY_MS = 500;
const databases = new WeakMap<Config, Database>();

/** One for the life of the isolate: it holds no connection, only statements that are already built. */
function databaseOf(config: Config): Database {
  const known = databases.get(config);
  if (known !== undefined) return known;
  const db = openDatabase(config.databaseUrl, {
    deadlineMs: config.databaseDeadlineMs,
    maxAttempts: MAX_ATTEMPTS,
    onQuery: logQuery,
  });
  databases.set(config, db);
  return db;
}

function logQuery({ attempts, durationMs, error }: QueryOutcome): void {
  if (error === undefined && attempts === 1 && durationMs < SLOW_QUERY_MS) return;
  log(error === undefined ? "warn" : "error", "query", {
    requestId: tryGetContext<ApiEnv>()?.req.header(REQUEST_ID_HEADER),
    attempts,
    durationMs,
    error: error?.kind,
    sqlState: error?.sqlState,
  });
}
