import { readFileSync } from "node:fs";

export interface Block {
  /** The headings that it stands under, outermost first. */
  headings: string[];
  language: string;
  text: string;
}

/** The fenced blocks of README.md, in their order. */
export function readBlocks(): Block[] {
  const blocks: Block[] = [];
  const headings: string[] = [];
  let open: Block | undefined;
  for (const line of readFileSync("README.md", "utf8").split("\n")) {
    const fence = /^```(\w*)$/.exec(line);
    const heading = /^(#+) (.+)$/.exec(line);
    if (open && fence) {
      blocks.push(open);
      open = undefined;
    } else if (open) {
      open.text += `${line}\n`;
    } else if (fence) {
      open = { headings: [...headings], language: String(fence[1]), text: "" };
    } else if (heading) {
      const level = String(heading[1]).length;
      headings.splice(level - 1, headings.length, String(heading[2]));
    }
  }
  return blocks;
}

/** The lines of a shell block, without those that only comment. */
export const commandsOf = ({ text }: Block): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/\s+# .*$/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"));
