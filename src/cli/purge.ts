// `npm run purge`: ends the reuse of what the edge holds, for operators.
import { text } from "node:stream/consumers";
import { context } from "../node/context.ts";
import { CommandError, usageError } from "../node/errors.ts";
import { PURGE_LIMIT, PURGES } from "../worker/shared/limits.ts";
import { isUuid } from "../worker/shared/uuid.ts";
import { note, print, printJson } from "./support/output.ts";
import { parseId, parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";
import { purgeAll, runningWorker, workerAt } from "./support/purge.ts";

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
An id purges every response that was made of it; the id of an application or a company
also its lists. Options may be repeated and combined. One of them may be given - instead
of an id: ids are then read from stdin, with white space between.

Ids go in calls of ${PURGES.maxTagsPerCall} tags at most. On any plan the platform takes
${PURGES.callsPerMinute} calls a minute, with bursts of ${PURGES.bucketSize}, of ${PURGES.maxTagsPerCall} operations each:
https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits
The Worker itself takes ${PURGE_LIMIT.requests} calls a minute from one address. Purging twice does no harm.

Prints the tags that were purged, a line each; with --json an object:
  origin  of the Worker
  purged  [tag]
  left    what was not purged: { companies: [id], applications: [id],
          processes: [id], keys: [id], resource_types: [id] }, {} if all was
  error   why not, or null

Exit codes: 0 all was purged; 1 not all was; 2 the command or the environment is wrong.

Examples:
  PURGE_SECRET=… npm run purge -- --url https://api.example.com --key <id>
  psql -Atc 'select id from processes' "$DATABASE_URL" |
    npm run purge -- --process - --wait 60`;

async function purge({ url, wait: waitSeconds, json, ...ids }: PurgeOptions): Promise<void> {
  const worker = url === undefined ? runningWorker() : workerAt(url, "--url");
  if (worker === undefined) throw usageError("No Worker: give --url and PURGE_SECRET, or start `npm run dev`.");
  const given = [ids.company, ids.application, ids.process, ids.key, ids.resourceType];
  if (given.filter((some) => some?.includes(STDIN)).length > 1) {
    throw usageError("Only one option may be given -: stdin is one list.");
  }
  const fromStdin = given.flat().includes(STDIN) ? await readIds() : [];
  const [companies = [], applications = [], processes = [], keys = [], resource_types = []] = given.map((some) =>
    some?.flatMap((id) => (id === STDIN ? fromStdin : id)),
  );
  const changed = { companies, applications, processes, keys, resource_types };
  if (Object.values(changed).flat().length === 0) throw usageError("Nothing to purge: name an id (see --help).");
  const { purged, left, error } = await purgeAll(worker, changed, {
    waitSeconds,
    onWait: (seconds, { message }) => note(`${message} Waiting ${seconds} s.`),
  });
  if (json) await printJson({ origin: worker.origin, purged, left, error: error?.message ?? null });
  else if (purged.length > 0) await print(purged.join("\n"));
  if (error === undefined) return;
  const count = Object.values(left).flat().length;
  const advice = error.retryAfterSeconds === undefined ? "" : ` Or wait for it: --wait ${error.retryAfterSeconds}.`;
  throw new CommandError(`${count === 1 ? "1 id was" : `${count} ids were`} not purged: ${error.message}${advice}`);
}

async function readIds(): Promise<string[]> {
  const words = (await text(context().stdin)).split(/\s+/).filter((word) => word !== "");
  const wrong = words.find((word) => !isUuid(word));
  if (wrong !== undefined) throw usageError(`Not an id on stdin: ${JSON.stringify(wrong.slice(0, 40))}.`);
  return words.map(parseId);
}

const parseIdOrStdin = (word: string, previous: string[] = []): string[] => [
  ...previous,
  word === STDIN ? STDIN : parseId(word),
];

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
    .action(purge),
);
