// Wrangler, told apart by what it writes for programs, not by what it says to people.
import { context, type OutputEntry } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";
import { note } from "../support/output.ts";
import { runWrangler } from "./wrangler-process.ts";

/** How a run of wrangler ended that did not fail. */
export interface WranglerResult {
  stdout: string;
  entries: OutputEntry[];
}

/** Wrangler failed, and has said why on stderr. */
export class WranglerError extends CommandError {
  /**
   * The code of Cloudflare's API, such as 10007 for a Worker that does not exist; undefined if it was not the API
   * that refused.
   */
  readonly code: number | undefined;

  constructor(command: string, code: number | undefined) {
    super(
      `wrangler ${command} failed${code === undefined ? "" : ` with the API's code ${code}`}; what it said stands above.${ADVICE[code ?? 0] ?? ""}`,
    );
    this.code = code;
  }
}

/** What Cloudflare refuses of wrangler.toml as it is here. */
const ADVICE: Partial<Record<number, string>> = {
  // https://github.com/cloudflare/workers-sdk/issues/8756 (read 2026-11-30)
  100328: " Workers Free takes no [limits]: delete them, and set crons = [] (src/cli/README.md, Free plans).",
  // https://github.com/cloudflare/cloudflare-docs/issues/29844 (read 2026-11-25)
  10089: " Turn Analytics Engine on in the dashboard: Workers & Pages, Analytics Engine.",
};

export interface WranglerOptions {
  /** By name. Wrangler reads them from a file that only this user may read and that is gone when it has ended. */
  secrets?: Record<string, string>;
  /** Codes of the API that the caller knows what to do with: nothing is shown, then. */
  expects?: readonly number[];
  /** Whether the output is for the caller alone. */
  isQuiet?: boolean;
}

/**
 * Runs wrangler in the project's folder, with its credentials from the environment or from `wrangler login`. It shows
 * what it says on stderr.
 *
 * @param args a command and its options; never a secret: every user of the machine can read them
 * @throws WranglerError
 */
export async function wrangler(args: readonly string[], options: WranglerOptions = {}): Promise<WranglerResult> {
  const run = context().wrangler ?? runWrangler;
  const { exitCode, stdout, stderr, entries } = await run(args, options.secrets);
  const code = codeOf(entries);
  const isExpected = exitCode === 0 ? options.isQuiet : code !== undefined && options.expects?.includes(code);
  if (!isExpected) note(`$ wrangler ${args.join(" ")}\n${`${stdout}${stderr}`.trim()}\n`);
  if (exitCode !== 0) throw new WranglerError(commandOf(args), code);
  return { stdout, entries };
}

/** `versions upload`, without the options. */
function commandOf(args: readonly string[]): string {
  const options = args.findIndex((arg) => arg.startsWith("-"));
  return (options < 0 ? args : args.slice(0, options)).join(" ");
}

function codeOf(entries: readonly OutputEntry[]): number | undefined {
  const code = entries.find(({ type }) => type === "command-failed")?.code;
  return typeof code === "number" ? code : undefined;
}

/** The entry of a type that a command writes if it succeeds. */
export function entryOf({ entries }: WranglerResult, type: string): OutputEntry {
  const entry = entries.find((candidate) => candidate.type === type);
  if (entry === undefined) throw new CommandError(`Wrangler has not told what became of it: no entry "${type}".`);
  return entry;
}
