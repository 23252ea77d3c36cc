// `npm run keys`: API keys, for operators.
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Database, type DatabaseTarget, findDatabase, withDatabase } from "../node/database.ts";
import { CommandError } from "../node/errors.ts";
import { apiKeyPermission } from "../worker/resources/api-key/table.ts";
import * as changes from "./keys/change.ts";
import { BOUNDS, findEdge, settle, UNCOUNTED_USES } from "./keys/edge.ts";
import { formatKey, formatKeys, JSON_SHAPE } from "./keys/format.ts";
import { findCompany, type Key, readKey, readKeys } from "./keys/read.ts";
import { confirm } from "./support/confirm.ts";
import { note, print, printJson } from "./support/output.ts";
import { parseCount, parseDuration, parseEnding, parseId, parseIds } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

interface Options {
  json?: boolean;
  quiet?: boolean;
  yes?: boolean;
  purgeUrl?: string;
}

interface ListOptions extends Options {
  company?: string;
  limit: number;
  after?: string;
}

const NOTES = `
${JSON_SHAPE}
  token         of \`issue\` and \`rotate\` only

The database is that of DATABASE_URL, or of a running \`npm run dev\`.

After a change, the edge is to be purged: with --purge-url, or later with
npm run purge -- --key <id>. That of \`npm run dev\` is purged unasked. Else:
${BOUNDS}`;

const LIST_NOTES = `\
EXPIRES is of the token, or of the key if that is sooner; LAST USED is of the token, or
of the key if it has none.`;

const ROTATE_NOTES = `
Every token that the key has now ends after the overlap, or sooner if it was to end
sooner. With --overlap 0 they end at once, and the command asks first. A key has at most
${changes.MAX_LIVE_TOKENS} live tokens. A disabled key stays disabled. An expired or a revoked one cannot be rotated.`;

const AGAIN = `
Where it is so already, nothing changes, but the edge is purged all the same:
that makes up for a purge that failed.`;

const MAX_NAME_LENGTH = 255;
const HOUR_MS = 3_600_000;
const MAX_OVERLAP_HOURS = 168;

function parseName(text: string): string {
  const { length } = [...text];
  if (length >= 1 && length <= MAX_NAME_LENGTH) return text;
  throw new InvalidArgumentError(`Expected 1 to ${MAX_NAME_LENGTH} characters.`);
}

function parseOverlap(text: string): number {
  const ms = parseDuration(text);
  if (ms <= MAX_OVERLAP_HOURS * HOUR_MS) return ms;
  throw new InvalidArgumentError(`Expected ${MAX_OVERLAP_HOURS}h at most.`);
}

async function issue(options: Options & changes.KeyRequest): Promise<void> {
  const issued = await withDatabase(findDatabase(), (db) => changes.issueKey(db, options));
  await printToken("Issued a key.", issued, options);
}

/** Prints a token that has just been made. @throws CommandError if nobody reads it; it is lost then */
async function printToken(done: string, { key, token }: changes.IssuedKey, { json, quiet }: Options): Promise<void> {
  if (!quiet) note(`${done}\n${formatKey(key)}\nIts token, this once:`);
  await (json ? printJson({ ...key, token }) : print(token)).catch(() => {
    throw new CommandError(
      `The token could not be written and is lost; the key ${key.id} stands. Rotate or revoke it.`,
    );
  });
}

async function list({ company, limit, after, json }: ListOptions): Promise<void> {
  const found = await withDatabase(findDatabase(), async (db) => {
    const companyId = company === undefined ? undefined : (await findCompany(db, company)).id;
    // One more, to know whether there are more.
    return readKeys(db, { companyId, after, limit: limit + 1 });
  });
  const keys = found.slice(0, limit);
  if (json) await printJson(keys);
  else if (keys.length > 0) await print(formatKeys(keys));
  else note(after === undefined ? "There are no keys." : "There are no more keys.");
  if (found.length > limit) note(`There are more keys: add --after ${keys.at(-1)?.id}`);
}

async function show(id: string, { json }: Options): Promise<void> {
  const key = await withDatabase(findDatabase(), (db) => readKey(db, id));
  await (json ? printJson(key) : print(formatKey(key)));
}

const rotate = (id: string, { overlap, ...options }: Options & { overlap: number }): Promise<void> =>
  change(id, options, overlap === 0 ? "End every token of" : undefined, {
    work: (db) => changes.rotateKey(db, id, overlap),
    // Before the purge: whatever becomes of that, the token is had.
    report: (rotated) => printToken("Rotated a key.", rotated, options),
  });

/** An action that takes a key's use away, or gives it back. @param done the name of the command, in the past */
const switching =
  (done: string, question: string | undefined, work: (db: Database, id: string) => Promise<changes.Change>) =>
  (id: string, options: Options): Promise<void> =>
    change(id, options, question, {
      work: (db) => work(db, id),
      report: async ({ key, isChanged }) => {
        note(isChanged ? `${done} a key.` : `The key was ${done.toLowerCase()} before.`);
        if (options.json) await printJson(key);
        else note(formatKey(key));
      },
    });

