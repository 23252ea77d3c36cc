import type { Command } from "commander";
import { findDatabase, withDatabase } from "../../node/database.ts";
import { note, print, printJson } from "../support/output.ts";
import { parseCount, parseId } from "../support/parse.ts";
import { UNCOUNTED_USES } from "./edge.ts";
import { formatKey, formatKeys } from "./format.ts";
import { findCompany, readKey, readKeys } from "./read.ts";

interface ListOptions {
  company?: string;
  limit: number;
  after?: string;
  json?: boolean;
}

async function listKeys({ company, limit, after, json }: ListOptions): Promise<void> {
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

export function defineList(program: Command): void {
  program
    .command("list")
    .summary("a page of all keys, or of those of a company")
    .description(
      "Lists keys by company (in the order of their ids) and age, with a line for each of their tokens. EXPIRES is of the token, or of the key if that is sooner; LAST USED is of the token, or of the key if it has none.",
    )
    .option("--company <id or name>", "of this company alone: an id, or the exact name")
    .option("--limit <number>", "print at most this many", parseCount, 50)
    .option("--after <key id>", "continue after this key, the last of the previous page", parseId)
    .option("--json", "print a list of objects (see `keys --help`)")
    .addHelpText("after", `\n${UNCOUNTED_USES}`)
    .action(listKeys);

  program
    .command("show")
    .summary("all that is known of a key")
    .description(
      "Shows a key: its tokens, masked, what it may do, when it was used, and who has done what to it, and when.",
    )
    .argument("<key id>", "as `list` shows it", parseId)
    .option("--json", "print an object (see `keys --help`)")
    .addHelpText("after", `\n${UNCOUNTED_USES}`)
    .action(async (id: string, { json }: { json?: boolean }) => {
      const key = await withDatabase(findDatabase(), (db) => readKey(db, id));
      return json ? printJson(key) : print(formatKey(key));
    });
}
