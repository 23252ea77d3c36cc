import { type Command, InvalidArgumentError, Option } from "commander";
import { findDatabase, withDatabase } from "../../node/database.ts";
import { confirm } from "../support/confirm.ts";
import { note } from "../support/output.ts";
import { parseDuration, parseId } from "../support/parse.ts";
import { MAX_LIVE_TOKENS, rotateKey } from "./change.ts";
import { findEdge, settle } from "./edge.ts";
import { formatKey } from "./format.ts";
import {
  type ConfirmOptions,
  type EdgeOptions,
  printToken,
  type TokenOptions,
  withConfirmOptions,
  withEdgeOptions,
  withTokenOptions,
} from "./options.ts";
import { questionAbout } from "./question.ts";

interface RotateOptions extends TokenOptions, EdgeOptions, ConfirmOptions {
  /** In milliseconds. */
  overlap: number;
}

const HOUR_MS = 3_600_000;
const DEFAULT_OVERLAP_HOURS = 24;
const MAX_OVERLAP_HOURS = 168;

const NOTES = `
Every token that the key has now ends after the overlap, or sooner if it was to
end sooner. With --overlap 0 they end at once, and the command asks first.

Two rotations at once take turns: each prints a token of its own, and the other
tokens get the overlap, also the one that was printed a moment ago. A key has at
most ${MAX_LIVE_TOKENS} live tokens; a rotation that would make more is refused.

A disabled key stays disabled. An expired or a revoked one cannot be rotated.

Examples:
  npm run keys -- rotate 00000000-0000-4000-8000-000000000201 --overlap 7d
  TOKEN=$(npm run -s keys -- rotate 00000000-0000-4000-8000-000000000201 --quiet)`;

export function defineRotate(program: Command): void {
  const command = program
    .command("rotate")
    .summary("give a key a new token, and the old ones a while to live")
    .description("Gives a key a new token, which goes to stdout, this once. All else goes to stderr.")
    .argument("<key id>", "as `list` shows it", parseId)
    .addOption(
      new Option("--overlap <duration>", `for the old tokens, 0 to ${MAX_OVERLAP_HOURS}h`)
        .argParser(parseOverlap)
        .default(DEFAULT_OVERLAP_HOURS * HOUR_MS, `${DEFAULT_OVERLAP_HOURS}h`),
    );
  withEdgeOptions(withConfirmOptions(withTokenOptions(command)))
    .addHelpText("after", NOTES)
    .action(rotate);
}

async function rotate(id: string, options: RotateOptions): Promise<void> {
  const target = findDatabase();
  const edge = findEdge(options.purgeUrl, target);
  const rotated = await withDatabase(target, async (db) => {
    if (options.overlap === 0) await confirm(options.yes, () => questionAbout(db, target, id, "End every token of"));
    return rotateKey(db, id, options.overlap);
  });
  if (!options.quiet) note(`Rotated a key.\n${formatKey(rotated.key)}\nIts new token, this once:`);
  try {
    // Before the purge: whatever becomes of that, the token is had.
    await printToken(rotated, options);
  } finally {
    await settle(edge, id, options);
  }
}

function parseOverlap(text: string): number {
  const ms = parseDuration(text);
  if (ms <= MAX_OVERLAP_HOURS * HOUR_MS) return ms;
  throw new InvalidArgumentError(`Expected ${MAX_OVERLAP_HOURS}h at most.`);
}
