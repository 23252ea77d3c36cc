import { createGateway } from "./gateway/index.ts";
import { FEED, writeDataPoint } from "./shared/analytics.ts";
import { readConfig } from "./shared/config.ts";

export { Api } from "./api/index.ts";

const gateway = createGateway();

export default {
  fetch: gateway.fetch,

  /** Every minute, for a minute (wrangler.toml). With a database of its own, whose bound it shares with no request. */
  async scheduled(_controller, env, ctx) {
    const config = readConfig(env);
    // When it is needed, and not when an isolate starts, which most of them do for a request.
    const [{ openDatabase }, { runFeed }] = await Promise.all([import("./db/client.ts"), import("./feed/index.ts")]);
    const { exports } = ctx as ExecutionContext;
    const report = await runFeed({
      db: openDatabase(config),
      purge: (options) => exports.Api({ props: {} }).purge(options),
      databaseDeadlineMs: config.databaseDeadlineMs,
      auditDays: config.auditDays,
      durationMs: 60_000,
    });
    if (report !== undefined) {
      writeDataPoint(env, { route: FEED, keyId: FEED, version: env.CF_VERSION_METADATA?.id, ...report });
    }
  },
} satisfies ExportedHandler<Env>;
