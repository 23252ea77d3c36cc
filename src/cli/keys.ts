// `npm run keys`: API keys, for operators.
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Database, type DatabaseTarget, findDatabase, withDatabase } from "../node/database.ts";
import { CommandError } from "../node/errors.ts";
import { apiKeyPermission } from "../worker/resources/api-key/table.ts";
import {
  type Change,
  type IssuedKey,
  issueKey,
  MAX_LIVE_TOKENS,
  revokeKey,
  rotateKey,
  setEnabled,
} from "./keys/change.ts";
import { BOUNDS, findEdge, settle, UNCOUNTED_USES } from "./keys/edge.ts";
import { formatKey, formatKeys, JSON_SHAPE } from "./keys/format.ts";
import { findCompany, type Permission, readKey, readKeys } from "./keys/read.ts";
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

const NOTES = `
${JSON_SHAPE}
  token         of \`issue\` and \`rotate\` only

The database is that of DATABASE_URL, or of a running \`npm run dev\`.

After a change, the edge is to be purged: with --purge-url, or later with
npm run purge -- --key <id>. That of \`npm run dev\` is purged unasked. Else:
${BOUNDS}

Exit codes: 0 done; 1 not done; 2 the command or the environment is wrong;
3 done, but the purge failed.`;

const JSON_OPTION = ["--json", "print the key as an object (see `keys --help`)"] as const;
const QUIET_OPTION = ["--quiet", "no more than the token, and errors"] as const;
const YES_OPTION = ["--yes", "do not ask"] as const;
const PURGE_OPTION = [
  "--purge-url <origin>",
  "purge this Worker's cache, with the secret PURGE_SECRET of the environment (default: a running `npm run dev`, if it is its database)",
] as const;
const KEY_ID = ["<key id>", "as `list` shows it", parseId] as const;

const MAX_NAME_LENGTH = 255;

function parseName(text: string): string {
  const { length } = [...text];
  if (length >= 1 && length <= MAX_NAME_LENGTH) return text;
  throw new InvalidArgumentError(`Expected 1 to ${MAX_NAME_LENGTH} characters.`);
}

interface IssueOptions extends Options {
  company: string;
  name: string;
  permission: Permission[];
  application?: string[];
  expires?: Date | number;
}

const defineIssue = (program: Command): Command =>
  program
    .command("issue")
    .description(
      "Makes a key and prints its token on stdout, this once: it is stored nowhere. All else goes to stderr.",
    )
    .requiredOption("--company <id or name>", "whose key it is: an id, or the exact name")
    .requiredOption("--name <name>", "for people", parseName)
    .addOption(
      new Option("--permission <permission...>", "what it may do")
        .choices(apiKeyPermission.enumValues)
        .default(["APP:READ"], "APP:READ"),
    )
    .option("--application <id...>", "to these applications only (default: to all of the company)", parseIds)
    .option("--expires <when>", "90d, 12h, 2027-01-31 (UTC) or 2027-01-31T12:00:00Z (default: never)", parseEnding)
    .option(...JSON_OPTION)
    .option(...QUIET_OPTION)
    .addHelpText(
      "after",
      `
Examples:
  npm run keys -- issue --company "Example Company" --name CI --expires 90d
  npm run keys -- issue --company "Example Company" --name "My App only" \\
    --application 00000000-0000-4000-8000-000000000011
  TOKEN=$(npm run -s keys -- issue --company "Example Company" --name CI --quiet)

The edge keeps no refusals: a new key works at once, without a purge.`,
    )
    .action(async ({ company, name, permission, application, expires, ...options }: IssueOptions) => {
      const permissions = [...new Set(permission)];
      const request = { company, name, permissions, applications: [...new Set(application)], expires };
      await printToken("Issued a key.", await withDatabase(findDatabase(), (db) => issueKey(db, request)), options);
    });

/** Prints a token that has just been made. @throws CommandError if nobody reads it; it is lost then */
async function printToken(done: string, { key, token }: IssuedKey, { json, quiet }: Options): Promise<void> {
  if (!quiet) note(`${done}\n${formatKey(key)}\nIts token, this once:`);
  try {
    await (json ? printJson({ ...key, token }) : print(token));
  } catch {
    throw new CommandError(
      `The token could not be written and is lost; the key ${key.id} stands. Rotate or revoke it.`,
    );
  }
}

interface ListOptions {
  company?: string;
  limit: number;
  after?: string;
  json?: boolean;
}

const defineList = (program: Command): Command =>
  program
    .command("list")
    .summary("a page of all keys, or of those of a company")
    .description(
      "Lists keys by company (in the order of their ids) and age, with a line for each of their tokens. EXPIRES is of the token, or of the key if that is sooner; LAST USED is of the token, or of the key if it has none.",
    )
    .option("--company <id or name>", "of this company only: an id, or the exact name")
    .option("--limit <number>", "print at most this many", parseCount, 50)
    .option("--after <key id>", "continue after this key, the last of the previous page", parseId)
    .option("--json", "print a list of objects (see `keys --help`)")
    .addHelpText("after", UNCOUNTED_USES)
    .action(async ({ company, limit, after, json }: ListOptions) => {
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
    });

const defineShow = (program: Command): Command =>
  program
    .command("show")
    .description(
      "Shows a key: its tokens, masked, what it may do, when it was used, and who has done what to it, and when.",
    )
    .argument(...KEY_ID)
    .option(...JSON_OPTION)
    .addHelpText("after", UNCOUNTED_USES)
    .action(async (id: string, { json }: Options) => {
      const key = await withDatabase(findDatabase(), (db) => readKey(db, id));
      return json ? printJson(key) : print(formatKey(key));
    });

