// `npm run purge`: ends the reuse of what the edge holds, for operators.
import { text } from "node:stream/consumers";
import { context } from "../node/context.ts";
import { CommandError, usageError } from "../node/errors.ts";
import { PURGE_LIMIT, PURGES } from "../worker/shared/limits.ts";
import { isUuid } from "../worker/shared/uuid.ts";
import { note, print, printJson } from "./support/output.ts";
import { parseId, parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";
import { type Changed, KINDS, purgeAll, runningWorker, workerAt } from "./support/purge.ts";

interface PurgeOptions {
  url?: string;
  wait: number;
  json?: boolean;
}

type Ids = Record<keyof Changed, string[]>;

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

Examples:
  PURGE_SECRET=… npm run purge -- --url https://api.example.com --key <id>
  psql -Atc 'select id from processes' "$DATABASE_URL" |
    npm run purge -- --process - --wait 60`;

async function purge(named: Ids, { url, wait: waitSeconds, json }: PurgeOptions): Promise<void> {
  const worker = url === undefined ? runningWorker() : workerAt(url, "--url");
  if (worker === undefined) throw usageError("No Worker: give --url and PURGE_SECRET, or start `npm run dev`.");
  const changed: Ids = { ...named };
  const [kind, another] = KINDS.filter((kind) => named[kind].includes(STDIN));
  if (another !== undefined) throw usageError("Only one option may be given -: stdin is one list.");
  if (kind !== undefined) {
    const fromStdin = await readIds();
    changed[kind] = named[kind].flatMap((id) => (id === STDIN ? fromStdin : [id]));
  }
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

export default await command(import.meta, () => {
  const named: Ids = { companies: [], applications: [], processes: [], keys: [], resource_types: [] };
  const into = (kind: keyof Ids) => (word: string) => named[kind].push(word === STDIN ? STDIN : parseId(word));
  return createProgram("purge")
    .description("Purges the edge's cache of all that depends on what has changed, with the secret PURGE_SECRET.")
    .option("--company <id...>", "companies that have changed", into("companies"))
    .option("--application <id...>", "applications", into("applications"))
    .option("--process <id...>", "processes", into("processes"))
    .option("--key <id...>", "API keys", into("keys"))
    .option("--resource-type <id...>", "machine sizes", into("resource_types"))
    .option("--url <origin>", "of the Worker (default: a running `npm run dev`)")
    .option("--wait <seconds>", "how long to wait in all where the Worker says when to try again", parseWholeNumber, 0)
    .option("--json", "print an object")
    .addHelpText("after", NOTES)
    .action((options: PurgeOptions) => purge(named, options));
});
