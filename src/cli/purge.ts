// `npm run purge`: ends the reuse of what the edge holds, for operators.
import { text } from "node:stream/consumers";
import { context } from "../node/context.ts";
import { CommandError, usageError } from "../node/errors.ts";
import { PURGE_LIMIT, PURGES } from "../worker/shared/limits.ts";
import { isUuid } from "../worker/shared/uuid.ts";
import { note, print, printJson } from "./support/output.ts";
import { parseId, parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";
import { purgeAll } from "./support/purge-all.ts";
import { type Changed, runningWorker, type Worker, workerAt } from "./support/worker.ts";

interface PurgeOptions {
  company?: string[];
  application?: string[];
  process?: string[];
  key?: string[];
  resourceType?: string[];
  url?: string;
  wait: number;
  json?: boolean;
}

const STDIN = "-";

const NOTES = `
An id purges every answer that was made of it; the id of an application or a
company also its lists. Options may be repeated and combined. One of them may be
given - instead of an id: ids are then read from stdin, with white space between.

Ids go in calls of ${PURGES.maxTagsPerCall} tags at most. An id is a tag; machine sizes bring one
more for each call, that of the list of them all. On any plan the platform takes
${PURGES.callsPerMinute} calls a minute, with bursts of ${PURGES.bucketSize}, of ${PURGES.maxTagsPerCall} operations each:
https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits
The Worker itself takes ${PURGE_LIMIT.requests} calls a minute from one address. Purging twice does no harm.

Prints the tags that were purged, a line each; with --json an object:
  origin  of the Worker
  purged  [tag]
  left    what was not purged: { companies: [id], applications: [id],
          processes: [id], keys: [id], resource_types: [id] }, {} if all was
  error   why not, or null

Exit codes: 0 all was purged; 1 not all was; 2 the command or the environment is
wrong.

Examples:
  PURGE_SECRET=… npm run purge -- --url https://api.example.com --key <id>
  psql -Atc 'select id from processes' "$DATABASE_URL" |
    npm run purge -- --process - --wait 60`;

async function purgeChanged(options: PurgeOptions): Promise<void> {
  const worker = findWorker(options.url);
  const changed = await withStdin({
    companies: options.company ?? [],
    applications: options.application ?? [],
    processes: options.process ?? [],
    keys: options.key ?? [],
    resource_types: options.resourceType ?? [],
  });
  const { purged, left, error } = await purgeAll(worker, changed, {
    waitSeconds: options.wait,
    onWait: (seconds, { message }) => note(`${message} Waiting ${seconds} s.`),
  });
  if (options.json) await printJson({ origin: worker.origin, purged, left, error: error?.message ?? null });
  else if (purged.length > 0) await print(purged.join("\n"));
  if (error === undefined) return;
  const count = Object.values(left).flat().length;
  const advice = error.retryAfterSeconds === undefined ? "" : ` Or wait for it: --wait ${error.retryAfterSeconds}.`;
  throw new CommandError(`${count === 1 ? "1 id was" : `${count} ids were`} not purged: ${error.message}${advice}`);
}

function findWorker(url: string | undefined): Worker {
  if (url !== undefined) return workerAt(url, "--url");
  const worker = runningWorker();
  if (worker === undefined) throw usageError("No Worker: give --url and PURGE_SECRET, or start `npm run dev`.");
  return worker;
}

/** Ids of the command line, and those of stdin in the place where it was named. */
async function withStdin(changed: Changed): Promise<Changed> {
  const kinds = Object.entries(changed).filter(([_, ids]) => ids.includes(STDIN));
  if (kinds.length > 1) throw usageError("Only one option may be given -: stdin is one list.");
  const all: Record<string, readonly string[]> = { ...changed };
  for (const [kind, ids] of kinds) {
    all[kind] = [...ids.filter((id) => id !== STDIN), ...(await readIds())];
  }
  if (Object.values(all).flat().length === 0) throw usageError("Nothing to purge: name an id (see --help).");
  return all;
}

async function readIds(): Promise<string[]> {
  const words = (await text(context().stdin)).split(/\s+/).filter((word) => word !== "");
  const wrong = words.find((word) => !isUuid(word));
  if (wrong !== undefined) throw usageError(`Not an id on stdin: ${JSON.stringify(wrong.slice(0, 40))}.`);
  return words.map(parseId);
}

function parseIdOrStdin(word: string, previous: string[] = []): string[] {
  return [...previous, word === STDIN ? STDIN : parseId(word)];
}

export default await command(import.meta, () =>
  createProgram("purge")
    .usage("[options]     (npm run purge -- …)")
    .description("Purges the edge's cache of all that depends on what has changed, with the secret PURGE_SECRET.")
    .option("--company <id...>", "companies that have changed", parseIdOrStdin)
    .option("--application <id...>", "applications", parseIdOrStdin)
    .option("--process <id...>", "processes", parseIdOrStdin)
    .option("--key <id...>", "API keys", parseIdOrStdin)
    .option("--resource-type <id...>", "machine sizes", parseIdOrStdin)
    .option("--url <origin>", "of the Worker (default: a running `npm run dev`)")
    .option("--wait <seconds>", "how long to wait in all where the Worker says when to try again", parseWholeNumber, 0)
    .option("--json", "print an object")
    .addHelpText("after", NOTES)
    .action(purgeChanged),
);
