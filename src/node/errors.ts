/** The exit codes of commands. */
export const EXIT_CODE = {
  /** The command cannot do what was asked for. */
  failed: 1,
  /** The command line or the environment is wrong: nothing was tried. */
  usage: 2,
  /** The change was made and stands, but the edge could not be purged. */
  notPurged: 3,
} as const;

/** Ends a command with one line on stderr and without a stack. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_CODE.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const usageError = (message: string): CommandError => new CommandError(message, EXIT_CODE.usage);

/** What `work` returns, or something else if it throws. */
export function orElse<T>(otherwise: T, work: () => T): T {
  try {
    return work();
  } catch {
    return otherwise;
  }
}

/** Why `fetch` has failed: the code of the connection's error, or else the name of its own. */
export function reasonOf(error: unknown): string {
  const { name, cause } = error as { name: string; cause?: { code?: string } };
  return cause?.code ?? name;
}

/** Text of others for a terminal: what would move its cursor, colour it or turn its direction is written out. */
export const printable = (text: string): string =>
  text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16).padStart(4, "0")}}`,
  );
