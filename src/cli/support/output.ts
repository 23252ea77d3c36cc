// stdout is for what was asked for, so that it can be captured; all else goes to stderr.
import { context } from "../../node/context.ts";
import { CommandError, printable } from "../../node/errors.ts";

/** Writes lines to stdout. @throws CommandError if nobody reads them */
export const print = (text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    context().stdout.write(`${text}\n`, (error) =>
      error ? reject(new CommandError("The output could not be written.")) : resolve(),
    );
  });

export const printJson = (value: unknown): Promise<void> => print(JSON.stringify(value, null, 2));

/** Tells people something on stderr. */
export function note(text: string): void {
  context().stderr.write(`${text}\n`);
}

/** Columns side by side, the first row above them. */
export function table(rows: readonly (readonly string[])[]): string {
  const lines = rows.map((cells) => cells.map(printable));
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((cells) => lengthOf(cells[column] ?? "")))) ?? [];
  const pad = (cell: string, column: number) => cell + " ".repeat((widths[column] ?? 0) - lengthOf(cell));
  return lines.map((cells) => cells.map(pad).join("  ").trimEnd()).join("\n");
}

/** In code points: `padEnd` counts an emoji twice. */
export const lengthOf = (text: string): number => [...text].length;
