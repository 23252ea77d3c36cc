// Commands of src/cli as functions, in this process.
import { PassThrough, Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import type { Command } from "../../src/cli/support/program.ts";
import { type Context, withContext } from "../../src/node/context.ts";
import type { Outcome } from "./outcome.ts";

export interface CommandOptions extends Partial<Pick<Context, "env" | "fetch" | "now" | "sleep" | "wrangler">> {
  stdin?: string;
  /** The project's folder; by default this one. */
  root?: string;
  /** Nobody reads stdout. */
  closeStdout?: boolean;
  /** There is a terminal, at which this is typed once something is asked. */
  typed?: string;
}

/** Runs a command to its end. Its environment is what `env` says, and nothing else. */
export async function run(command: Command, args: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  const { env = {}, stdin = "", root = process.cwd(), closeStdout = false, typed, wrangler } = options;
  let stdout = "";
  let stderr = "";
  let isAsked = false;
  const terminal = new PassThrough();
  const context: Context = {
    env,
    stdin: typed === undefined ? Readable.from([stdin]) : Object.assign(terminal, { isTTY: true }),
    stdout: new Writable({
      write(chunk, _, done) {
        stdout += chunk;
        done(closeStdout ? new Error("EPIPE") : null);
      },
    }),
    stderr: Object.assign(
      new Writable({
        write(chunk, _, done) {
          stderr += chunk;
          done();
          if (typed === undefined || isAsked || !stderr.endsWith("[y/N] ")) return;
          isAsked = true;
          // A person types when the question is on the screen, and not while it is being written.
          setImmediate(() => terminal.write(typed));
        },
      }),
      { isTTY: typed !== undefined },
    ),
    project: pathToFileURL(`${root}/`),
    fetch: options.fetch ?? fetch,
    now: options.now ?? Date.now,
    sleep: options.sleep ?? (async (ms) => void (await new Promise((resolve) => setTimeout(resolve, ms)))),
    ...(wrangler && { wrangler }),
  };
  context.stdout.on("error", () => {});
  const exitCode = await withContext(context, () => command(args));
  return { exitCode, stdout, stderr };
}
