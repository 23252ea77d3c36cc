import { createInterface } from "node:readline/promises";
import { context } from "../../node/context.ts";
import { CommandError, usageError } from "../../node/errors.ts";

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
  if (!/^y(es)?$/i.test((await ask(`${await question()} [y/N] `)).trim())) {
    throw new CommandError("Nothing was changed.");
  }
}

/** @returns an empty answer for Ctrl-C and Ctrl-D */
async function ask(question: string): Promise<string> {
  const { stdin, stderr } = context();
  const terminal = createInterface({ input: stdin, output: stderr });
  const closed = new AbortController();
  terminal.once("close", () => closed.abort());
  try {
    return await terminal.question(question, { signal: closed.signal });
  } catch {
    stderr.write("\n");
    return "";
  } finally {
    terminal.close();
  }
}
