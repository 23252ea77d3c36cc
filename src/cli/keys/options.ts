// Options that several subcommands share, and what they do.
import type { Command } from "commander";
import { CommandError } from "../../node/errors.ts";
import { print, printJson } from "../support/output.ts";
import type { IssuedKey } from "./change.ts";

export interface TokenOptions {
  json?: boolean;
  quiet?: boolean;
}

export interface EdgeOptions {
  purgeUrl?: string;
}

export interface ConfirmOptions {
  yes?: boolean;
}

export const withTokenOptions = (command: Command): Command =>
  command
    .option("--json", "print the key as an object, with its token (see `keys --help`)")
    .option("--quiet", "no more than the token, and errors");

export const withEdgeOptions = (command: Command): Command =>
  command.option(
    "--purge-url <origin>",
    "purge this Worker's cache, with the secret PURGE_SECRET of the environment (default: a running `npm run dev`, if it is its database)",
  );

export const withConfirmOptions = (command: Command): Command => command.option("--yes", "do not ask");

/**
 * Prints a token that has just been made.
 *
 * @throws CommandError if nobody reads it; it is lost then
 */
export async function printToken({ key, token }: IssuedKey, { json }: TokenOptions): Promise<void> {
  try {
    await (json ? printJson({ ...key, token }) : print(token));
  } catch {
    throw new CommandError(
      `The token could not be written and is lost; the key ${key.id} stands. Rotate or revoke it.`,
    );
  }
}
