// stdout is for what was asked for, so that it can be captured; all else goes to stderr.
import { context } from "../../node/context.ts";
import { CommandError } from "../../node/errors.ts";

/**
 * Writes lines to stdout.
 *
 * @throws CommandError if nobody reads them
 */
export async function print(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    context().stdout.write(`${text}\n`, (error) => {
      if (error) reject(new CommandError("The output could not be written."));
      else resolve();
    });
  });
}

export const printJson = (value: unknown): Promise<void> => print(JSON.stringify(value, null, 2));

/** Tells people something on stderr. */
export function note(text: string): void {
  context().stderr.write(`${text}\n`);
}

/** Columns side by side under their headings. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((cells) => lengthOf(cells[column] ?? ""))));
  return lines
    .map((cells) => cells.map((cell, column) => pad(cell, widths[column] ?? 0)).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Names and values, one pair a line. */
export function list(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => lengthOf(name)));
  return pairs.map(([name, value]) => `${pad(name, width)}  ${value}`.trimEnd()).join("\n");
}

/** In code points: `padEnd` counts an emoji twice. */
const lengthOf = (text: string): number => [...text].length;
const pad = (text: string, width: number): string => text + " ".repeat(width - lengthOf(text));
