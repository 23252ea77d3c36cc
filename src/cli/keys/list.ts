import type { Command } from "commander";
import { findDatabase, withDatabase } from "../support/database.ts";
import { note, print, printJson } from "../support/output.ts";
import { parseId } from "../support/parse.ts";
import { UNCOUNTED_USES } from "./edge.ts";
import { formatKey, formatKeys } from "./format.ts";
import { findCompany, readKey, readKeys } from "./read.ts";

export function defineList(program: Command): void {
  program
    .command("list")
    .summary("all keys, or those of a company")
    .description(
      "Lists keys by company and age, with a line for each of their tokens. EXPIRES is of the token, or of the key if that is sooner; LAST USED is of the token, or of the key if it has none.",
    )
    .option("--company <id or name>", "of this company alone: an id, or the exact name")
    .option("--json", "print a list of objects (see `keys --help`)")
    .addHelpText("after", `\n${UNCOUNTED_USES}`)
    .action(async ({ company, json }: { company?: string; json?: boolean }) => {
      const keys = await withDatabase(findDatabase(), async (db) =>
        readKeys(db, company === undefined ? undefined : (await findCompany(db, company)).id),
      );
      if (json) return printJson(keys);
      return keys.length === 0 ? note("There are no keys.") : print(formatKeys(keys));
    });

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