interface Work<T> {
  work(db: Database): Promise<T>;
  report(result: T): Promise<void>;
}

/**
 * Changes a key, and then purges the edge, whether or not anybody reads of the change.
 *
 * @param question asked before; undefined: not worth asking
 */
async function change<T>(id: string, options: Options, question: string | undefined, { work, report }: Work<T>) {
  const target = findDatabase();
  const edge = findEdge(options.purgeUrl, target);
  const result = await withDatabase(target, async (db) => {
    if (question !== undefined) await confirm(options.yes, async () => about(question, await readKey(db, id), target));
    return work(db);
  });
  try {
    await report(result);
  } finally {
    await settle(edge, id, options.quiet);
  }
}

/** Names the key and the database, so that nobody says yes to another one. */
function about(question: string, { name, company, tokens }: Key, target: DatabaseTarget): string {
  const masked = tokens.map(({ masked_token }) => masked_token).join(", ") || "no token";
  return `${question} "${name}" of ${company.name} (${masked}) on ${target.name}?`;
}

function define(program: Command): void {
  const subcommand = (name: string, description: string) =>
    program.command(name).description(description).option("--json", "print an object (see `keys --help`)");
  const ofKey = (name: string, description: string) =>
    subcommand(name, description).argument("<key id>", "as `list` shows it", parseId);
  const changing = (name: string, description: string) =>
    ofKey(name, description).option(
      "--purge-url <origin>",
      "purge this Worker's cache, with the secret PURGE_SECRET of the environment (default: a running `npm run dev`, if it is its database)",
    );
  const QUIET = ["--quiet", "no more than the token, and errors"] as const;
  const YES = ["--yes", "do not ask"] as const;

  subcommand("issue", "Makes a key and prints its token on stdout, this once: it is stored nowhere.")
    .requiredOption("--company <id or name>", "whose key it is: an id, or the exact name")
    .requiredOption("--name <name>", "for people", parseName)
    .addOption(
      new Option("--permission <permission...>", "what it may do")
        .choices(apiKeyPermission.enumValues)
        .default(["APP:READ"], "APP:READ"),
    )
    .option("--application <id...>", "to these applications only (default: to all of the company)", parseIds)
    .option("--expires <when>", "90d, 12h, 2027-01-31 (UTC) or 2027-01-31T12:00:00Z (default: never)", parseEnding)
    .option(...QUIET)
    .addHelpText("after", "\nThe edge keeps no refusals: a new key works at once, without a purge.")
    .action(issue);

  subcommand("list", "Lists keys by company (in the order of their ids) and age, with a line for each token.")
    .option("--company <id or name>", "of this company only: an id, or the exact name")
    .option("--limit <number>", "print at most this many", parseCount, 50)
    .option("--after <key id>", "continue after this key, the last of the previous page", parseId)
    .addHelpText("after", `\n${LIST_NOTES}${UNCOUNTED_USES}`)
    .action(list);

  ofKey("show", "Shows a key: its tokens, masked, what it may do, and who has done what to it, and when.")
    .addHelpText("after", UNCOUNTED_USES)
    .action(show);

  changing("rotate", "Gives a key a new token, printed on stdout, this once, and the old ones a while to live.")
    .addOption(
      new Option("--overlap <duration>", `for the old tokens, 0 to ${MAX_OVERLAP_HOURS}h`)
        .argParser(parseOverlap)
        .default(24 * HOUR_MS, "24h"),
    )
    .option(...QUIET)
    .option(...YES)
    .addHelpText("after", ROTATE_NOTES)
    .action(rotate);

  changing("disable", "Has every token of a key refused, until the key is enabled again. Asks first.")
    .option(...YES)
    .addHelpText("after", AGAIN)
    .action(switching("Disabled", "Disable", (db, id) => changes.setEnabled(db, id, false)));

  changing("enable", "Lets a disabled key be used again. The edge keeps no refusals: it works at once.")
    .addHelpText("after", AGAIN)
    .action(switching("Enabled", undefined, (db, id) => changes.setEnabled(db, id, true)));

  changing("revoke", "Ends every token of a key, at once and for good: they are deleted. Asks first.")
    .option(...YES)
    .addHelpText("after", `\nThe key stays in the list for the record. It cannot be rotated or enabled again.${AGAIN}`)
    .action(switching("Revoked", "Revoke, for good,", changes.revokeKey));
}

export default await command(import.meta, () => {
  const program = createProgram("keys")
    .description(
      "Makes, shows, rotates and ends API keys. Only a SHA-256 of a token and four digits of either end are stored.",
    )
    .addHelpText("after", NOTES);
  define(program);
  return program;
});