const HOUR_MS = 3_600_000;
const MAX_OVERLAP_HOURS = 168;

function parseOverlap(text: string): number {
  const ms = parseDuration(text);
  if (ms <= MAX_OVERLAP_HOURS * HOUR_MS) return ms;
  throw new InvalidArgumentError(`Expected ${MAX_OVERLAP_HOURS}h at most.`);
}

const defineRotate = (program: Command): Command =>
  program
    .command("rotate")
    .description("Gives a key a new token, printed on stdout, this once, and the old ones a while to live.")
    .argument(...KEY_ID)
    .addOption(
      new Option("--overlap <duration>", `for the old tokens, 0 to ${MAX_OVERLAP_HOURS}h`)
        .argParser(parseOverlap)
        .default(24 * HOUR_MS, "24h"),
    )
    .option(...JSON_OPTION)
    .option(...QUIET_OPTION)
    .option(...YES_OPTION)
    .option(...PURGE_OPTION)
    .addHelpText(
      "after",
      `
Every token that the key has now ends after the overlap, or sooner if it was to
end sooner. With --overlap 0 they end at once, and the command asks first.

Two rotations at once take turns: each prints a token of its own, and the other
tokens get the overlap, also the one that was printed a moment ago. A key has at
most ${MAX_LIVE_TOKENS} live tokens; a rotation that would make more is refused.

A disabled key stays disabled. An expired or a revoked one cannot be rotated.

Examples:
  npm run keys -- rotate 00000000-0000-4000-8000-000000000201 --overlap 7d
  TOKEN=$(npm run -s keys -- rotate 00000000-0000-4000-8000-000000000201 --quiet)`,
    )
    .action((id: string, { overlap, ...options }: Options & { overlap: number }) =>
      change(id, options, {
        question: overlap === 0 ? "End every token of" : undefined,
        work: (db) => rotateKey(db, id, overlap),
        // Before the purge: whatever becomes of that, the token is had.
        report: (rotated) => printToken("Rotated a key.", rotated, options),
      }),
    );

interface Switch {
  description: string;
  notes?: string;
  /** Asked before; undefined: not worth asking. */
  question?: string;
  work(db: Database, id: string): Promise<Change>;
}

/** What takes a key's use away, or gives it back, by the name of the command. */
const SWITCHES: Record<string, Switch> = {
  disable: {
    description: "Has every token of a key refused, until the key is enabled again. Asks first.",
    question: "Disable",
    work: (db, id) => setEnabled(db, id, false),
  },
  enable: {
    description: "Lets a disabled key be used again. The edge keeps no refusals: it works at once.",
    work: (db, id) => setEnabled(db, id, true),
  },
  revoke: {
    description: "Ends every token of a key, at once and for good: they are deleted. Asks first.",
    notes: `
The key stays in the list for the record: what it could do, when it was last
used, and who issued and revoked it, and when. It cannot be rotated or enabled
again.
`,
    question: "Revoke, for good,",
    work: revokeKey,
  },
};

function defineSwitch(program: Command, name: string, { description, notes = "", question, work }: Switch): void {
  const done = `${name}${name.endsWith("e") ? "d" : "ed"}`;
  const item = program
    .command(name)
    .description(description)
    .argument(...KEY_ID)
    .option(...JSON_OPTION);
  if (question !== undefined) item.option(...YES_OPTION);
  item
    .option(...PURGE_OPTION)
    .addHelpText(
      "after",
      `${notes}
Where it is so already, nothing changes, but the edge is purged all the same:
that makes up for a purge that failed.`,
    )
    .action((id: string, options: Options) =>
      change(id, options, {
        question,
        work: (db) => work(db, id),
        report: async ({ key, isChanged }) => {
          note(isChanged ? `${done[0]?.toUpperCase()}${done.slice(1)} a key.` : `The key was ${done} before.`);
          if (options.json) await printJson(key);
          else note(formatKey(key));
        },
      }),
    );
}

interface Work<T> {
  question: string | undefined;
  work(db: Database): Promise<T>;
  report(result: T): Promise<void>;
}

/** Changes a key, once that is confirmed, and then purges the edge, whether or not anybody reads of the change. */
async function change<T>(id: string, options: Options, { question, work, report }: Work<T>): Promise<void> {
  const target = findDatabase();
  const edge = findEdge(options.purgeUrl, target);
  const result = await withDatabase(target, async (db) => {
    if (question !== undefined) await confirm(options.yes, () => questionAbout(db, target, id, question));
    return work(db);
  });
  try {
    await report(result);
  } finally {
    await settle(edge, id, options.quiet);
  }
}

/** Names the key and the database, so that nobody says yes to another one. */
async function questionAbout(db: Database, target: DatabaseTarget, id: string, act: string): Promise<string> {
  const { name, company, tokens } = await readKey(db, id);
  const masked = tokens.map(({ masked_token }) => masked_token).join(", ");
  return `${act} "${name}" of ${company.name} (${masked || "no token"}) on ${target.name}?`;
}

export default await command(import.meta, () => {
  const program = createProgram("keys")
    .usage("<command> [options]     (npm run keys -- <command> …)")
    .description(
      "Makes, shows, rotates and ends API keys. Only a SHA-256 of a token and four digits of either end are stored.",
    )
    .addHelpText("after", NOTES);
  for (const define of [defineIssue, defineList, defineShow, defineRotate]) define(program);
  for (const [name, item] of Object.entries(SWITCHES)) defineSwitch(program, name, item);
  return program;
});
