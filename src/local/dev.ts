// `npm run dev`: Postgres, its Neon endpoint and the Worker, in one process that ends them all.
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { unstable_DevEnv as DevEnv } from "wrangler";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import "../node/quiet.ts";
import { context } from "../node/context.ts";
import { CommandError, usageError } from "../node/errors.ts";
import { announce, withdraw } from "../node/running.ts";
import { DATASETS } from "../worker/shared/analytics.ts";
import { SETTINGS } from "../worker/shared/config.ts";
import { createAnalyticsEngine } from "./analytics/sql-api.ts";
import { describeFailure, watchForFailures } from "./broken.ts";
import { type OpenedDatabase, openDatabase } from "./database.ts";

/** On which wrangler listens for `localhost`, and clients look for it. */
const HOST = "127.0.0.1";
const DEFAULT_PORT = "8787";
const PARENT_CHECK_MS = 250;
const END_MS = 10_000;
const HELP = `Usage: npm run dev [-- --seed]

Serves the API on http://localhost:8787 over an embedded Postgres with data to try it with.

  --seed         with DATABASE_URL: write the same data there (a database on this machine only)

  PORT           another port
  DATABASE_URL   another database, Neon or any Postgres; it must have been migrated (npm run db:migrate)`;

/** As public as the seed's keys. */
const PURGE_SECRET = "a-secret-for-this-machine-and-no-other";

const started = new AsyncDisposableStack();

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seed: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
  if (values.help) return console.log(HELP);
  const port = readPort(context().env.PORT ?? DEFAULT_PORT);
  await assertFree(port);
  // Loads while Postgres starts. With another database, what may yet be refused comes first: it is quicker.
  if (context().env.DATABASE_URL === undefined) void import("wrangler");
  const database = await openDatabase(started, values.seed ?? false);
  const { postgresUrl, isSeeded, hasFeed } = database;
  const input = { config: "wrangler.toml", entrypoint: "src/local/worker.ts", bindings: bindingsFor(database) };
  const worker = await startWorker(started, input, port);
  const url = `http://localhost:${port}`;
  announce({ url, databaseUrl: postgresUrl, purgeSecret: PURGE_SECRET });
  started.defer(withdraw);
  console.log(greeting(url, isSeeded ? seedLines(url, postgresUrl) : []));
  if (hasFeed) await runCron(worker);
}

type WorkerInput = Parameters<DevEnv["startWorker"]>[0];

/**
 * Starts a Worker, and starts it anew with each change of its source.
 *
 * @returns where it is
 * @throws CommandError if it cannot be built or started; later, requests are answered with the reason
 */
export async function startWorker(
  started: AsyncDisposableStack,
  input: Pick<WorkerInput, "config" | "entrypoint" | "bindings">,
  port = 0,
): Promise<URL> {
  // For Miniflare, which prints what the Worker does not catch.
  process.env.WRANGLER_LOG = "warn";
  // Here, because it takes as long to load as all that may be refused before takes together.
  const { unstable_DevEnv: DevEnv } = await import("wrangler");
  const devEnv = new DevEnv();
  const firstStart = watchForFailures(devEnv, started);
  const starting = devEnv.startWorker({
    ...input,
    dev: {
      server: { hostname: HOST, port },
      inspector: false,
      watch: true,
      persist: false,
      // Wrangler prints a failed build in 150 lines without its reason: broken.ts prints the reason alone.
      logLevel: "none",
      // The Worker's own lines: as they are, and whatever their level.
      structuredLogsHandler: ({ message }: { message: string }) => console.error(message),
    },
  });
  const worker = await starting.catch((error) => {
    throw new CommandError(describeFailure(error));
  });
  // It fails where workerd has not started.
  started.defer(() => worker.dispose().catch(() => {}));
  await firstStart;
  return worker.url;
}

export function bindingsFor({ databaseUrl, isSeeded, hasFeed }: OpenedDatabase): NonNullable<WorkerInput["bindings"]> {
  const text = (value: unknown) => ({ type: "plain_text", value: String(value) }) as const;
  return {
    DATABASE_URL: { type: "secret_text", value: databaseUrl },
    PURGE_SECRET: { type: "secret_text", value: PURGE_SECRET },
    ...(!hasFeed && { EDGE_FRESH_SECONDS: text(SETTINGS.EDGE_FRESH_WITHOUT_FEED_SECONDS.default) }),
    ANALYTICS_ENGINE: { type: "fetcher", fetcher: createAnalyticsEngine(DATASETS.production).answer },
    ...(isSeeded && { DEMO_KEY: text(SEED_TOKENS.full) }),
  };
}

/** Calls the Worker's `scheduled` again and again, as the cron trigger of wrangler.toml does: a call lasts for a minute. */
async function runCron(worker: URL): Promise<never> {
  for (;;) {
    // It fails when a change to the source restarts the Worker.
    await fetch(new URL("/cdn-cgi/local/scheduled", worker)).catch(() => {});
    await setTimeout(1_000);
  }
}

export function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw usageError(`PORT is ${text}, and no port.`);
  return port;
}

/** Asked before anything starts: workerd would say it late and at length. */
export async function assertFree(port: number): Promise<void> {
  const probe = createServer().listen(port, HOST);
  try {
    await once(probe, "listening");
  } catch {
    throw usageError(`Port ${port} is in use. Choose another: PORT=${port + 1} npm run dev`);
  }
  probe.close();
  await once(probe, "close");
}

/** @param lines what else there is to see */
export function greeting(url: string, lines: readonly string[]): string {
  const always = [`# in a browser\n  ${url}/docs`, `# whether it runs\n  ${url}/health`, "Ready. Ctrl-C ends it."];
  return `\n  ${[...lines, ...always].join("\n\n  ")}\n`;
}

export function seedLines(url: string, postgresUrl: string): string[] {
  const reads = SEED_PROCESSES.map(({ shows, applicationId, processId, token }) => {
    const target = `${url}/v3/applications/${applicationId}/processes/${processId}`;
    return `# ${shows}\n  curl -i -H 'Authorization: Bearer ${token}' ${target}`;
  });
  const change = `psql ${postgresUrl} -c "update processes set display_name = 'Changed'"`;
  return [...reads, `# the database: what you change there shows within seconds\n  ${change}`];
}

let ending: Promise<void> | undefined;

function end(exitCode: number): Promise<void> {
  ending ??= (async () => {
    // What wrangler waits for may never come.
    setTimeout(END_MS, undefined, { ref: false }).then(() => process.exit(1));
    await started.disposeAsync();
    process.exit(exitCode);
  })();
  return ending;
}

if (import.meta.main) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end(0));
  // npm passes SIGTERM to the shell between us, which dies without passing it on.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && void end(0), PARENT_CHECK_MS).unref();
  main().catch(async (error) => {
    const isOneLine = error instanceof CommandError || error.code?.startsWith("ERR_PARSE_ARGS");
    console.error(isOneLine ? error.message : error);
    await end(1);
  });
}
