// `npm run stats`: what the data points of Workers Analytics Engine say, for operators.
import { InvalidArgumentError } from "commander";
import { context } from "../node/context.ts";
import { CommandError } from "../node/errors.ts";
import { DATASETS } from "../worker/shared/analytics.ts";
import { findAlerts } from "./stats/alerts.ts";
import { CHART_COLUMNS, formatStats, JSON_SHAPE } from "./stats/format.ts";
import { readStats } from "./stats/read.ts";
import { print, printJson } from "./support/output.ts";
import { parseDuration } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

interface StatsOptions {
  since: number;
  dataset: string;
  check?: boolean;
  feed: boolean;
  json?: boolean;
}

const MINUTE_MS = 60_000;
/** https://developers.cloudflare.com/analytics/analytics-engine/limits/ (read 2026-11-25) */
const KEPT_MS = 90 * 86_400_000;

const NOTES = `
The account is that of CLOUDFLARE_ACCOUNT_ID, read with CLOUDFLARE_API_TOKEN (permission
Account Analytics: Read), or else a running \`npm run dev\`, which keeps its own until it
ends. A busy key is sampled by the platform, and counts are then estimates.

A hit is a response from the cache, fresh or stale. Times are those of the gateway, without
the way to the client. CPU is not in them: a Worker's clock moves with I/O only.

${JSON_SHAPE}

With --check, prints what is wrong, a line each, instead (src/cli/runbook/README.md).

Examples:
  npm run stats -- --since 1h
  npm run stats -- --since 10m --check`;

async function showStats({ since: sinceMs, dataset, check, feed, json }: StatsOptions): Promise<void> {
  const until = Math.floor(context().now() / 1_000);
  const since = until - sinceMs / 1_000;
  const stats = await readStats(dataset, since, until, CHART_COLUMNS);
  if (!check) return json ? printJson(stats) : print(formatStats(stats));
  const alerts = findAlerts(stats, feed);
  if (alerts.length === 0) return;
  await print(alerts.join("\n"));
  throw new CommandError(alerts.length === 1 ? "1 alert." : `${alerts.length} alerts.`);
}

function parseSince(text: string): number {
  const ms = parseDuration(text);
  if (ms >= MINUTE_MS && ms <= KEPT_MS) return ms;
  throw new InvalidArgumentError("Expected 1m to 90d.");
}

function parseDataset(text: string): string {
  if (/^\w{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError("Expected letters, digits and underscores.");
}

export default await command(import.meta, () =>
  createProgram("stats")
    .description("Shows requests, hits, latencies, failures, the busiest keys and the feed.")
    .option("--since <duration>", "how far back, such as 10m, 1h or 7d", parseSince, 3_600_000)
    .option("--dataset <name>", `of previews: ${DATASETS.previews}`, parseDataset, DATASETS.production)
    .option("--check", "say what is wrong, and fail if anything is")
    .option("--no-feed", "with --check, expect no runs of the feed: wrangler.toml says crons = []")
    .option("--json", "print an object")
    .addHelpText("after", NOTES)
    .action(showStats),
);
