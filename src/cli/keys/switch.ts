// Subcommands that take a key's use away, or give it back.
import type { Command } from "commander";
import { type Database, findDatabase, withDatabase } from "../../node/database.ts";
import { confirm } from "../support/confirm.ts";
import { note, printJson } from "../support/output.ts";
import { parseId } from "../support/parse.ts";
import { revokeKey, setEnabled } from "./change.ts";
import { findEdge, settle } from "./edge.ts";
import { formatKey } from "./format.ts";
import { type ConfirmOptions, type EdgeOptions, withConfirmOptions, withEdgeOptions } from "./options.ts";
import { questionAbout } from "./question.ts";
import type { Key } from "./read.ts";

interface SwitchOptions extends ConfirmOptions, EdgeOptions {
  json?: boolean;
}

interface Switch {
  name: string;
  summary: string;
  description: string;
  notes: string;
  /** Asked before; undefined: not worth asking. */
  question?: string;
  change(db: Database, id: string): Promise<{ key: Key; isChanged: boolean }>;
  done: string;
  doneBefore: string;
}

const AGAIN = `Where it is so already, nothing changes, but the edge is purged all the same:
that makes up for a purge that failed.`;

const SWITCHES: Switch[] = [
  {
    name: "disable",
    summary: "refuse a key until it is enabled again",
    description: "Has every token of a key refused, until the key is enabled again. Asks first.",
    notes: AGAIN,
    question: "Disable",
    change: (db, id) => setEnabled(db, id, false),
    done: "Disabled a key.",
    doneBefore: "The key was disabled before.",
  },
  {
    name: "enable",
    summary: "let a disabled key be used again",
    description: "Lets a disabled key be used again. The edge keeps no refusals: it works at once.",
    notes: AGAIN,
    change: (db, id) => setEnabled(db, id, true),
    done: "Enabled a key.",
    doneBefore: "The key was enabled before.",
  },
  {
    name: "revoke",
    summary: "end a key for good",
    description: "Ends every token of a key, at once and for good: they are deleted. Asks first.",
    notes: `The key stays in the list for the record: what it could do, when it was last
used, and who issued and revoked it, and when. It cannot be rotated or enabled
again.

${AGAIN}`,
    question: "Revoke, for good,",
    change: revokeKey,
    done: "Revoked a key.",
    doneBefore: "The key was revoked before.",
  },
];

export function defineSwitches(program: Command): void {
  for (const item of SWITCHES) {
    const command = program
      .command(item.name)
      .summary(item.summary)
      .description(item.description)
      .argument("<key id>", "as `list` shows it", parseId)
      .option("--json", "print the key as an object (see `keys --help`)");
    if (item.question !== undefined) withConfirmOptions(command);
    withEdgeOptions(command)
      .addHelpText("after", `\n${item.notes}`)
      .action((id: string, options: SwitchOptions) => flip(item, id, options));
  }
}

async function flip(item: Switch, id: string, options: SwitchOptions): Promise<void> {
  const target = findDatabase();
  const edge = findEdge(options.purgeUrl, target);
  const { key, isChanged } = await withDatabase(target, async (db) => {
    const { question } = item;
    if (question !== undefined) await confirm(options.yes, () => questionAbout(db, target, id, question));
    return item.change(db, id);
  });
  note(isChanged ? item.done : item.doneBefore);
  try {
    if (options.json) await printJson(key);
    else note(formatKey(key));
  } finally {
    // Whether or not anybody reads of it.
    await settle(edge, id, {});
  }
}
