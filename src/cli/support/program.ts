import { Command, CommanderError } from "commander";
import { CommandError, EXIT_CODE } from "./errors.ts";
import { note } from "./output.ts";

/** A command whose mistakes in use are one line each. Run it with {@link run}. */
export function createProgram(name: string): Command {
  return new Command(name)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text) => note(withoutTokens(oneLine(text))) });
}

/** Parses the command line and does what it says; what fails becomes one line on stderr and the exit code. */
export async function run(program: Command): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

function report(error: unknown): number {
  // Commander has written its own line, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODE.usage;
  if (error instanceof CommandError) {
    note(withoutTokens(`error: ${oneLine(error.message)}`));
    return error.exitCode;
  }
  // A fault of the program, whose stack tells where.
  note(withoutTokens(String(error instanceof Error ? error.stack : error)));
  return EXIT_CODE.failed;
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, " ");

/** Who types a token where an id belongs must not find it in a log of errors. */
const withoutTokens = (text: string): string => text.replaceAll(/(svl_[0-9a-f]{2})[0-9a-f]{58,}/gi, "$1…");
