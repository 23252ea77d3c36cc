import { CommanderError, Command as Program } from "commander";
import { context } from "../../node/context.ts";
import { CommandError, EXIT_CODE, printable } from "../../node/errors.ts";
import { note } from "./output.ts";

/** A command as a function: takes the arguments, and returns the exit code once it has done what they say. */
export type Command = (args: readonly string[]) => Promise<number>;

/**
 * Makes a command of a file, and runs it if Node was started with that file.
 *
 * @param define called for every run, because a program keeps the options of the last one
 */
export async function command({ main }: ImportMeta, define: () => Program): Promise<Command> {
  const run: Command = async (args) => {
    try {
      await define().parseAsync(args, { from: "user" });
      return 0;
    } catch (error) {
      return report(error);
    }
  };
  if (main) {
    // The write that fails says so itself; without a listener, it would also be an uncaught exception.
    process.stdout.on("error", () => {});
    process.exitCode = await run(process.argv.slice(2));
  }
  return run;
}

const EXIT_CODES = `
Exit codes: 0 done; 1 not done, or something failed; 2 the command or the environment is
wrong, and nothing was tried; 3 done, but the cache was not purged.`;

/** A program whose mistakes in use are one line each. @param name of the script in package.json */
export function createProgram(name: string): Program {
  return new Program(`npm run ${name} --`)
    .addHelpText("afterAll", EXIT_CODES)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => context().stdout.write(text),
      writeErr: (text) => context().stderr.write(text),
      outputError: (text) => note(inOneLine(text)),
    });
}

/** Says on stderr what has failed, in one line. @returns the exit code */
function report(error: unknown): number {
  // Commander has written its own line, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODE.usage;
  if (error instanceof CommandError) {
    note(inOneLine(`error: ${error.message}`));
    return error.exitCode;
  }
  // A fault of the program, whose stack tells where.
  note(withoutTokens(String(error instanceof Error ? error.stack : error)));
  return EXIT_CODE.failed;
}

const inOneLine = (text: string): string => printable(withoutTokens(text.trim().replaceAll(/\s*\n\s*/g, " ")));

/** Who types a token where an id belongs must not find it in a log of errors. */
const withoutTokens = (text: string): string => text.replaceAll(/(svl_[0-9a-f]{2})[0-9a-f]{58,}/gi, "$1…");
