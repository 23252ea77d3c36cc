import { createInterface } from "node:readline/promises";
import { context } from "../../node/context.ts";
import { CommandError, printable, usageError } from "../../node/errors.ts";

/**
 * Lets a person think again; a script says `--yes`.
 *
 * @param isConfirmed said already
 * @param question only asked for where there is a terminal to put it to
 * @throws CommandError if the answer is anything but yes, or there is nobody to ask
 */
export async function confirm(isConfirmed: boolean | undefined, question: () => Promise<string>): Promise<void> {
  if (isConfirmed) return;
  const { stdin, stderr } = context();
  if (!stdin.isTTY || !stderr.isTTY) {
    throw usageError("This asks for confirmation, and there is no terminal to ask at: add --yes.");
  }
  const words = `${printable(await question())} [y/N] `;
  const terminal = createInterface({ input: stdin, output: stderr });
  // Ctrl-C and Ctrl-D close the terminal.
  const closed = new AbortController();
  terminal.once("close", () => closed.abort());
  const answer = await terminal.question(words, { signal: closed.signal }).catch(() => "");
  terminal.close();
  if (/^y(es)?$/i.test(answer.trim())) return;
  throw new CommandError("Nothing was changed.");
}
